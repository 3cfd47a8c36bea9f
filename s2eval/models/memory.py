"""How much a forward pass may hold at once, from the memory that is free."""

from __future__ import annotations

from typing import Any

import psutil
import torch

# A processor is as fast with 512 tokens a pass as with more, and its caches hold them; an accelerator wants more.
MOST_TOKENS = {"cpu": 512}
MOST_TOKENS_ELSEWHERE = 8192
# Wider is faster up to a point; then the keys of all rows fall out of every cache.
MOST_ROWS = {"cpu": 128}
MOST_ROWS_ELSEWHERE = 512
SHARE = 0.5  # of the free memory; the rest is for what PyTorch keeps besides


def budgets(model: Any, free: int | None = None) -> tuple[int, int]:
    """Tokens and vocabulary rows of one forward pass.

    Args:
        model: a loaded causal language model.
        free: bytes; None = what is free on its device now.
    """
    config, device = model.config.get_text_config(), model.device
    size = model.dtype.itemsize
    hidden = config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    of_token = size * (16 * hidden + 4 * inner)  # activations that live at the same time in a layer, with room
    of_row = config.vocab_size * (size + 4)  # logits, and a part of them normalised
    room = SHARE * (free_bytes(device) if free is None else free)
    most = MOST_TOKENS.get(device.type, MOST_TOKENS_ELSEWHERE)
    tokens = max(min(most, int(room / 2 / of_token)), 32)
    return tokens, max(min(tokens, int(room / 2 / of_row)), 32)


def width(model: Any, longest: int, free: int | None = None) -> int:
    """Answers that are decoded together.

    Args:
        longest: tokens of the longest prompt with its answer.
        free: bytes; None = what is free on its device now.
    """
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    of_row = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize * longest
    room = SHARE * (free_bytes(model.device) if free is None else free)
    return max(min(MOST_ROWS.get(model.device.type, MOST_ROWS_ELSEWHERE), int(room / of_row)), 1)


def free_bytes(device: torch.device) -> int:
    """What is free on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
