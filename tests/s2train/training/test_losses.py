"""The losses, by hand."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest
import torch
from torch import tensor

from s2train.losses import (
    AdaptiveKL,
    RewardScale,
    advantages,
    combine,
    kl,
    log_probabilities,
    mean,
    policy_loss,
    preference_loss,
    token_rewards,
    value_loss,
    whiten,
)

ALL = torch.ones(1, 3)


def test_log_probabilities_are_those_of_the_tokens() -> None:
    logits = tensor([[[0.0, log(3.0)], [log(4.0), 0.0]]])  # 1/4, 3/4; 4/5, 1/5
    found = log_probabilities(logits, tensor([[1, 1]]))
    assert found.tolist()[0] == pytest.approx([log(3 / 4), log(1 / 5)])
    assert log_probabilities(logits.bfloat16(), tensor([[1, 1]])).dtype == torch.float32


def test_a_mean_is_of_what_the_mask_keeps() -> None:
    assert mean(tensor([[1.0, 2.0, 9.0]]), tensor([[1.0, 1.0, 0.0]])).item() == 1.5
    assert mean(ALL, 0 * ALL).item() == 0


def test_whitening() -> None:
    values, mask = tensor([[1.0, 3.0, 100.0]]), tensor([[1.0, 1.0, 0.0]])  # μ = 2, σ² = (1 + 1) / (2 - 1)
    assert whiten(values, mask).tolist()[0] == pytest.approx([-1 / sqrt(2), 1 / sqrt(2), 0])
    assert whiten(values, mask, shift_mean=False).tolist()[0] == pytest.approx([2 - 1 / sqrt(2), 2 + 1 / sqrt(2), 0])


def test_rewards_of_tokens() -> None:
    mask = tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    penalties = kl(torch.full((3, 3), -1.0), torch.full((3, 3), -1.5), mask)  # 0.5 where there is a token
    assert penalties.tolist() == [[0.5, 0.5, 0.0], [0.5, 0.5, 0.5], [0.0, 0.0, 0.0]]
    rewards = token_rewards(tensor([2.0, -1.0, 7.0]), penalties, mask, coefficient=0.1)
    expected = tensor([[-0.05, 1.95, 0.0], [-0.05, -0.05, -1.05], [0.0, 0.0, 0.0]])
    assert torch.allclose(rewards, expected)


def test_several_rewards_are_weighted() -> None:
    assert combine([tensor([1.0, 2.0]), tensor([10.0, 20.0])], [1.0, 0.5]).tolist() == [6.0, 12.0]
    with pytest.raises(ValueError, match="1 rewards, but 2 weights"):
        combine([tensor([1.0])], [1.0, 2.0])


def test_the_coefficient_follows_the_kl() -> None:
    adaptive = AdaptiveKL(0.2, target=6.0, horizon=1000)
    adaptive.update(6.6, answers=100)  # 10% over: 0.2 × (1 + 0.1 × 100 / 1000)
    assert adaptive.coefficient == pytest.approx(0.202)
    adaptive.update(60.0, answers=100)  # clipped at 20%
    assert adaptive.coefficient == pytest.approx(0.202 * 1.02)
    fixed = AdaptiveKL(0.2)
    fixed.update(60.0, answers=100)
    assert fixed.coefficient == 0.2


def test_scores_are_divided_by_the_deviation_of_all_that_came() -> None:
    scale = RewardScale(clip=1.0)
    assert scale(tensor([1.0, 3.0])).tolist() == pytest.approx([1 / sqrt(2), 1.0])  # 3 / √2 is clipped
    scale(tensor([5.0, 7.0]))
    assert scale.deviation == pytest.approx(sqrt(20 / 3))  # 1, 3, 5, 7: μ = 4, squares 9 + 1 + 1 + 9
    assert RewardScale(clip=0.5, scale=False)(tensor([-3.0, 0.2])).tolist() == pytest.approx([-0.5, 0.2])
    assert RewardScale()(tensor([4.0])).tolist() == [4.0]  # one score has no deviation


def test_advantages_by_hand() -> None:
    rewards, values = tensor([[0.0, 1.0, 50.0]]), tensor([[0.5, 0.25, 60.0]])
    mask = tensor([[1.0, 1.0, 0.0]])
    found, returns = advantages(rewards, values, mask, gamma=0.9, lam=0.5)
    last = 1.0 - 0.25  # δ of the last token: nothing follows
    first = 0.9 * 0.25 - 0.5 + 0.9 * 0.5 * last
    assert found.tolist()[0] == pytest.approx([first, last, 0.0])
    assert returns.tolist()[0] == pytest.approx([first + 0.5, last + 0.25, 0.0])


def test_with_lambda_one_returns_are_sums_of_rewards() -> None:
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(4, 7, generator=generator), torch.randn(4, 7, generator=generator)
    _, returns = advantages(rewards, values, torch.ones(4, 7), gamma=1.0, lam=1.0)
    assert torch.allclose(returns, rewards.flip(1).cumsum(1).flip(1), atol=1e-5)


def test_the_policys_loss_is_clipped_on_the_side_that_would_gain() -> None:
    ratios = tensor([[1.5, 1.5, 0.5]])
    found = policy_loss(ratios.log(), torch.zeros(1, 3), tensor([[1.0, -1.0, 1.0]]), ALL, clip=0.2)
    # 1.5 with A = 1 is cut to 1.2; with A = -1 it is not; 0.5 with A = 1 is not
    assert found.loss.item() == pytest.approx((-1.2 + 1.5 - 0.5) / 3)
    assert found.clipped.item() == pytest.approx(1 / 3)


def test_the_policys_gradient_at_the_start_is_the_plain_one() -> None:
    policy = torch.zeros(1, 3, requires_grad=True)
    advantage = tensor([[1.0, -2.0, 3.0]])
    policy_loss(policy, torch.zeros(1, 3), advantage, ALL).loss.backward()
    assert policy.grad is not None
    assert torch.allclose(policy.grad, -advantage / 3)


def test_the_values_loss() -> None:
    values, old, returns = tensor([[1.0, 1.0, 0.1]]), torch.zeros(1, 3), tensor([[1.0, 0.0, 0.0]])
    # clipped to 0.2: (0.2 - 1)² > 0; (1 - 0)² > 0.2²; 0.1 lies within
    found = value_loss(values, old, returns, ALL, clip=0.2)
    assert found.loss.item() == pytest.approx(0.5 * (0.64 + 1.0 + 0.01) / 3)
    assert found.clipped.item() == pytest.approx(1 / 3)
    assert value_loss(values, old, returns, ALL, clip=None).loss.item() == pytest.approx(0.5 * (0 + 1.0 + 0.01) / 3)


def test_the_preference_loss() -> None:
    chosen, rejected = tensor([1.0, 0.0]), tensor([0.0, 0.0])
    plain = (log(1 + exp(-1)) + log(2)) / 2
    assert preference_loss(chosen, rejected).item() == pytest.approx(plain)
    assert preference_loss(chosen, rejected, tensor([1.0, 0.0])).item() == pytest.approx(log(2))
    assert preference_loss(chosen, rejected, centring=0.1).item() == pytest.approx(plain + 0.1 * (1 + 0) / 2)
