"""Bytes: how much a forward pass may hold at once, from the memory that is free, and what an evaluation takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

# A processor is as fast with 512 tokens a pass as with more, and its caches hold them; an accelerator wants more.
MOST_TOKENS = {"cpu": 512}
MOST_TOKENS_ELSEWHERE = 8192
# Wider is faster up to a point; then the keys of all rows fall out of every cache.
MOST_ROWS = {"cpu": 128}
MOST_ROWS_ELSEWHERE = 512
SHARE = 0.5  # of the free memory; the rest is for what PyTorch keeps besides
SCALES = 1 / 16  # bytes a quantised weight takes besides its bits: a scale of 4 bytes for every 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model's parts take: the activations of a token that live at the same time in a layer, with room; the
    logits of a vocabulary row, and a part of them normalised; keys and values of a token in all layers."""

    token: int
    row: int
    keys: int

    def budgets(self, device: torch.device, free: int) -> tuple[int, int]:
        """Tokens and vocabulary rows of one forward pass."""
        most = MOST_TOKENS.get(device.type, MOST_TOKENS_ELSEWHERE)
        tokens = max(min(most, int(SHARE * free / 2 / self.token)), 32)
        return tokens, max(min(tokens, int(SHARE * free / 2 / self.row)), 32)

    def width(self, device: torch.device, longest: int, free: int) -> int:
        """Answers that are decoded together, where the longest prompt with its answer has so many tokens."""
        most = MOST_ROWS.get(device.type, MOST_ROWS_ELSEWHERE)
        return max(min(most, int(SHARE * free / max(self.keys * longest, 1))), 1)

    def fallback(self, tokens: int, rows: int) -> int:
        """What hf's path holds for a batch; of its log-softmax, the last batch's too until the next one's is made."""
        return tokens * (self.token + self.keys) + rows * self.row * 3 // 2


def sizes(config: PreTrainedConfig, dtype: torch.dtype) -> Sizes:
    """The sizes of a transformers model computed in `dtype`."""
    config = config.get_text_config()
    hidden, size = config.hidden_size, dtype.itemsize
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    heads = getattr(config, "num_attention_heads", None) or 0  # a model without attention stores no keys
    groups = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or (hidden // heads if heads else 0)
    return Sizes(
        token=size * (16 * hidden + 4 * inner),
        row=config.vocab_size * (size + 4),
        keys=2 * config.num_hidden_layers * groups * width * size,
    )


def budgets(model: PreTrainedModel) -> tuple[int, int]:
    """`Sizes.budgets` of a loaded model, from the memory that is free on its device now."""
    return sizes(model.config, model.dtype).budgets(model.device, free_bytes(model.device))


def width(model: PreTrainedModel, longest: int) -> int:
    """`Sizes.width` of a loaded model, from the memory that is free on its device now."""
    return sizes(model.config, model.dtype).width(model.device, longest, free_bytes(model.device))


def weights(model: PreTrainedModel, bits: float | None = None) -> int:
    """Bytes of all parameters, each once, and of the buffers; the model may be on the `meta` device. With `bits`,
    every linear layer but the vocabulary head is quantised."""
    head = model.get_output_embeddings()
    small = {
        id(module.weight): module.weight.numel()
        for module in model.modules()
        if bits and isinstance(module, nn.Linear) and module is not head
    }
    total = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()) if id(tensor) not in small)
    return total + round(sum(small.values()) * ((bits or 0) / 8 + SCALES))


def bits(quantization: object, arguments: Mapping[str, object]) -> int | None:
    """Bits of a quantised weight, by the checkpoint's own configuration or the model's arguments."""
    own = quantization if isinstance(quantization, Mapping) else getattr(quantization, "to_dict", dict)()
    options = {**own, **arguments}
    by_method = {"mxfp4": 4, "fp8": 8, "fbgemm_fp8": 8}.get(str(options.get("quant_method")).rpartition(".")[2].lower())
    return 4 if options.get("load_in_4bit") else 8 if options.get("load_in_8bit") else options.get("bits") or by_method


def free_bytes(device: torch.device) -> int:
    """What is free on a device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
