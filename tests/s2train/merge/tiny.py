"""Tiny random bases, adapters a random step away from their first weights, and PEFT's own merges of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from s2train.merge.job import Job, Request
from s2train.merge.preparation import prepare

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WEIGHTS = "adapter_model.safetensors"
_LLAMA: dict[str, Any] = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.1,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GPT2: dict[str, Any] = {
    "vocab_size": 256,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
    "initializer_range": 0.1,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def base(
    out: Path,
    dtype: torch.dtype = torch.bfloat16,
    *,
    kind: str = "llama",
    shard: str = "1GB",
    seed: int = 0,
    **options: Any,
) -> Path:
    """A base's folder, without tokenizer."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    if kind == "gpt2":
        model: Any = GPT2LMHeadModel(GPT2Config(**{**_GPT2, **options}))
    else:
        model = LlamaForCausalLM(LlamaConfig(**{**_LLAMA, **options}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # zeros otherwise, and then nobody sees what happens to them
                parameter.normal_(std=0.1)
    model.to(dtype).save_pretrained(out, max_shard_size=shard)
    return out


def load(folder: Path, *, classifier: bool = False, **options: Any) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    kind: Any = AutoModelForSequenceClassification if classifier else AutoModelForCausalLM
    return kind.from_pretrained(folder, **options)


def train(
    model: Any, out: Path, *, seed: int = 1, step: float = 0.05, dtype: torch.dtype | None = None, **options: Any
) -> Path:
    """Put LoRA on a loaded base, move what is trained by random steps, save the adapter."""
    from peft import LoraConfig, get_peft_model

    defaults: dict[str, Any] = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
    torch.manual_seed(seed)
    adapted: Any = get_peft_model(model, LoraConfig(**{**defaults, **options}))
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(step * torch.randn_like(parameter))
    adapted.save_pretrained(out)
    if dtype is not None:
        save_file({key: tensor.to(dtype) for key, tensor in load_file(out / WEIGHTS).items()}, out / WEIGHTS)
    return out


def edit_config(adapter: Path, **values: Any) -> Path:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return adapter


def edit_tensors(adapter: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    tensors = load_file(adapter / WEIGHTS)
    change(tensors)
    save_file(tensors, adapter / WEIGHTS)
    return adapter


def job(base: Path | str, adapters: Path | Sequence[Path], out: Path, method: Any = "bf16", **options: Any) -> Job:
    adapters = [adapters] if isinstance(adapters, Path) else adapters
    return prepare(Request(str(base), tuple(str(one) for one in adapters), method, out, **options))


def merged(base: Path, adapters: Path | Sequence[Path], out: Path, method: Any = "bf16", **options: Any) -> Job:
    """Merge, and give what was done."""
    made = job(base, adapters, out, method, **options)
    assert made.run() is None
    return made


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, by safetensors' own reader."""
    return {key: tensor for path in sorted(folder.glob("*.safetensors")) for key, tensor in load_file(path).items()}


def peft(model: Any, adapter: Path, out: Path) -> dict[str, torch.Tensor]:
    """What PEFT's `merge_and_unload` gives and `save_pretrained` writes."""
    from peft import PeftModel

    PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().save_pretrained(out)
    return tensors(out)


def differences(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> list[str]:
    """Names that only one has, or whose type, shape or any bit differs."""
    return sorted(
        name
        for name in ours.keys() | theirs.keys()
        if name not in ours
        or name not in theirs
        or ours[name].dtype != theirs[name].dtype
        or ours[name].shape != theirs[name].shape
        or not torch.equal(ours[name].view(torch.uint8), theirs[name].view(torch.uint8))
    )
