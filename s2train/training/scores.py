"""Rewards of token sequences, in batches of about equal length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def batched_scores(
    score: Callable[[Tensor, Tensor], Tensor], sequences: Sequence[Sequence[int]], padding: int, batch: int
) -> list[float]:
    """One number a sequence, in their order; padded on the right, `batch` sequences of like length together.

    `score` takes (tokens, mask), both (B, T) on the CPU, to (B,).
    """
    import torch

    rewards = [0.0] * len(sequences)
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    with torch.no_grad():
        for start in range(0, len(order), batch):
            numbers = order[start : start + batch]
            width = max(len(sequences[number]) for number in numbers)
            tokens = torch.full((len(numbers), width), padding)
            mask = torch.zeros_like(tokens)
            for row, number in enumerate(numbers):
                length = len(sequences[number])
                tokens[row, :length] = torch.as_tensor(sequences[number])
                mask[row, :length] = 1
            for number, reward in zip(numbers, score(tokens, mask).float().tolist(), strict=True):
                rewards[number] = reward
    return rewards


def reward_scores(model: PreTrainedModel, sequences: Sequence[Sequence[int]], padding: int, batch: int) -> list[float]:
    """Rewards by a sequence classifier with one output, in evaluation mode."""

    def score(tokens: Tensor, mask: Tensor) -> Tensor:
        return model(input_ids=tokens.to(model.device), attention_mask=mask.to(model.device)).logits[:, 0]

    training = model.training
    model.eval()
    rewards = batched_scores(score, sequences, padding, batch)
    model.train(training)
    return rewards
