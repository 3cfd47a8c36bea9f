"""How the next token is chosen: the settings of a request, and the choice itself."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import GenerationConfig, MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Fields of a generation configuration that are handled here, or that do not change which tokens come out.
_KNOWN = frozenset(
    (
        *("do_sample", "temperature", "top_k", "top_p", "min_p", "eos_token_id"),
        *("bos_token_id", "pad_token_id", "decoder_start_token_id", "max_length", "max_new_tokens"),
        *("early_stopping", "length_penalty", "use_cache", "cache_implementation", "cache_config"),
        *("transformers_version", "renormalize_logits", "remove_invalid_values"),
    )
)


@dataclass(frozen=True, slots=True)
class Decoding:
    """Greedy where `temperature` is 0, else sampling from what the three limits leave (none at 0, 1 and 0)."""

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0


def read(model: PreTrainedModel, kwargs: Mapping[str, Any]) -> tuple[Decoding, frozenset[int]] | str:
    """The settings that `model.generate(**kwargs)` would follow, and the ids of the tokens that end an answer.

    As in transformers, the call's arguments come before the checkpoint's generation_config.json, and that before the
    library's defaults. A string names what only transformers' own loop can do.
    """
    config = GenerationConfig()
    config.update(**model.generation_config.to_dict(), defaults_only=True, allow_custom_entries=True)
    defaults = GenerationConfig._get_default_generation_params()
    config.update(**defaults, defaults_only=True)
    settings = dict(kwargs)
    if not settings.get("do_sample", config.do_sample):
        settings.pop("temperature", None)  # tasks say 0, at which transformers warns
    if unknown := config.update(**settings):
        return f"generation argument {', '.join(sorted(unknown))}"
    for name, value in sorted(config.to_dict().items()):
        neutral = value in (None, defaults.get(name), False, {}) or name.startswith(("output_", "return_", "_"))
        if name not in _KNOWN and not neutral:
            return f"{name}={value}"
    ends = config.eos_token_id
    ids = frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])
    if not config.do_sample:
        return Decoding(), ids
    return Decoding(config.temperature, config.top_k or 0, config.top_p, config.min_p or 0.0), ids


def generator(prompt: str, repeat: int) -> random.Random:
    """The random numbers of one request: they depend on PyTorch's seed (`--seed`), the prompt and which repeat of it
    this is, and on nothing that is computed beside it."""
    text = f"{torch.initial_seed()}\0{repeat}\0{prompt}"
    return random.Random(hashlib.sha256(text.encode()).digest())


def choose(logits: Tensor, decoding: Decoding, randoms: list[random.Random]) -> Tensor:
    """The next token of each row of (B, V) logits; each row's random source gives one number if `decoding` samples."""
    if decoding.temperature == 0.0:
        return logits.argmax(-1)
    scores = logits.float()
    warpers: tuple[Any, ...] = (  # transformers' own, in its order
        TemperatureLogitsWarper(decoding.temperature) if decoding.temperature != 1.0 else None,
        TopKLogitsWarper(top_k=decoding.top_k) if decoding.top_k else None,
        TopPLogitsWarper(top_p=decoding.top_p) if decoding.top_p < 1.0 else None,
        MinPLogitsWarper(min_p=decoding.min_p) if decoding.min_p else None,
    )
    for warp in filter(None, warpers):
        scores = warp(None, scores)
    mass = scores.double().softmax(-1).cumsum(-1)
    points = torch.tensor([[source.random()] for source in randoms], dtype=mass.dtype, device=mass.device)
    return torch.searchsorted(mass, points * mass[:, -1:], right=True).clamp_(max=mass.shape[1] - 1)[:, 0]
