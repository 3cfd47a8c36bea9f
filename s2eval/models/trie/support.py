"""Which models can be computed as a token trie with exactly the result of transformers' own attention."""

from __future__ import annotations

import inspect
from typing import Any

_LAYERS = {"full_attention", "sliding_attention"}
# Rotary embeddings whose angles depend on the longest sequence of a forward pass once it passes the trained length.
_ROPE_BY_LENGTH = {"dynamic", "longrope"}


def refusal(model: Any, longest: int) -> str | None:
    """Why sequences of up to `longest` tokens must go through hf's path; None if the trie does.

    Args:
        model: as lm-eval's hf backend holds it: a transformers model, or PEFT's wrapper around one.
        longest: tokens of the longest sequence of the call.
    """
    adapters = getattr(model, "peft_config", {}).values()
    if any(config.is_prompt_learning for config in adapters):
        return "its adapter puts virtual tokens before the prompt"
    if any(getattr(config, "alora_invocation_tokens", None) for config in adapters):
        return "its adapter acts from a place in the prompt on (aLoRA)"
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = base.config.get_text_config()
    kind = type(base).__name__
    if base.config.is_encoder_decoder:
        return f"{kind} is an encoder-decoder"
    if type(base).__module__.startswith("transformers_modules"):
        return f"{kind} is remote code"
    if not getattr(base, "_supports_attention_backend", False):
        return f"the attention of {kind} cannot be replaced"
    if "logits_to_keep" not in inspect.signature(base.forward).parameters:
        return f"{kind} computes its vocabulary head at every position"
    return _refusal_of_attention(config, kind) or _refusal_of_length(config, longest)


def _refusal_of_attention(config: Any, kind: str) -> str | None:
    if getattr(config, "attn_logit_softcapping", None):
        return f"{kind} caps its attention scores"
    if getattr(config, "alibi", False):
        return f"{kind} uses ALiBi"
    if getattr(config, "use_bidirectional_attention", False) or getattr(config, "is_causal", True) is False:
        return f"the attention of {kind} looks ahead"
    if getattr(config, "reorder_and_upcast_attn", False):
        return f"{kind} computes its attention scores in a way of its own (reorder_and_upcast_attn)"
    unknown = set(getattr(config, "layer_types", None) or ()) - _LAYERS
    return f"{kind} has layers of the kind {', '.join(sorted(unknown))}" if unknown else None


def _refusal_of_length(config: Any, longest: int) -> str | None:
    window = _window(config)
    if window is not None and longest > window:
        return f"a request of {longest} tokens is longer than the sliding window of {window}"
    rope = getattr(config, "rope_parameters", None) or {}
    ropes = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    if any(part.get("rope_type") in _ROPE_BY_LENGTH for part in ropes):
        trained = [part.get("original_max_position_embeddings") for part in ropes]
        limit = min(int(n) for n in (*trained, config.max_position_embeddings) if n)
        if longest > limit:
            return f"a request of {longest} tokens is longer than the {limit} after which its rotary embedding changes"
    return None


def _window(config: Any) -> int | None:
    """Tokens that a sliding layer sees; None where there is no such layer."""
    window = getattr(config, "sliding_window", None)
    layers = getattr(config, "layer_types", None)
    if not window or getattr(config, "use_sliding_window", True) is False:
        return None
    return int(window) if layers is None or "sliding_attention" in layers else None
