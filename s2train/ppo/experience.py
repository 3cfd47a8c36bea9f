"""What is known of sampled answers before the policy learns from them: probabilities, values, rewards, advantages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from s2train import losses
from s2train.losses import RewardScale
from s2train.ppo.processes import Processes
from s2train.ppo.roles import POLICY, REFERENCE, REWARD, VALUE, Answers
from s2train.ppo.rollouts import Rollouts
from s2train.ppo.settings import PPO

Forward = Callable[[str, Answers, float], Tensor]
"""`Roles.forward`, or what wraps it."""


@dataclass(frozen=True, slots=True)
class Experience:
    """A step's answers, ready to be learnt from. All of shape (B, T) but where it says otherwise; fp32, on the CPU.

    Attributes:
        old: log-probabilities under the policy that sampled them.
        values: the value model's expectation at each token.
        advantages: how much better each token turned out, whitened or not.
        returns: what the value is trained on.
        scores: aspect → its reward model's score, (B,).
        rewards: of the answer, penalties for its end included, the KL not, (B,).
        kl: of the answer from the reference, nats, (B,).
        ended: whether it ended by itself, (B,), bool.
    """

    answers: Answers
    old: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    scores: Mapping[str, Tensor]
    rewards: Tensor
    kl: Tensor
    ended: Tensor


@torch.no_grad()
def measure(
    forward: Forward,
    rollouts: Rollouts,
    weights: Mapping[str, float],
    scales: Mapping[str, RewardScale],
    coefficient: float,
    settings: PPO,
    processes: Processes,
) -> Experience:
    """One pass of each role over the answers, a few at a time.

    `weights` are those of each aspect in the reward; `scales`, the running scales of their scores, take those of all
    processes into account; `coefficient` is β.
    """
    answers = rollouts.answers
    mask = answers.present
    old, reference, values = (by_token(forward, role, answers, settings) for role in (POLICY, REFERENCE, VALUE))
    scores = {aspect: by_answer(forward, REWARD + aspect, answers, settings.micro) for aspect in weights}
    scaled = [processes.mine(scales[aspect](processes.gather(scores[aspect]))) for aspect in weights]
    rewards = losses.combine(scaled, list(weights.values()))
    rewards = rewards - settings.missing_end_penalty * (~rollouts.ended).float()
    kl = losses.kl(old, reference, mask)
    token_rewards = losses.token_rewards(rewards, kl, mask, coefficient)
    if settings.whiten_rewards:
        token_rewards = losses.whiten(token_rewards, mask, shift_mean=False, total=processes.total)
    advantages, returns = losses.advantages(token_rewards, values, mask, gamma=settings.gamma, lam=settings.lam)
    if settings.whiten_advantages:
        advantages = losses.whiten(advantages, mask, total=processes.total)
    return Experience(answers, old, values, advantages, returns, scores, rewards, kl.sum(1), rollouts.ended)


def by_token(forward: Forward, role: str, answers: Answers, settings: PPO) -> Tensor:
    """(B, T), 0 where there is no token."""
    values = torch.zeros_like(answers.present)
    for rows in _batches(answers, settings.micro):
        part = answers[rows]
        outputs = forward(role, part, settings.temperature).cpu()
        values[rows, : outputs.shape[1]] = outputs * part.present
    return values


def by_answer(forward: Forward, role: str, answers: Answers, size: int, temperature: float = 1.0) -> Tensor:
    """A reward model's scores, or another role's sums over tokens, (B,); `size` answers go through it together."""
    values = torch.zeros(len(answers.tokens))
    for rows in _batches(answers, size):
        part = answers[rows]
        outputs = forward(role, part, temperature).cpu()
        values[rows] = outputs if outputs.dim() == 1 else (outputs * part.present).sum(1)
    return values


def _batches(answers: Answers, size: int) -> tuple[Tensor, ...]:
    """Rows of like length."""
    return answers.mask.sum(1).argsort(stable=True).split(size)
