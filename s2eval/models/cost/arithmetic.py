"""The arithmetic that an evaluation cannot do without, and how fast a device does it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Share of the rate of bare products of as many rows that is reached; measured on a CPU with SmolLM2-135M in fp32:
READING = 0.75  # by the token trie: 0.73 to 0.78 on ARC, HellaSwag and TruthfulQA
FALLBACK = 0.65  # hf's path at batch size 8: 0.57 to 0.77; padding, and all logits of a batch copied and normalised
WRITING = 0.6  # answers, 1 to 100 together: 0.46 to 0.70

SECONDS, TURNS = 0.3, 3  # that the rate is measured for, at least
LONGEST = 2e10  # FLOPs of a product on a CPU; more rows would only take longer
BEYOND_CACHES = 64 << 20  # bytes of matrices that are multiplied in turn, so that they come from memory


@dataclass(frozen=True, slots=True)
class Passes:
    """Forward passes, as their arithmetic sees them: tokens, pairs of a query and a key that it sees, and rows at
    which the vocabulary head is needed."""

    tokens: int = 0
    pairs: int = 0
    rows: int = 0

    def __add__(self, other: Passes) -> Passes:
        return Passes(self.tokens + other.tokens, self.pairs + other.pairs, self.rows + other.rows)


def alone(lengths: Iterable[int], *, everywhere: bool) -> Passes:
    """Sequences of so many tokens, each by itself; the head at each of their tokens, or at the last."""
    passes = (Passes(length, length * (length + 1) // 2, length if everywhere else 1) for length in lengths)
    return sum(passes, Passes())


@dataclass(frozen=True, slots=True)
class Counts:
    """What some requests of one kind come to, with one model.

    Attributes:
        truncated: requests that are longer than the model's context and cut from the left.
        naive: tokens to read if each request is by itself.
        read: what is read: the trie, or on hf's path its own batches.
        written: answers, at most.
        checks: the backend's comparison of the first document with hf's path.
        longest: tokens of the longest sequence, with its answer.
        fallbacks: reason → requests that go through hf's path for it.
    """

    requests: int = 0
    truncated: int = 0
    naive: int = 0
    read: Passes = field(default_factory=Passes)
    written: Passes = field(default_factory=Passes)
    checks: Passes = field(default_factory=Passes)
    longest: int = 0
    fallbacks: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, as its arithmetic sees it.

    Attributes:
        linear: weights that a token is multiplied with in the layers; of experts, those that it goes through.
        layers: how many.
        attention: query heads × their size.
        hidden, inner: sizes of a layer's largest matrix.
        vocabulary: rows of the vocabulary head.
    """

    linear: int
    layers: int
    attention: int
    hidden: int
    inner: int
    vocabulary: int

    def flops(self, passes: Passes) -> float:
        """2 × linear × tokens + 4 × attention × pairs × layers + 2 × hidden × vocabulary × rows.

        Norms, rotary angles and softmax are not counted.
        """
        attention = 4.0 * self.attention * passes.pairs * self.layers
        return 2.0 * self.linear * passes.tokens + attention + 2.0 * self.hidden * self.vocabulary * passes.rows


def shape(model: PreTrainedModel) -> Shape:
    """Of a transformers model, or PEFT's wrapper around one; its weights may be on the `meta` device."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 0
    size = getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else 0)
    ends = [module for module in (model.get_input_embeddings(), model.get_output_embeddings()) if module is not None]
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]  # looked up, not multiplied
    others = {id(weight) for module in (*ends, *tables) for weight in module.parameters()}
    experts = getattr(config, "num_experts_per_tok", None)  # transformers keeps a layer's experts in one tensor
    linear = 0
    for weight in model.parameters():
        if weight.ndim >= 2 and id(weight) not in others:
            linear += weight[0].numel() * min(experts, len(weight)) if experts and weight.ndim == 3 else weight.numel()
    return Shape(
        linear=linear,
        layers=config.num_hidden_layers,
        attention=heads * size,
        hidden=config.hidden_size,
        inner=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        vocabulary=config.vocab_size,
    )


@torch.no_grad()
def rate(of: Shape, rows: int, dtype: torch.dtype, device: torch.device) -> float:
    """FLOPs a second of bare products of `rows` tokens with the model's largest matrix, on a device, at its best."""
    if device.type == "cpu":
        rows = min(rows, max(int(LONGEST / (2 * of.hidden * of.inner)), 64))
    copies = max(BEYOND_CACHES // (of.hidden * of.inner * dtype.itemsize), 1)
    weights = torch.randn(min(copies, of.layers), of.inner, of.hidden, device=device).to(dtype).transpose(1, 2)
    tokens = torch.randn(rows, of.hidden, device=device).to(dtype)
    out = torch.empty(rows, of.inner, device=device, dtype=dtype)
    flops, best, until, turns = 2.0 * rows * weights.numel(), 0.0, time.perf_counter() + SECONDS, 0
    while turns < TURNS or time.perf_counter() < until:
        started, turns = time.perf_counter(), turns + 1
        for weight in weights:
            torch.mm(tokens, weight, out=out)
        out[0, 0].item()  # waits for the device
        best = max(best, flops / (time.perf_counter() - started))
    return best
