"""The model that is trained: a base, in 4 bits or not, with an adapter that is new or continues another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from s2eval.errors import PrerequisiteError, S2Error, UsageError
from s2eval.models.sources import quantized
from s2eval.weights import complete, quiet
from s2train.checkpoint import Quantization
from s2train.training import processes
from s2train.training.config import Model
from s2train.training.hardware import Hardware
from s2train.weights.location import Location

if TYPE_CHECKING:
    from peft import PeftConfig, PeftMixedModel, PeftModel
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from s2train.training.rows import Tokenizer

Task = Literal["CAUSAL_LM", "SEQ_CLS"]
HEAD = "score"  # of a reward model
ADAPTER = "default"  # PEFT's name of what is trained
ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be loaded: a language model, or a reward model with a head of one number.

    Attributes:
        settings: `model:` of the configuration.
        adapter: that training starts from.
    """

    base: Location
    settings: Model
    hardware: Hardware
    task: Task
    adapter: Location | None = None

    @property
    def quantized(self) -> bool:
        return self.settings.method == "qlora"

    @property
    def adapted(self) -> bool:
        return self.settings.method != "full"

    @property
    def new(self) -> tuple[str, ...]:
        """Modules that the base lacks and training makes."""
        return (HEAD,) if self.task == "SEQ_CLS" else ()

    def quantization(self) -> Quantization | None:
        """As it is recorded, and as `s2train merge --method qdq` reads it."""
        if not self.quantized:
            return None
        how, hardware = self.settings.quantization, self.hardware
        return Quantization(
            type=how.type,
            double=how.double,
            compute_dtype=hardware.compute,
            dtype=hardware.dtype,
            skip=self.new or None,
        )


def tokenizer(folder: Path) -> Tokenizer:
    """The base's; padded with its own token, else with the unknown one, else with the end-of-text.

    Raises:
        PrerequisiteError: there is none.
        UsageError: it has no end-of-text.
    """
    from transformers import AutoTokenizer

    try:
        result: Any = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise PrerequisiteError(f"base {folder.name}: no tokenizer: {' '.join(str(error).split())[:200]}") from error
    if result.eos_token is None:
        raise UsageError(f"base {folder.name}: its tokenizer has no end-of-text token: answers could not end")
    if result.pad_token is None:
        result.pad_token = result.unk_token or result.eos_token
    result.padding_side = "right"
    return result


def check_same_tokenizer(mine: Tokenizer, adapter: Location) -> None:
    """Raise UsageError if the adapter's folder has a tokenizer that numbers tokens in another way than its base's."""
    if not any((adapter.folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        return
    ids = set(mine.get_vocab().items()) ^ set(tokenizer(adapter.folder).get_vocab().items())
    if differ := sorted({token for token, _ in ids}):
        shown = ", ".join(map(repr, differ[:3]))
        raise UsageError(
            f"adapter {adapter.name}: its tokenizer differs from the base's in {len(differ):,} tokens ({shown}, …). "
            "Is that the base it was trained on?"
        )


def lora_config(plan: Plan) -> PeftConfig:
    """PEFT's configuration of a new adapter, or of one that begins as `plan.adapter` ends."""
    from peft import LoraConfig, PeftConfig

    saved = [HEAD] if plan.task == "SEQ_CLS" else None
    if plan.adapter is None:
        how = plan.settings.lora
        return LoraConfig(
            task_type=plan.task, r=how.r, lora_alpha=how.alpha, lora_dropout=how.dropout,
            target_modules=how.target_modules if isinstance(how.target_modules, str) else list(how.target_modules),
            use_rslora=how.rslora, use_dora=how.dora, modules_to_save=saved,
        )  # type: ignore[arg-type]  # fmt: skip
    config: Any = PeftConfig.from_pretrained(str(plan.adapter.folder))
    config.inference_mode = False
    config.task_type, config.modules_to_save = plan.task, saved
    return config


def adapter_config(adapter: Location) -> dict[str, Any]:
    """An adapter's `adapter_config.json`; PrerequisiteError where it cannot be read."""
    path = adapter.folder / ADAPTER_CONFIG
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # the last of thousands of levels
        raise PrerequisiteError(f"{path}: cannot be read: {error}") from error


def check_adapter(adapter: Location, task: Task) -> None:
    """Raise UsageError if training cannot start from that adapter."""
    about, where = adapter_config(adapter), f"adapter {adapter.name}"
    if about.get("peft_type") != "LORA":
        raise UsageError(f"{where}: peft_type {about.get('peft_type')}; training starts from LORA only")
    if about.get("task_type") not in (None, "CAUSAL_LM"):
        raise UsageError(
            f"{where}: task_type {about['task_type']}; training starts from an adapter of a language model"
        )
    if task == "SEQ_CLS" and about.get("modules_to_save"):
        names = ", ".join(about["modules_to_save"])
        raise UsageError(f"{where}: it holds complete modules ({names}), which a reward model cannot take over")


def weights(adapter: Location) -> Path:
    """The file of an adapter's tensors; PrerequisiteError where there is none."""
    path = next((adapter.folder / name for name in _WEIGHTS if (adapter.folder / name).is_file()), None)
    if path is None:
        raise PrerequisiteError(f"adapter {adapter.name}: {adapter.folder} has no {_WEIGHTS[0]}")
    return path


def load(plan: Plan) -> PreTrainedModel:
    """The base with its weights.

    Raises:
        PrerequisiteError: it cannot be loaded, or its files do not fill it.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BitsAndBytesConfig

    options: dict[str, object] = {"dtype": getattr(torch, plan.hardware.dtype)}
    if plan.settings.attention:
        options["attn_implementation"] = plan.settings.attention
    if plan.quantized:
        how = plan.settings.quantization
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=how.type,
            bnb_4bit_use_double_quant=how.double,
            bnb_4bit_compute_dtype=getattr(torch, plan.hardware.compute),
            bnb_4bit_quant_storage=getattr(torch, how.storage),
            llm_int8_skip_modules=list(plan.new) or None,
        )
        if plan.hardware.device == "cuda" and not processes.fsdp():  # which places weights by itself
            options["device_map"] = {"": torch.cuda.current_device()}
    kind = AutoModelForCausalLM if plan.task == "CAUSAL_LM" else AutoModelForSequenceClassification
    if plan.task == "SEQ_CLS":
        options["num_labels"] = 1
    try:
        with quiet(bars=True), complete(f"base {plan.base.name}", plan.new):
            model = kind.from_pretrained(plan.base.folder, **options)
    except S2Error:
        raise
    except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
        raise PrerequisiteError(f"base {plan.base.name}: {' '.join(str(error).split())[:400]}") from error
    if plan.quantized:
        quantized.use_exact_kernels(model)
    return model


def outline(plan: Plan) -> PreTrainedModel:
    """The same without weights, on the meta device, without an adapter; cheap for any size."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    try:
        config = AutoConfig.from_pretrained(plan.base.folder)
        kind = AutoModelForCausalLM
        if plan.task == "SEQ_CLS":
            config.num_labels, kind = 1, AutoModelForSequenceClassification
        if hasattr(config, "quantization_config"):
            raise UsageError(
                f"base {plan.base.name}: its weights are quantised already: train on the model it was made of"
            )
        with torch.device("meta"):
            return kind.from_config(config, dtype=getattr(torch, plan.hardware.dtype))
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise PrerequisiteError(f"base {plan.base.name}: {' '.join(str(error).split())[:300]}") from error


def outlined_adapter(model: PreTrainedModel, plan: Plan) -> PeftModel | PeftMixedModel:
    """An outline with its adapter on it."""
    from peft import get_peft_model

    try:
        with quiet(bars=True):
            return get_peft_model(model, lora_config(plan), low_cpu_mem_usage=True)
    except ValueError as error:  # no module of that name
        raise UsageError(f"model.lora: {' '.join(str(error).split())[:300]}") from error


def start_from(model: PreTrainedModel, plan: Plan) -> Any:
    """A `PeftModel` of a loaded base whose trainable adapter begins as `plan.adapter` ends.

    A reward model takes over its factors and gets a new head; so it stays an adapter of the same base.

    Raises:
        UsageError: it does not fit, tensor by tensor.
    """
    assert plan.adapter is not None
    if plan.task == "CAUSAL_LM":
        from s2eval.models.sources import adapters

        adapted = adapters.attach(model, str(plan.adapter.folder), name=ADAPTER)
        adapted.peft_config[ADAPTER].inference_mode = False
        adapted.set_adapter(ADAPTER)
        return adapted
    from peft import get_peft_model, get_peft_model_state_dict

    adapted = get_peft_model(model, lora_config(plan))
    head = {name: weight for name, weight in get_peft_model_state_dict(adapted).items() if f".{HEAD}." in name}
    fill(adapted, head | stored(plan.adapter.folder), ADAPTER, plan.adapter.name)
    return adapted


def stored(adapter: Path) -> dict[str, Tensor]:
    """The tensors of an adapter's folder under PEFT's names, on the CPU.

    Raises:
        PrerequisiteError: they cannot be read.
    """
    from peft.utils import load_peft_weights

    from s2eval.models.sources.adapter_names import plain_names

    try:
        tensors = load_peft_weights(str(adapter), device="cpu")
    except Exception as error:  # safetensors, pickle and the hub raise a dozen unrelated classes
        raise PrerequisiteError(f"adapter {adapter.name}: its weights cannot be read: {error}") from error
    names, _ = plain_names(tensors)
    return {names[name]: tensor for name, tensor in tensors.items()}


def fill(adapted: PeftModel, weights: Mapping[str, Tensor], name: str, label: str) -> None:
    """Load all tensors of the adapter that PEFT calls `name` and messages `label`; UsageError if they do not fit."""
    from peft import set_peft_model_state_dict

    with quiet(bars=True):
        set_peft_model_state_dict(adapted, dict(weights), adapter_name=name, ignore_mismatched_sizes=True)
    check_fit(adapted, weights, name, label)


def check_fit(adapted: PeftModel, weights: Mapping[str, Tensor], name: str, label: str) -> None:
    """Raise UsageError unless the model computes with an adapter's tensors, all of them, and no others."""
    from s2eval.models.sources import adapters

    if problems := list(adapters.problems(adapted, weights, name)):
        raise UsageError(f"adapter {label}: {'; '.join(problems)}. Is that the base it was trained on?")


def trained(model: nn.Module) -> dict[str, Tensor]:
    """Copies of what is trained, by name: TRL rounds a quantised model's to bf16 when it takes the model."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


def restore(model: nn.Module, before: Mapping[str, Tensor], hardware: Hardware) -> None:
    """Undo that rounding where products have 32 bits: on a CPU bf16 costs half the speed.

    `before` is of `trained`; weights that it lacks, a new adapter's, are widened as they are.
    """
    import torch

    if hardware.compute != "float32":
        return
    for name, weight in model.named_parameters():
        if weight.requires_grad and weight.dtype != torch.float32:
            weight.data = before[name].float() if name in before else weight.data.float()


def name_base(model: nn.Module, base: str) -> None:
    """Let adapters call their base by a name that other machines know, where there is one."""
    for config in getattr(model, "peft_config", {}).values():
        config.base_model_name_or_path = base
