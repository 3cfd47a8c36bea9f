"""What training optimises, as pure functions of tensors: advantages, clipped losses, penalties, preferences.

Shapes: B answers of T tokens at most; a mask (B, T) is 1 where the answer has a token, which is from its first token to
its end-of-text, and 0 after it. Nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


# --- log-probabilities ---


def log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """log π(token | before), (B, T), of logits (B, T, V) that stand one place before their tokens (B, T); in fp32."""
    logits = logits.float()
    return logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """Σ values · mask / Σ mask; 0 where the mask is empty."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def whiten(
    values: Tensor,
    mask: Tensor,
    *,
    shift_mean: bool = True,
    epsilon: float = 1e-8,
    total: Callable[[Tensor], Tensor] = lambda tensor: tensor,
) -> Tensor:
    """(values - μ) / √(σ² + ε) over what the mask keeps, σ² with Bessel's correction; 0 elsewhere.

    `shift_mean` False leaves the mean where it was, which is how rewards are whitened (Ouyang et al. 2022's code).
    `total` sums over the processes that train together.
    """
    count = total(mask.sum())
    centre = total((values * mask).sum()) / count.clamp(min=1)
    variance = total(((values - centre) ** 2 * mask).sum()) / (count - 1).clamp(min=1)
    whitened = (values - centre) / (variance + epsilon).sqrt()
    return (whitened if shift_mean else whitened + centre) * mask


# --- rewards ---


def kl(policy: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Estimate KL(policy ‖ reference) of each token as log π - log π_ref, (B, T): Schulman's k1, "Approximating KL
    divergence" (2020), unbiased where the tokens were sampled from the policy."""
    return (policy - reference) * mask


def token_rewards(scores: Tensor, penalties: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """R(x, y) = r(x, y) - β KL, token by token, (B, T): the penalty everywhere, the score (B,) at the last token.

    Source: Ziegler et al. 2019 (arXiv 1909.08593), equation 2. An answer without a token has no reward.
    """
    rewards = -coefficient * penalties * mask
    last = mask.sum(1).long() - 1
    rows = (last >= 0).nonzero()[:, 0]
    rewards[rows, last[rows]] = rewards[rows, last[rows]] + scores[rows].to(rewards)
    return rewards


def combine(scores: list[Tensor], weights: list[float]) -> Tensor:
    """Σ wᵢ rᵢ, (B,), of several rewards."""
    if len(scores) != len(weights) or not scores:
        raise ValueError(f"{len(scores)} rewards, but {len(weights)} weights")
    total = weights[0] * scores[0]
    for score, weight in zip(scores[1:], weights[1:], strict=True):
        total = total + weight * score
    return total


@dataclass(slots=True)
class AdaptiveKL:
    """A coefficient β that keeps the KL of answers near a target.

    e = clip(KL / target - 1, -0.2, 0.2); β ← β (1 + e · answers / horizon). Source: Ziegler et al. 2019, section 2.2.

    Attributes:
        coefficient: β.
        target: nats an answer; None: β is fixed.
        horizon: answers after which β has changed by the error, about.
    """

    coefficient: float
    target: float | None = None
    horizon: int = 10_000

    def update(self, measured: float, answers: int) -> None:
        """Adapt to the KL of so many answers, in nats an answer."""
        if self.target is not None:
            error = min(0.2, max(-0.2, measured / self.target - 1))
            self.coefficient *= 1 + error * answers / self.horizon


@dataclass(slots=True)
class RewardScale:
    """Scores divided by their running standard deviation, then clipped; Welford's algorithm over batches.

    `clip` is the largest absolute value that leaves, None any; without `scale` scores are only clipped.
    """

    clip: float | None = None
    scale: bool = True
    count: int = 0
    centre: float = 0.0
    squares: float = 0.0

    def __call__(self, scores: Tensor) -> Tensor:
        """Take a batch (B,) into account, and return it scaled."""
        if self.scale:
            batch = scores.double()
            number, centre = batch.numel(), float(batch.mean())
            total, shift = self.count + number, centre - self.centre
            self.squares += float(((batch - centre) ** 2).sum()) + shift**2 * self.count * number / total
            self.centre += shift * number / total
            self.count = total
            scores = scores / self.deviation
        return scores if self.clip is None else scores.clamp(-self.clip, self.clip)

    @property
    def deviation(self) -> float:
        """√(Σ(r - μ)² / (n - 1)); 1 as long as there is none."""
        return (self.squares / (self.count - 1)) ** 0.5 or 1.0 if self.count > 1 else 1.0


# --- PPO ---


def advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float = 1.0, lam: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation, and the returns A + V that the value is trained on; both (B, T).

    δ_t = r_t + γ V_{t+1} - V_t, A_t = δ_t + γ λ A_{t+1}, with V = 0 after the last token.
    Source: Schulman et al. 2016 (arXiv 1506.02438), equation 16.
    """
    import torch

    result = torch.zeros_like(rewards)
    later = torch.zeros_like(rewards[:, 0])
    following = torch.zeros_like(rewards[:, 0])
    for step in range(rewards.shape[1] - 1, -1, -1):
        present = mask[:, step]
        delta = rewards[:, step] + gamma * following - values[:, step]
        later = (delta + gamma * lam * later) * present
        following = values[:, step] * present
        result[:, step] = later
    return result, (result + values) * mask


class Clipped(NamedTuple):
    """A loss, and the share of tokens at which clipping decided."""

    loss: Tensor
    clipped: Tensor


def policy_loss(policy: Tensor, old: Tensor, advantage: Tensor, mask: Tensor, *, clip: float = 0.2) -> Clipped:
    """-E min(ρ A, clip(ρ, 1 - ε, 1 + ε) A), with ρ = π / π_old of each token.

    Source: Schulman et al. 2017 (arXiv 1707.06347), equation 7.
    """
    import torch

    ratio = (policy - old).exp()
    free, bound = -advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip)
    return Clipped(mean(torch.maximum(free, bound), mask), mean((bound > free).to(mask), mask))


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, *, clip: float | None = 0.2) -> Clipped:
    """½ E max((V - R)², (V_old + clip(V - V_old, -ε, ε) - R)²); `clip` None = ½ E (V - R)².

    Source: the code of Schulman et al. 2017, which the paper does not print; Engstrom et al. 2020 (arXiv 2005.12729),
    section 3.
    """
    import torch

    free = (values - returns) ** 2
    if clip is None:
        return Clipped(0.5 * mean(free, mask), torch.zeros_like(mask.sum()))
    bound = (old + (values - old).clamp(-clip, clip) - returns) ** 2
    return Clipped(0.5 * mean(torch.maximum(free, bound), mask), mean((bound > free).to(mask), mask))


# --- preferences ---


def preference_loss(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None, *, centring: float = 0.0) -> Tensor:
    """-E log σ(r_chosen - r_rejected - m) + c E (r_chosen + r_rejected)², of rewards (B,).

    Sources: Ouyang et al. 2022 (arXiv 2203.02155), equation 1; the margin m: Touvron et al. 2023 (arXiv 2307.09288),
    equation 2; the centring: Eisenstein et al. 2023 (arXiv 2312.09244), section 3.1.
    """
    from torch.nn.functional import logsigmoid

    apart = chosen - rejected if margin is None else chosen - rejected - margin
    loss = -logsigmoid(apart).mean()
    return loss + centring * ((chosen + rejected) ** 2).mean() if centring else loss
