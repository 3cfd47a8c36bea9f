"""What transformers and PEFT would make of a base and its adapters, without any weights: on the meta device.

So nothing here knows how an architecture names its layers, which of them an adapter's `target_modules` mean, or which
bitsandbytes would quantise: the libraries themselves are asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.weights import Gaps, find_gaps, quiet
from s2train.merge.adapters import Adapter
from s2train.weights.shards import Weights

PREFIX = "base_model.model."  # of every key in an adapter's file
Layout = Literal["linear", "conv1d", "embedding"]
Shape = tuple[int, ...]
_LINEAR = ("lora_A.weight", "lora_B.weight")


@dataclass(frozen=True, slots=True)
class Target:
    """A module that an adapter changes through two factors.

    Attributes:
        adapter: which, by its place among the adapters.
        module: its name in the model.
        layout: of its weight: linear is out × in, conv1d in × out, embedding rows × width.
        scaling: alpha / r, or alpha / √r.
        dora: whether rows are rescaled to a learned length (DoRA, arXiv 2402.09353).
        bias: whether the factor B has a bias.
    """

    adapter: int
    module: str
    layout: Layout
    scaling: float
    dora: bool
    bias: bool

    def tensors(self) -> list[str]:
        """Its keys in the adapter's file: A, B, then B's bias and the magnitudes where it has them."""
        stem = f"{PREFIX}{self.module}."
        factors = ["lora_embedding_A", "lora_embedding_B"] if self.layout == "embedding" else _LINEAR
        more = [*(["lora_B.bias"] if self.bias else []), *(["lora_magnitude_vector"] if self.dora else [])]
        return [stem + name for name in (*factors, *more)]


@dataclass(frozen=True, slots=True)
class Outline:
    """A model with adapters on it.

    Attributes:
        architecture: its class.
        changes: what its configuration has that the base's has not (rows of resized embeddings, labels).
        shapes: parameter or buffer → shape.
        tied: parameter → the one that it shares its memory with.
        prefix: before the names of all but the head, e.g. `model.`; some checkpoints leave it out.
        heads: parameters that a base without them may lack, because they come with the task.
        embeddings: parameters whose rows are tokens.
        quantised: weights that bitsandbytes would quantise.
        conv1d: weights that are stored in × out.
        targets: what the adapters change through factors.
        keys: of each adapter: key in its file → shape; without copies of the base's embeddings that it may hold.
        gaps: what transformers would initialise at random when it loads the base alone.
    """

    architecture: str
    changes: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    tied: Mapping[str, str]
    prefix: str
    heads: frozenset[str]
    embeddings: frozenset[str]
    quantised: frozenset[str]
    conv1d: frozenset[str]
    targets: tuple[Target, ...]
    keys: tuple[Mapping[str, Shape], ...]
    gaps: Gaps


def draw(weights: Weights, adapters: Sequence[Adapter], skip: Sequence[str] | None = None) -> Outline:
    """The outline of a base with `adapters` on it.

    Args:
        weights: of the base; its configuration and the heads of its files are read.
        adapters: at least one.
        skip: `llm_int8_skip_modules`; None for transformers' default.

    Raises:
        PrerequisiteError: transformers cannot make the model of its configuration.
        UsageError: an adapter is for another architecture, or changes what cannot be merged.
    """
    with quiet():
        folder, changes = weights.folder, dict[str, Any]()
        model = _model(folder, adapters[0].task, changes)
        gaps = find_gaps(model, weights.shapes())
        if found := _changes(model, adapters):
            changes = found
            model = _model(folder, adapters[0].task, changes)
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        plain = {
            "architecture": type(model).__name__,
            "changes": changes,
            "shapes": shapes,
            "tied": dict(model.all_tied_weights_keys),
            "prefix": f"{model.base_model_prefix}." if hasattr(model, model.base_model_prefix or "-") else "",
            "heads": _heads(model),
            "embeddings": _embeddings(model),
            "quantised": _quantised(model, skip),
            "conv1d": _conv1d(model),
            "gaps": gaps,
        }
        adapted = _adapted(model, adapters)
        return Outline(targets=tuple(_targets(adapted, adapters)), keys=_keys(adapted, adapters), **plain)


def _model(folder: Path, task: str | None, changes: Mapping[str, Any]) -> Any:
    import torch
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    try:
        config = AutoConfig.from_pretrained(folder)
        for key, value in changes.items():
            setattr(config.get_text_config() if key == "vocab_size" else config, key, value)
        if hasattr(config, "quantization_config"):
            delattr(config, "quantization_config")
        with torch.device("meta"):
            if task == "SEQ_CLS":
                return AutoModelForSequenceClassification.from_config(config)
            if task == "CAUSAL_LM" or not config.architectures:
                return AutoModelForCausalLM.from_config(config)
            return getattr(transformers, config.architectures[0])(config)
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        why = " ".join(str(error).split())[:300]
        raise PrerequisiteError(f"base {folder.name}: transformers cannot make it of its config.json: {why}") from error


def _embeddings(model: Any) -> frozenset[str]:
    wanted = [model.get_input_embeddings(), model.get_output_embeddings()]
    return frozenset(f"{name}.weight" for name, module in model.named_modules() if any(module is one for one in wanted))


def _heads(model: Any) -> frozenset[str]:
    """What is not part of the trunk: of a classifier the layer that a language model's checkpoint does not have."""
    trunk = f"{model.base_model_prefix}."
    output = model.get_output_embeddings()
    return frozenset() if output is not None else frozenset(
        name for name in model.state_dict() if not name.startswith(trunk)
    )  # fmt: skip


def _changes(model: Any, adapters: Sequence[Adapter]) -> dict[str, Any]:
    """What the adapters' own tensors say of the size of vocabulary and classifier."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    embeddings, heads = _embeddings(model), _heads(model)
    found: dict[str, Any] = {}
    for adapter in adapters:
        for key, entry in adapter.entries.items():
            name = parameter(key)
            if name in shapes and entry.shape and entry.shape[0] != shapes[name][0]:
                if name in embeddings:
                    found["vocab_size"] = entry.shape[0]
                elif name in heads:
                    found["num_labels"] = entry.shape[0]
    return found


def parameter(key: str) -> str:
    """The model's parameter that a key of an adapter's file would replace."""
    return key.removeprefix(PREFIX).replace(".base_layer.", ".")


def _quantised(model: Any, skip: Sequence[str] | None) -> frozenset[str]:
    """As `replace_with_bnb_linear` of transformers chooses them."""
    import torch
    from transformers.pytorch_utils import Conv1D
    from transformers.quantizers.base import HfQuantizer
    from transformers.quantizers.quantizers_utils import should_convert_module

    kept = HfQuantizer.get_modules_to_not_convert(
        model, None if skip is None else list(skip), model._keep_in_fp32_modules
    )
    return frozenset(
        f"{name}.weight"
        for name, module in model.named_modules()
        if (isinstance(module, Conv1D) or type(module) is torch.nn.Linear) and should_convert_module(name, kept)
    )


def _conv1d(model: Any) -> frozenset[str]:
    from transformers.pytorch_utils import Conv1D

    return frozenset(f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Conv1D))


def _adapted(model: Any, adapters: Sequence[Adapter]) -> Any:
    from peft import LoraConfig, PeftConfig, get_peft_model

    adapted: Any = None
    for number, adapter in enumerate(adapters):
        ours = {"init_lora_weights": True, "base_model_name_or_path": None, "inference_mode": True}
        try:
            config = PeftConfig.from_peft_type(**{**adapter.config, **ours})
            assert isinstance(config, LoraConfig)
            if adapted is None:
                adapted = get_peft_model(model, config, _name(number), low_cpu_mem_usage=True)
            else:
                adapted.add_adapter(_name(number), config, low_cpu_mem_usage=True)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
            why = " ".join(str(error).split())[:300]
            raise UsageError(
                f"adapter {adapter.name}: PEFT cannot put it on {type(model).__name__}: {why}. Is that the base it was "
                f"trained on?{_named(adapter)}"
            ) from error
    return adapted


def _named(adapter: Adapter) -> str:
    named = adapter.config.get("base_model_name_or_path")
    return f" Its adapter_config.json names {named}" if named else ""


def _name(number: int) -> str:
    return f"s2merge{number}"  # nothing in a model is called that


def _targets(adapted: Any, adapters: Sequence[Adapter]) -> Iterator[Target]:
    from peft.tuners.lora.layer import Embedding, Linear, LoraLayer
    from transformers.pytorch_utils import Conv1D

    for module, layer in adapted.base_model.model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        if type(layer) not in (Linear, Embedding) or ".original_module" in module or ".modules_to_save" in module:
            kind = type(layer.get_base_layer()).__name__
            raise UsageError(f"adapter {adapters[0].name}: LoRA on {module} ({kind}) cannot be merged here")
        factors = layer.lora_embedding_A if type(layer) is Embedding else layer.lora_A
        conv1d = isinstance(layer.get_base_layer(), Conv1D)
        for number, adapter in enumerate(adapters):
            name = _name(number)
            if name not in factors:
                continue
            if layer.lora_bias[name] and getattr(layer.get_base_layer(), "bias", None) is None:
                raise UsageError(f"adapter {adapter.name}: lora_bias is set, but {module} of the base has no bias")
            yield Target(
                number,
                module,
                "embedding" if type(layer) is Embedding else "conv1d" if conv1d else "linear",
                layer.scaling[name],
                name in layer.lora_variant,
                layer.lora_bias[name],
            )


def _keys(adapted: Any, adapters: Sequence[Adapter]) -> tuple[dict[str, Shape], ...]:
    from peft import get_peft_model_state_dict

    states = (
        get_peft_model_state_dict(adapted, adapter_name=_name(number), save_embedding_layers=False)
        for number in range(len(adapters))
    )
    return tuple({key: tuple(tensor.shape) for key, tensor in state.items()} for state in states)
