"""Whether a model is filled by its checkpoint, or partly by random numbers: `complete` reads what transformers
reports of a load; `check_shapes` has it load the heads of the files alone, on the meta device, in milliseconds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from s2eval.errors import PrerequisiteError
from s2eval.weights.files import Shape

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SHOWN = 3  # names in a message
# Buffers that old releases of transformers stored and that are computed from the configuration: rotary frequencies,
# causal masks, positions 0, 1, 2, …. Nothing depends on whether, or with what, a file has them.
_DEAD = re.compile(
    r"(^|\.)(inv_freq|cos_cached|sin_cached|masked_bias|(\w*attn|\w*attention)\.bias|causal_mask|position_ids"
    r"|token_type_ids|embed_positions)$"
)
_DTYPES = {"F16": "float16", "BF16": "bfloat16", "F64": "float64", "U8": "uint8", "I8": "int8"}


def is_dead_buffer(name: str) -> bool:
    """Whether a tensor that is no parameter of its model has the name of a buffer that is computed, not trained."""
    return _DEAD.search(name) is not None


@contextmanager
def complete(label: str, new: Sequence[str] = ()) -> Iterator[None]:
    """Check every model that transformers loads in the block, also by way of another library: lm-eval and bert-score
    call `from_pretrained` themselves and drop what it reports, so it is wrapped meanwhile.

    Modules in `new`, e.g. `score`, may be missing; `label`, e.g. `base NAME`, is for messages. Raises PrerequisiteError
    if tensors are missing from the files or have another shape there.
    """
    from transformers import PreTrainedModel

    plain: Any = PreTrainedModel.__dict__["from_pretrained"]

    def from_pretrained(cls: type, *arguments: object, output_loading_info: bool = False, **kwargs: object) -> object:
        # mismatched sizes raise otherwise, and the message does not name them
        options = {**kwargs, "output_loading_info": True, "ignore_mismatched_sizes": True}
        model, info = plain.__func__(cls, *arguments, **options)
        if gaps := _gaps(model, info, new):
            raise gaps.error(label)
        return (model, info) if output_loading_info else model

    PreTrainedModel.from_pretrained = classmethod(from_pretrained)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        PreTrainedModel.from_pretrained = plain


@dataclass(frozen=True, slots=True)
class Gaps:
    """What a checkpoint leaves empty of a model: missing tensors, those of another shape (in the files, in the
    model), and tensors of the files that the model does not know."""

    architecture: str
    missing: tuple[str, ...]
    misshapen: Mapping[str, tuple[Sequence[int], Sequence[int]]]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.misshapen)

    def without(self, names: Container[str]) -> Gaps:
        """Those that remain where `names` come from elsewhere."""
        missing = tuple(name for name in self.missing if name not in names)
        misshapen = {name: both for name, both in self.misshapen.items() if name not in names}
        return replace(self, missing=missing, misshapen=misshapen)

    def error(self, label: str) -> PrerequisiteError:
        """The exception that names them."""
        parts: list[str] = []
        if self.missing:
            parts.append(f"its files lack {len(self.missing)} tensors of {self.architecture} ({some(self.missing)})")
        if self.misshapen:
            shapes = [
                f"{name} is {'×'.join(map(str, stored))}, not {'×'.join(map(str, wanted))}"
                for name, (stored, wanted) in self.misshapen.items()
            ]
            parts.append(f"{len(shapes)} of its tensors have another shape than the model's ({some(shapes)})")
        if self.missing and self.unknown:
            parts.append(f"they have {len(self.unknown)} others that it does not know ({some(self.unknown)})")
            pairs = ((name, wanted) for name in self.unknown for wanted in self.missing if name.endswith(f".{wanted}"))
            if prefix := next((name.removesuffix(wanted) for name, wanted in pairs), ""):
                parts[-1] += f"; those begin with {prefix!r}, which a wrapper left: save the model without it"
        return PrerequisiteError(
            f"{label}: {', and '.join(parts)}. transformers would fill them with random numbers. Fetch or save the "
            "whole model again"
        )


def check_shapes(model: PreTrainedModel, shapes: Mapping[str, Shape], label: str, new: Sequence[str] = ()) -> None:
    """Raise PrerequisiteError unless files with those tensors would fill a model; see `complete` and `find_gaps`."""
    if gaps := find_gaps(model, shapes, new):
        raise gaps.error(label)


def find_gaps(model: PreTrainedModel, shapes: Mapping[str, Shape], new: Sequence[str] = ()) -> Gaps:
    """What files with tensors of those shapes would leave empty of a model, which is on the meta device."""
    import torch
    from transformers.core_model_loading import revert_weight_conversion

    state = {
        name: torch.empty(shape, dtype=getattr(torch, _DTYPES.get(dtype, "float32")), device="meta")
        for name, (dtype, shape) in shapes.items()
    }
    architecture: Any = type(model)
    options = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    with quiet():
        try:
            loaded, info = architecture.from_pretrained(
                None, config=model.config, state_dict=state, device_map={"": "meta"}, **options
            )
        except RuntimeError:  # parts of a tensor that transformers puts together are missing
            stored = set(revert_weight_conversion(model, model.state_dict()))  # as transformers would save the model
            if stored <= shapes.keys():
                raise
            missing, unknown = sorted(stored - shapes.keys()), sorted(shapes.keys() - stored)
            return Gaps(architecture.__name__, tuple(missing), {}, tuple(unknown))
        return _gaps(loaded, info, new)


def _gaps(model: PreTrainedModel, info: Mapping[str, Any], new: Sequence[str]) -> Gaps:
    """Missing are those that are neither meant to be new, nor computed, nor shared with a tensor of the files."""
    missing = {name for name in info["missing_keys"] if not any(f".{module}." in f".{name}" for module in new)}
    if missing:
        dead = {name for name, _ in model.named_buffers() if is_dead_buffer(name)}
        state = model.state_dict(keep_vars=True)
        filled = {id(tensor) for name, tensor in state.items() if name not in missing}
        missing = {name for name in missing - dead if name not in state or id(state[name]) not in filled}
    return Gaps(
        type(model).__name__,
        tuple(sorted(missing)),
        {name: (stored, wanted) for name, stored, wanted in sorted(info["mismatched_keys"])},
        tuple(sorted(name for name in info["unexpected_keys"] if not is_dead_buffer(name))),
    )


def some(names: Sequence[str]) -> str:
    """The first few of them."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


@contextmanager
def quiet(*, bars: bool = False, downloads: bool = False) -> Iterator[None]:
    """No warnings of transformers and PEFT: what they warn of is checked. All progress bars with `bars`, the hub's
    with `downloads` unless the user has disabled them."""
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    verbosity, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    downloads = downloads and not are_progress_bars_disabled()
    logging.set_verbosity_error()
    if not bars:
        logging.disable_progress_bar()  # the hub's too
        if downloads:
            enable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
