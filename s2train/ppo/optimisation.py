"""PPO's updates: minibatches, accumulated; one backward pass a role, so that one role's activations live at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from ctypes import CDLL
from dataclasses import dataclass, field
from math import isfinite

import torch
from torch import Tensor

from s2train import losses
from s2train.ppo.experience import Experience, Forward
from s2train.ppo.processes import Processes
from s2train.ppo.roles import POLICY, VALUE
from s2train.ppo.settings import PPO
from s2train.training.progress import DivergedError

Acting = Callable[[str], AbstractContextManager[object]]
_trim = getattr(CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None  # glibc's


class BrokenExperienceError(DivergedError):
    """The experience at which training diverged."""

    def __init__(self, what: str, experience: Experience) -> None:
        super().__init__(what)
        self.experience = experience


@dataclass(slots=True)
class Tally:
    """Means over tokens of what an optimisation did, as sums and numbers of tokens by name; updates of the weights."""

    sums: dict[str, float] = field(default_factory=dict[str, float])
    tokens: dict[str, float] = field(default_factory=dict[str, float])
    updates: int = 0

    def add(self, tokens: float, **means: Tensor) -> None:
        """Means of so many tokens."""
        for name, value in means.items():
            self.tokens[name] = self.tokens.get(name, 0.0) + tokens
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * tokens

    def means(self) -> dict[str, float]:
        """Name → mean."""
        return {name: total / max(self.tokens[name], 1.0) for name, total in self.sums.items()}


@dataclass(frozen=True, slots=True)
class Weights:
    """What is changed, and how.

    Attributes:
        optimizer: AdamW over both groups.
        schedule: of its rates; stepped once an update.
        groups: role → its tensors; gradients are clipped for each by itself.
    """

    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    groups: dict[str, list[Tensor]]


def optimise(
    forward: Forward,
    experience: Experience,
    weights: Weights,
    settings: PPO,
    step: int,
    processes: Processes,
    acting: Acting = nullcontext,
) -> Tally:
    """All epochs over a step's answers.

    A minibatch's loss is the mean over its tokens, on however many processes and in however many parts it is computed.
    `acting` holds the model in a role: a layer that is computed again for its gradient must be the same.

    Raises:
        BrokenExperienceError: a loss or a gradient is not finite; the weights are those of the update before.
    """
    tally = Tally()
    for rows in minibatches(len(experience.old), step, settings, processes):
        tokens = float(processes.total(experience.answers.present[rows].sum()))
        parts = rows.split(settings.micro)
        apart = torch.zeros(())
        for role in (POLICY, VALUE):
            for number, part in enumerate(parts):
                with acting(role), processes.hold() if number + 1 < len(parts) else nullcontext():
                    loss, distance = _loss(forward, role, experience, part, settings, tally)
                    processes.backward(loss * (processes.count / tokens))
                if _trim is not None:  # what glibc holds free between passes of unlike sizes is hundreds of MiB
                    _trim(0)
                apart = apart + distance
        if settings.stop_kl is not None and float(processes.total(apart)) / tokens > settings.stop_kl:
            weights.optimizer.zero_grad(set_to_none=True)
            break
        for role, group in weights.groups.items():
            norm = float(torch.nn.utils.clip_grad_norm_(group, settings.max_grad_norm))
            if not isfinite(norm):
                raise BrokenExperienceError(f"a gradient of the {role} is NaN or infinite", experience)
            tally.add(1.0, **{f"{role}_grad_norm": torch.tensor(norm)})
        weights.optimizer.step()
        weights.schedule.step()
        weights.optimizer.zero_grad(set_to_none=True)
        tally.updates += 1
    return tally


def minibatches(answers: int, step: int, settings: PPO, processes: Processes) -> Iterator[Tensor]:
    """Rows of each update, of this process; every epoch in an order of its own."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
    for _ in range(settings.epochs):
        yield from torch.randperm(answers, generator=generator).split(settings.minibatch // processes.count)


def _loss(
    forward: Forward, role: str, experience: Experience, rows: Tensor, settings: PPO, tally: Tally
) -> tuple[Tensor, Tensor]:
    """Sums over the tokens of a few answers: the role's loss, and how far the policy went since they were sampled."""
    answers = experience.answers[rows]
    outputs = forward(role, answers, settings.temperature)
    mask = answers.present.to(outputs.device)
    old, values, advantages, returns = (
        part[rows, : mask.shape[1]].to(outputs.device)
        for part in (experience.old, experience.values, experience.advantages, experience.returns)
    )
    tokens = float(mask.sum())
    distance = torch.zeros(())
    if role == POLICY:
        loss, clipped = losses.policy_loss(outputs, old, advantages, mask, clip=settings.clip)
        with torch.no_grad():
            ratio = outputs - old
            distance = losses.mean(ratio.exp() - 1 - ratio, mask).cpu()  # Schulman's k3, as `losses.kl`
        tally.add(tokens, policy_loss=loss.detach(), policy_clipped=clipped, moved=distance)
    else:
        loss, clipped = losses.value_loss(outputs, values, returns, mask, clip=settings.value_clip)
        tally.add(tokens, value_loss=loss.detach(), value_clipped=clipped)
        loss = settings.value_weight * loss
    if not torch.isfinite(loss):
        raise BrokenExperienceError(f"the loss of the {role} is {float(loss.detach())}", experience)
    return loss * tokens, distance * tokens
