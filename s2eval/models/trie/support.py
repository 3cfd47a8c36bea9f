"""Which models can be computed as a token trie with exactly the result of transformers' own attention."""

from __future__ import annotations

import inspect
from typing import Any

_LAYERS = {"full_attention", "sliding_attention"}
# Rotary embeddings whose angles depend on the longest sequence of a forward pass once it passes the trained length.
_ROPE_BY_LENGTH = {"dynamic", "longrope"}


def refusal(model: Any, longest: int) -> str | None:
    """Why sequences of up to `longest` tokens must go through hf's path; None if the trie does. The model may be
    PEFT's wrapper around one."""
    adapters = getattr(model, "peft_config", {}).values()
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = base.config.get_text_config()
    kind = type(base).__name__

    def has(name: str) -> bool:
        return bool(getattr(config, name, None))

    unknown = set(getattr(config, "layer_types", None) or ()) - _LAYERS
    looks_ahead = has("use_bidirectional_attention") or getattr(config, "is_causal", True) is False
    reasons = {
        "its adapter puts virtual tokens before the prompt": any(part.is_prompt_learning for part in adapters),
        "its adapter acts from a place in the prompt on (aLoRA)": any(
            getattr(part, "alora_invocation_tokens", None) for part in adapters
        ),
        f"{kind} is an encoder-decoder": base.config.is_encoder_decoder,
        f"{kind} is remote code": type(base).__module__.startswith("transformers_modules"),
        f"the attention of {kind} cannot be replaced": not getattr(base, "_supports_attention_backend", False),
        f"{kind} computes its vocabulary head at every position": "logits_to_keep"
        not in inspect.signature(base.forward).parameters,
        f"{kind} caps its attention scores": has("attn_logit_softcapping"),
        f"{kind} uses ALiBi": has("alibi"),
        f"the attention of {kind} looks ahead": looks_ahead,
        f"{kind} computes its attention scores in a way of its own (reorder_and_upcast_attn)": has(
            "reorder_and_upcast_attn"
        ),
        f"{kind} has layers of the kind {', '.join(sorted(unknown))}": bool(unknown),
    }
    return next((reason for reason, applies in reasons.items() if applies), None) or _too_long(config, longest)


def _too_long(config: Any, longest: int) -> str | None:
    window, layers = getattr(config, "sliding_window", None), getattr(config, "layer_types", None)
    slides = getattr(config, "use_sliding_window", True) is not False
    if window and slides and (layers is None or "sliding_attention" in layers) and longest > int(window):
        return f"a request of {longest} tokens is longer than the sliding window of {int(window)}"
    rope = getattr(config, "rope_parameters", None) or {}
    ropes = [rope, *(part for part in rope.values() if isinstance(part, dict))]
    if any(part.get("rope_type") in _ROPE_BY_LENGTH for part in ropes):
        trained = [part.get("original_max_position_embeddings") for part in ropes]
        limit = min(int(n) for n in (*trained, config.max_position_embeddings) if n)
        if longest > limit:
            return f"a request of {longest} tokens is longer than the {limit} after which its rotary embedding changes"
    return None
