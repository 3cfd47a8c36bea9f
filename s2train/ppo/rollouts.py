"""Answers sampled from the policy by the evaluation's batched generator; none depends on what is sampled beside it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from s2eval.models.backend import generation
from s2eval.models.backend.decoding import Decoding
from s2eval.models.cost import memory
from s2eval.models.trie import support
from s2eval.models.trie.engine import Engine
from s2train.ppo.roles import POLICY, Answers, Roles
from s2train.ppo.settings import PPO


@dataclass(frozen=True, slots=True)
class Rollouts:
    """Sampled answers as tensors on the CPU, and whether each ended by itself, (B,), bool."""

    answers: Answers
    ended: torch.Tensor


def sample(
    roles: Roles, prompts: Sequence[Sequence[int]], keys: Sequence[str], ends: frozenset[int], settings: PPO, pad: int
) -> Rollouts:
    """One answer to each prompt, which must fit into the context with it.

    The random numbers of each depend on its key; the token of `ends` that ends an answer is part of it; `pad` fills
    up. With a temperature of 0 the most probable token is taken.
    """
    roles.eval()
    with roles.acting(POLICY) as causal, torch.no_grad():
        longest = max(len(prompt) for prompt in prompts) + settings.max_new_tokens
        if support.refusal(causal, longest):
            new = _generated(causal, prompts, keys, ends, settings, pad)
        else:
            decoding = Decoding(settings.temperature, settings.top_k, settings.top_p)
            requests = [
                generation.Prompt(list(prompt), settings.max_new_tokens, decoding, ends, random=random.Random(key))
                for prompt, key in zip(prompts, keys, strict=True)
            ]
            engine = Engine(causal, *memory.budgets(causal), flex=causal.device.type == "cuda")
            new: list[list[int]] = [[] for _ in prompts]
            for answer in generation.answer(engine, requests, memory.width(causal, longest)):
                new[answer.number] = answer.tokens
    ended = torch.tensor([tokens[-1] in ends for tokens in new])
    return Rollouts(arrange(prompts, new, pad), ended)


def arrange(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], pad: int) -> Answers:
    """Prompts padded on their left, answers on their right; both hold one token or more."""
    width, length = max(map(len, prompts)), max(map(len, answers))
    tokens = torch.full((len(prompts), width + length), pad)
    mask = torch.zeros_like(tokens)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        here = slice(width - len(prompt), width + len(answer))
        tokens[row, here] = torch.tensor([*prompt, *answer])
        mask[row, here] = 1
    return Answers(tokens, mask, width)


def _generated(
    causal: Any, prompts: Sequence[Sequence[int]], keys: Sequence[str], ends: frozenset[int], settings: PPO, pad: int
) -> list[list[int]]:
    """By transformers' own loop, for architectures that the generator does not know."""
    batch = arrange(prompts, [[pad]] * len(prompts), pad).to(causal.device)
    width = batch.width
    with torch.random.fork_rng():
        torch.manual_seed(random.Random("".join(keys)).getrandbits(63))
        generated = causal.generate(
            input_ids=batch.tokens[:, :width],
            attention_mask=batch.mask[:, :width],
            max_new_tokens=settings.max_new_tokens,
            do_sample=settings.temperature > 0,
            temperature=settings.temperature or None,
            top_k=settings.top_k,
            top_p=settings.top_p,
            eos_token_id=sorted(ends),
            pad_token_id=pad,
        )[:, width:].tolist()
    return [row[: next((n + 1 for n, token in enumerate(row) if token in ends), len(row))] for row in generated]
