"""What transformers and PEFT make of a base and its adapters, without any weights: on the meta device.

So nothing here knows how an architecture names its layers, which of them an adapter's `target_modules` mean, or which
bitsandbytes would quantise: the libraries themselves decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.weights import Gaps, find_gaps, quiet
from s2train.merge.adapters import Adapter, peft_name
from s2train.weights.shards import Weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PREFIX = "base_model.model."  # of every key in an adapter's file
Layout = Literal["linear", "conv1d", "embedding"]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A module that an adapter changes by scaling · B A.

    Attributes:
        adapter: index of the adapter.
        module: its name in the model.
        layout: of its weight: linear is out × in, conv1d in × out, embedding rows × width.
        scaling: alpha / r, or alpha / √r.
        a, b: keys of the factors in the adapter's file.
        bias: key of B's bias, if it has one.
        magnitude: key of the learned lengths of rows (DoRA, arXiv 2402.09353), if it has them.
    """

    adapter: int
    module: str
    layout: Layout
    scaling: float
    a: str
    b: str
    bias: str | None = None
    magnitude: str | None = None


@dataclass(frozen=True, slots=True)
class MetaModel:
    """A model with adapters on it.

    Attributes:
        architecture: its class.
        changes: keys of its configuration that differ from the base's (rows of resized embeddings, labels).
        shapes: parameter or buffer → shape.
        tied: parameter → the one that it shares its memory with.
        prefix: before the names of all but the head, e.g. `model.`; some checkpoints leave it out.
        embeddings: parameters whose rows are tokens.
        quantised: weights that bitsandbytes would quantise.
        conv1d: weights that are stored in × out.
        gaps: what transformers would initialise at random when it loads the base alone.
        targets: what the adapters change through factors.
        keys: of each adapter: key in its file → shape; without copies of the base's embeddings that it may hold.
    """

    architecture: str
    changes: Mapping[str, int]
    shapes: Mapping[str, Shape]
    tied: Mapping[str, str]
    prefix: str
    embeddings: frozenset[str]
    quantised: frozenset[str]
    conv1d: frozenset[str]
    gaps: Gaps
    targets: tuple[Target, ...]
    keys: tuple[Mapping[str, Shape], ...]


def build(weights: Weights, adapters: Sequence[Adapter], skip: Sequence[str] | None = None) -> MetaModel:
    """The model of a base's configuration and the heads of its files, with at least one adapter on it.

    `skip` is `llm_int8_skip_modules`. Raises PrerequisiteError if transformers cannot make the model, UsageError if an
    adapter is for another architecture or changes what cannot be merged.
    """
    from transformers.pytorch_utils import Conv1D

    with quiet():
        folder, task = weights.folder, adapters[0].task
        model = _model(folder, task, {})
        gaps = find_gaps(model, weights.shapes())
        changes = _changes(model, adapters)
        if changes:
            model = _model(folder, task, changes)
        conv1d = frozenset(f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Conv1D))
        prefix = model.base_model_prefix
        shapes, embeddings = _shapes(model), _embeddings(model)
        tied: dict[str, str] = dict(model.all_tied_weights_keys)
        quantised = _quantised(model, skip)
        targets, keys = _adapted(model, adapters)
    return MetaModel(
        type(model).__name__,
        changes,
        shapes,
        tied,
        f"{prefix}." if hasattr(model, prefix or "-") else "",
        embeddings,
        quantised,
        conv1d,
        gaps,
        targets,
        keys,
    )


def _model(folder: Path, task: str | None, changes: Mapping[str, int]) -> PreTrainedModel:
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


def _shapes(model: PreTrainedModel) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _embeddings(model: PreTrainedModel) -> frozenset[str]:
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    return frozenset(f"{name}.weight" for name, module in model.named_modules() if any(module is end for end in ends))


def _changes(model: PreTrainedModel, adapters: Sequence[Adapter]) -> dict[str, int]:
    """Sizes of vocabulary and classifier, where the adapters' own tensors have others than the model."""
    shapes, embeddings = _shapes(model), _embeddings(model)
    classifies = model.get_output_embeddings() is None
    changes: dict[str, int] = {}
    for adapter in adapters:
        for key, entry in adapter.entries.items():
            name = parameter(key)
            if name in shapes and entry.shape and entry.shape[0] != shapes[name][0]:
                if name in embeddings:
                    changes["vocab_size"] = entry.shape[0]
                elif classifies and not name.startswith(f"{model.base_model_prefix}."):
                    changes["num_labels"] = entry.shape[0]
    return changes


def parameter(key: str) -> str:
    """The model's parameter that a key of an adapter's file would replace."""
    return key.removeprefix(PREFIX).replace(".base_layer.", ".")


def _quantised(model: PreTrainedModel, skip: Sequence[str] | None) -> frozenset[str]:
    """As `replace_with_bnb_linear` of transformers chooses them."""
    import torch
    from transformers.pytorch_utils import Conv1D
    from transformers.quantizers.base import HfQuantizer
    from transformers.quantizers.quantizers_utils import should_convert_module

    fp32 = model._keep_in_fp32_modules
    excluded = HfQuantizer.get_modules_to_not_convert(
        model, None if skip is None else list(skip), None if fp32 is None else list(fp32)
    )
    return frozenset(
        f"{name}.weight"
        for name, module in model.named_modules()
        if (isinstance(module, Conv1D) or type(module) is torch.nn.Linear) and should_convert_module(name, excluded)
    )


def _adapted(
    model: PreTrainedModel, adapters: Sequence[Adapter]
) -> tuple[tuple[Target, ...], tuple[Mapping[str, Shape], ...]]:
    """`MetaModel.targets` and `keys`, after PEFT has put the adapters on the model."""
    from peft import LoraConfig, PeftConfig, get_peft_model, get_peft_model_state_dict

    adapted: Any = None
    for number, adapter in enumerate(adapters):
        ours = {"init_lora_weights": True, "base_model_name_or_path": None, "inference_mode": True}
        try:
            config = PeftConfig.from_peft_type(**{**adapter.config, **ours})
            assert isinstance(config, LoraConfig)
            if adapted is None:
                adapted = get_peft_model(model, config, peft_name(number), low_cpu_mem_usage=True)
            else:
                adapted.add_adapter(peft_name(number), config, low_cpu_mem_usage=True)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
            why = " ".join(str(error).split())[:300]
            raise UsageError(
                f"adapter {adapter.name}: PEFT cannot put it on {type(model).__name__}: {why}. {adapter.base_hint}"
            ) from error
    states = (
        get_peft_model_state_dict(adapted, adapter_name=peft_name(number), save_embedding_layers=False)
        for number in range(len(adapters))
    )
    keys = tuple({key: tuple(tensor.shape) for key, tensor in state.items()} for state in states)
    return tuple(_targets(adapted.base_model.model, adapters)), keys


def _targets(model: PreTrainedModel, adapters: Sequence[Adapter]) -> Iterator[Target]:
    from peft.tuners.lora.layer import Embedding, Linear, LoraLayer
    from transformers.pytorch_utils import Conv1D

    for module, layer in model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        base = layer.get_base_layer()
        if type(layer) not in (Linear, Embedding) or ".original_module" in module or ".modules_to_save" in module:
            raise UsageError(
                f"adapter {adapters[0].name}: LoRA on {module} ({type(base).__name__}) cannot be merged here"
            )
        embedding = type(layer) is Embedding
        layout: Layout = "embedding" if embedding else "conv1d" if isinstance(base, Conv1D) else "linear"
        a, b = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A.weight", "lora_B.weight")
        stem = f"{PREFIX}{module}."
        for number, adapter in enumerate(adapters):
            name = peft_name(number)
            if name not in (layer.lora_embedding_A if embedding else layer.lora_A):
                continue
            bias = bool(layer.lora_bias[name])
            if bias and getattr(base, "bias", None) is None:
                raise UsageError(f"adapter {adapter.name}: lora_bias is set, but {module} of the base has no bias")
            yield Target(
                number,
                module,
                layout,
                layer.scaling[name],
                stem + a,
                stem + b,
                f"{stem}lora_B.bias" if bias else None,
                f"{stem}lora_magnitude_vector" if name in layer.lora_variant else None,
            )
