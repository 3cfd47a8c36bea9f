"""Whether a model is filled by its checkpoint, or partly by random numbers.

`complete` looks at what transformers reports of a load (`output_loading_info`). `check_shapes` has transformers load
the heads of the files alone, on the meta device: names and conversions are its own, and it takes milliseconds.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from s2eval.errors import PrerequisiteError
from s2eval.weights.files import Shape

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
    """Check every model that transformers loads in the block, also by way of another library.

    lm-eval and bert-score call `from_pretrained` themselves and drop what it reports, so it is wrapped meanwhile.

    Args:
        label: what messages call the model, e.g. `base NAME`.
        new: modules that may be missing, since they are meant to be new or are not used, e.g. `score`.

    Raises:
        PrerequisiteError: tensors are missing from the files, or have another shape there.
    """
    from transformers import PreTrainedModel

    plain: Any = PreTrainedModel.__dict__["from_pretrained"]

    def from_pretrained(cls: Any, *arguments: Any, output_loading_info: bool = False, **kwargs: Any) -> Any:
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
    """What a checkpoint leaves empty of a model.

    Attributes:
        architecture: the model's class.
        missing: tensors that the files lack.
        misshapen: name → its shape in the files, and the model's.
        unknown: tensors of the files that the model has no place for.
    """

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
            shapes = [f"{name} is {_shape(one)}, not {_shape(other)}" for name, (one, other) in self.misshapen.items()]
            parts.append(f"{len(shapes)} of its tensors have another shape than the model's ({some(shapes)})")
        if self.missing and self.unknown:
            parts.append(f"they have {len(self.unknown)} others that it does not know ({some(self.unknown)})")
            if prefix := _prefix(self.missing, self.unknown):
                parts[-1] += f"; those begin with {prefix!r}, which a wrapper left: save the model without it"
        return PrerequisiteError(
            f"{label}: {', and '.join(parts)}. transformers would fill them with random numbers. Fetch or save the "
            "whole model again"
        )


def check_shapes(model: Any, shapes: Mapping[str, Shape], label: str, new: Sequence[str] = ()) -> None:
    """Check that files with those tensors would fill a model.

    Args:
        model: an instance on the meta device, for its class and configuration.
        shapes: of all tensors of the files.
        label, new: as for `complete`.

    Raises:
        PrerequisiteError: tensors are missing, or have another shape in the files.
    """
    if gaps := find_gaps(model, shapes, new):
        raise gaps.error(label)


def find_gaps(model: Any, shapes: Mapping[str, Shape], new: Sequence[str] = ()) -> Gaps:
    """What files with those tensors would leave empty; see `check_shapes`."""
    import torch

    state = {
        name: torch.empty(shape, dtype=getattr(torch, _DTYPES.get(dtype, "float32")), device="meta")
        for name, (dtype, shape) in shapes.items()
    }
    options: dict[str, Any] = {"output_loading_info": True, "ignore_mismatched_sizes": True}
    with quiet():
        try:
            loaded, info = type(model).from_pretrained(
                None, config=model.config, state_dict=state, device_map={"": "meta"}, **options
            )
        except RuntimeError:  # parts of a tensor that transformers puts together are missing
            stored = _stored_names(model)
            if stored <= shapes.keys():
                raise
            missing, unknown = sorted(stored - shapes.keys()), sorted(shapes.keys() - stored)
            return Gaps(type(model).__name__, tuple(missing), {}, tuple(unknown))
        return _gaps(loaded, info, new)


def _stored_names(model: Any) -> set[str]:
    """The names under which transformers would save the model."""
    from transformers.core_model_loading import revert_weight_conversion

    return set(revert_weight_conversion(model, model.state_dict()))


def _gaps(model: Any, info: Mapping[str, Any], new: Sequence[str]) -> Gaps:
    return Gaps(
        type(model).__name__,
        tuple(_missing(model, info["missing_keys"], new)),
        {name: (stored, wanted) for name, stored, wanted in sorted(info["mismatched_keys"])},
        tuple(sorted(name for name in info["unexpected_keys"] if not is_dead_buffer(name))),
    )


def _missing(model: Any, names: Iterable[str], new: Sequence[str]) -> list[str]:
    """Those that matter: neither meant to be new, nor computed, nor shared with a tensor that was in the files."""
    names = {name for name in names if not any(f".{module}." in f".{name}" for module in new)}
    if not names:
        return []
    buffers = {name for name, _ in model.named_buffers()}
    state: Mapping[str, Any] = model.state_dict(keep_vars=True)
    filled = {id(tensor) for name, tensor in state.items() if name not in names}
    return sorted(
        name
        for name in names
        if not (name in buffers and is_dead_buffer(name)) and not (name in state and id(state[name]) in filled)
    )


def _prefix(missing: Sequence[str], unknown: Sequence[str]) -> str:
    """What stands before the names of the files where the rest is what is missing; "" where nothing does."""
    pairs = ((name, wanted) for name in unknown for wanted in missing if name.endswith(f".{wanted}"))
    return next((name.removesuffix(wanted) for name, wanted in pairs), "")


def some(names: Sequence[str]) -> str:
    """The first few of them."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


@contextmanager
def quiet(*, bars: bool = False, downloads: bool = False) -> Iterator[None]:
    """No warnings of transformers and PEFT: what they warn of is checked.

    Args:
        bars: show all progress bars.
        downloads: show those of the hub, unless the user has disabled them.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    before, shown, hub_bars = (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        not are_progress_bars_disabled(),
    )
    logging.set_verbosity_error()
    if not bars:
        logging.disable_progress_bar()  # the hub's too
        if downloads and hub_bars:
            enable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
        if shown:
            logging.enable_progress_bar()
