"""Unmerged PEFT adapters: put on a loaded base, and proved to be in use.

What PEFT ignores or only warns of is an error here: a tensor of the adapter's file that has no place in the model, one
that the file lacks, an adapter with which the model answers as its base does. Otherwise a run would report the base's
numbers under the adapter's name (EleutherAI/lm-evaluation-harness, issue 2432).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models.sources.adapter_names import left_by_wrapper, plain_names
from s2eval.weights import check_pointers, some

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel

_log = logging.getLogger(__name__)

_PROBE = 32  # tokens, spread evenly over the vocabulary
# What PEFT warns of there is either checked here and then an error, or concerns training only.
_CHECKED = r"(?s).*(missing adapter keys|were not initialized|is_gradient_checkpointing|tie_word_embeddings)"


def attach(
    model: PreTrainedModel,
    path: str,
    *,
    name: str = "default",
    revision: str | None = None,
    vocabulary: int | None = None,
) -> PeftModel:
    """The `PeftModel` of a loaded base with an adapter (folder or hub id) on it, active and in evaluation mode.

    The base is changed in place, also on failure (`Base.restore` undoes it). Embeddings of another length than
    `vocabulary`, the tokenizer's, are resized first, as lm-eval's `hf` does, for adapters that were trained with added
    tokens; but not where the adapter's own tensors have the base's length (hf fails there): the embeddings of some
    bases are longer than their tokenizers.

    Raises PrerequisiteError if the adapter cannot be read; UsageError if it is not for a causal language model, does
    not fit the base tensor by tensor, or changes nothing.
    """
    where = f"adapter {path} on {model.name_or_path or type(model).__name__}"
    config, weights, wrapped = _read(path, revision)
    if config.task_type not in (None, "CAUSAL_LM"):
        raise UsageError(
            f"{where}: its task_type is {config.task_type}: it makes another thing of the base than a language model. "
            "Only adapters of task_type CAUSAL_LM can be evaluated"
        )
    lengths = {length for tensor in weights.values() for length in tensor.shape}
    rows = model.config.get_text_config().vocab_size
    if vocabulary not in (None, rows) and (rows not in lengths or vocabulary in lengths):
        model.resize_token_embeddings(vocabulary)
    tokens = _probe(model, config)
    before = logits(model, tokens)
    with _folder(path, config, weights if wrapped else None) as folder:
        adapted = _put_on(model, folder, name, revision, where)
    if mismatches := list(problems(adapted, weights, name)):
        base = f"Its adapter_config.json names {names}. " if (names := config.base_model_name_or_path) else ""
        raise UsageError(
            f"{where}: {'; '.join(mismatches)}. Is that the base it was trained on? {base}"
            f"If it was trained with added tokens, its tokenizer is needed too: args: {{tokenizer: {path}}}"
        )
    after = logits(adapted, tokens)
    if not after.isfinite().all():
        raise UsageError(
            f"{where}: with it the model's logits are NaN or infinite; its training diverged, or its dtype"
        )
    if torch.equal(before, after):
        raise UsageError(f"{where}: the model answers exactly as it does without it{_why(weights)}")
    return adapted


def logits(model: PreTrainedModel | PeftModel, tokens: Tensor) -> Tensor:
    """A model's logits at each of `tokens` (1 × n, one sequence): n × vocabulary, fp32, on the CPU."""
    with torch.no_grad():
        result = model(input_ids=tokens.to(model.device)).logits
    return result[0, -tokens.shape[1] :].float().cpu()  # prompt tuning puts virtual tokens before them


def _read(path: str, revision: str | None) -> tuple[PeftConfig, dict[str, Tensor], bool]:
    """Its configuration; its tensors under PEFT's names; whether they have other names in the file."""
    from peft import PeftConfig
    from peft.utils import load_peft_weights

    if Path(path).is_dir():
        check_pointers(Path(path), f"adapter {path}")
    try:
        config = PeftConfig.from_pretrained(path, revision=revision)
    except (KeyError, TypeError) as error:
        raise PrerequisiteError(
            f"adapter {path}: its adapter_config.json is of no kind that the installed PEFT knows ({error}); "
            "try a newer one: pip install -U peft"
        ) from error
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"adapter {path}: its adapter_config.json cannot be read: {error}") from error
    try:
        weights = load_peft_weights(path, device="cpu", revision=revision)
    except Exception as error:  # safetensors, pickle and the hub raise a dozen unrelated classes
        raise PrerequisiteError(
            f"adapter {path}: its weights (adapter_model.safetensors or adapter_model.bin) cannot be read: {error}"
        ) from error
    names, removed = plain_names(weights)
    if removed:
        _log.warning("%s", left_by_wrapper(f"adapter {path}", removed))
    return config, {names[name]: tensor for name, tensor in weights.items()}, bool(removed)


@contextmanager
def _folder(path: str, config: PeftConfig, weights: Mapping[str, Tensor] | None) -> Iterator[str]:
    """The folder or hub id that PEFT loads; a temporary one where `weights` have other names than in the file."""
    if weights is None:
        yield path
        return
    from safetensors.torch import save_file

    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        tensors = {name: weight.clone() for name, weight in weights.items()}
        save_file(tensors, Path(folder) / "adapter_model.safetensors")
        yield folder


@contextmanager
def readable(path: str) -> Iterator[str]:
    """A folder from which PEFT loads that adapter, also where a wrapper left something in its tensors' names."""
    config, weights, wrapped = _read(path, None)
    with _folder(path, config, weights if wrapped else None) as folder:
        yield folder


def _probe(model: PreTrainedModel, config: PeftConfig) -> Tensor:
    """A short sequence of tokens, among them those without which the adapter would do nothing."""
    tokens = torch.linspace(0, next(model.get_input_embeddings().parameters()).shape[0] - 1, _PROBE).long().tolist()
    trained = getattr(config, "trainable_token_indices", None) or getattr(config, "token_indices", None) or []
    for indices in trained.values() if isinstance(trained, dict) else [trained]:
        tokens += indices[:_PROBE]
    tokens += getattr(config, "alora_invocation_tokens", None) or []
    return torch.tensor([tokens])


def _put_on(model: PreTrainedModel, path: str, name: str, revision: str | None, where: str) -> PeftModel:
    """As lm-eval's `hf` does it, except that tensors of a wrong shape are left for `problems`."""
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_CHECKED)
            adapted = PeftModel.from_pretrained(
                model, path, adapter_name=name, revision=revision, ignore_mismatched_sizes=True
            )
    except KeyError as error:
        raise UsageError(
            f"{where}: its configuration asks for more than its file has ({error.args[0]}, for one)"
        ) from error
    except (ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise UsageError(f"{where}: PEFT cannot put it on this base: {error}") from error
    return adapted.eval()


def problems(adapted: PeftModel, weights: Mapping[str, Tensor], name: str) -> Iterator[str]:
    """What of an adapter's file (`weights`, under PEFT's names) is not in the model that it was put on as `name`, or
    the other way round: a phrase a kind."""
    from peft.utils import get_peft_model_state_dict

    try:  # an architecture may have other names in transformers 5 (experts, for one)
        from peft.utils import transformers_weight_conversion as conversion
    except ImportError:  # a PEFT that knows no such conversion
        pass
    else:
        weights = conversion.convert_peft_adapter_state_dict_for_transformers(
            model=adapted, peft_config=adapted.peft_config[name], adapter_state_dict=dict(weights), adapter_name=name
        )
    state = adapted.state_dict()
    own = get_peft_model_state_dict(adapted, state_dict=state, adapter_name=name, save_embedding_layers=False)
    model = {**state, **own}  # a file may hold complete matrices of the base too, or the model's own names
    of = f"of its {len(weights)} tensors"
    if lost := [key for key in weights if key not in model]:
        yield f"the model has no place for {len(lost)} {of} ({some(lost)})"
    both = [key for key in weights if key in model]
    filled = {id(model[key]) for key in both}
    if lacking := [key for key, tensor in own.items() if id(tensor) not in filled]:
        yield f"its configuration asks for {len(lacking)} more than its file has ({some(lacking)})"
    if misshapen := [key for key in both if weights[key].shape != model[key].shape]:
        shapes = [f"{key} is {_shape(weights[key])}, there {_shape(model[key])}" for key in misshapen]
        yield f"the model wants another shape for {len(shapes)} {of} ({some(shapes)})"
    if endless := [key for key in both if not weights[key].isfinite().all()]:
        yield f"NaN or infinity stands in {len(endless)} {of} ({some(endless)})"
    rest = [key for key in both if key not in misshapen and key not in endless]
    if other := [key for key in rest if not _same(weights[key], model[key])]:
        yield f"the model does not compute with {len(other)} {of} ({some(other)})"


def _same(stored: Tensor, used: Tensor) -> bool:
    """Equal but for the rounding to the model's type; True of what was offloaded to the disk."""
    if used.is_meta:
        return True
    wanted = stored.to(used.device, torch.float32)
    return bool((used.float() - wanted).norm() <= 0.01 * wanted.norm())


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))


def _why(weights: Mapping[str, Tensor]) -> str:
    """The cause of equal answers, where the file shows it."""
    ends = [tensor for key, tensor in weights.items() if "lora_B" in key or "lora_embedding_B" in key]
    if ends and not any(tensor.any() for tensor in ends):
        return ": every LoRA B matrix is zero, as it is before the first step of training. Was it ever trained?"
    return ". Its scores would be the base's: evaluate the base, or train the adapter"
