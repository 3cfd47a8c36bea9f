"""Tiny random models of the architectures that people fine-tune, with weights large enough that context matters."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

_COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GROUPED: dict[str, Any] = {
    **_COMMON,
    "intermediate_size": 64,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
_PLAIN: dict[str, Any] = {**_COMMON, "max_position_embeddings": 256}

# name → (transformers' model type, its configuration, a word of why it goes through hf's path; "" = trie)
ARCHITECTURES: dict[str, tuple[str, dict[str, Any], str]] = {
    "llama": ("llama", _GROUPED, ""),
    "smollm2": ("llama", {**_GROUPED, "num_attention_heads": 6, "hidden_size": 48, "tie_word_embeddings": True}, ""),
    "mistral": ("mistral", {**_GROUPED, "sliding_window": None}, ""),
    "mistral with a window": ("mistral", {**_GROUPED, "sliding_window": 16}, "sliding window"),
    "qwen2": ("qwen2", _GROUPED, ""),
    "qwen2.5": ("qwen2", {**_GROUPED, "tie_word_embeddings": True, "rope_theta": 1_000_000.0}, ""),
    "qwen3": ("qwen3", {**_GROUPED, "head_dim": 16}, ""),
    "gemma2": ("gemma2", {**_GROUPED, "head_dim": 8}, "caps"),
    "gemma3": ("gemma3_text", {**_GROUPED, "head_dim": 8, "sliding_window": 200}, ""),
    "gemma3 with a window": ("gemma3_text", {**_GROUPED, "head_dim": 8, "sliding_window": 16}, "sliding window"),
    "phi3": ("phi3", {**_GROUPED, "sliding_window": None}, ""),
    "gpt2": (
        "gpt2",
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, **_COMMON},
        "",
    ),
    "gpt-neox": ("gpt_neox", {**_PLAIN, "intermediate_size": 64}, ""),
    "opt": ("opt", {**_PLAIN, "ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.3}, ""),
    "falcon": ("falcon", _COMMON, "cannot be replaced"),
    "falcon with alibi": ("falcon", {**_COMMON, "alibi": True}, "cannot be replaced"),
    "bloom": ("bloom", {"n_layer": 2, "n_head": 4, **_COMMON}, "cannot be replaced"),
}


def make(name: str, vocabulary: int) -> Any:
    """A model of that architecture, the same at every call."""
    kind, settings, _ = ARCHITECTURES[name]
    torch.manual_seed(0)
    config: Any = CONFIG_MAPPING[kind]
    return AutoModelForCausalLM.from_config(config(vocab_size=vocabulary, **settings)).eval()
