"""Real adapters for tests, made with PEFT; random steps away from the initial weights stand for a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import IA3Config, LoraConfig, PeftConfig, PrefixTuningConfig, PromptTuningConfig
from safetensors.torch import load_file, save_file

TOKENS = torch.arange(5, 900, 40)[None]
WEIGHTS = "adapter_model.safetensors"


def load(folder: Path) -> Any:
    """A transformers model in fp32."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def train(base: Path, config: Any, out: Path, *, seed: int = 0, step: float = 0.05) -> Any:
    """Write an adapter whose trainable weights are a random step away from where they began; gives its model.

    Args:
        config: PEFT's.
        step: standard deviation; 0 for an adapter that was never trained.
    """
    from peft import get_peft_model

    torch.manual_seed(seed)
    model: Any = get_peft_model(load(base), config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(step * torch.randn_like(parameter))
    model.save_pretrained(out)
    return model.eval()


def change(adapter: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Edit the tensors of an adapter's file."""
    tensors = load_file(adapter / WEIGHTS)
    edit(tensors)
    save_file(tensors, adapter / WEIGHTS)


def lora(**options: Any) -> LoraConfig:
    return LoraConfig(**{"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, **options})


KINDS: dict[str, Callable[[], PeftConfig]] = {
    "lora": lora,
    "dora": lambda: lora(use_dora=True),
    "rank_pattern": lambda: lora(rank_pattern={"q_proj": 2}, alpha_pattern={"v_proj": 3}, use_rslora=True),
    "all linears": lambda: lora(target_modules="all-linear"),
    "modules_to_save: head": lambda: lora(modules_to_save=["lm_head"]),
    "modules_to_save: embeddings": lambda: lora(modules_to_save=["embed_tokens"]),
    "modules_to_save: both": lambda: lora(modules_to_save=["embed_tokens", "lm_head"]),
    "lora on embeddings": lambda: lora(target_modules=["q_proj", "embed_tokens"]),
    "some tokens": lambda: lora(trainable_token_indices=[7, 11]),
    "a parameter": lambda: lora(target_modules=[], target_parameters=["q_proj.weight"]),
    "ia3": lambda: IA3Config(task_type="CAUSAL_LM"),
    "prompt": lambda: PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "prefix": lambda: PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
}
