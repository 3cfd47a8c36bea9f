"""A step of PPO after the other: sample, measure, optimise; the state from which a killed training resumes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import cos, pi
from typing import Any

import torch
from torch import Tensor

from s2eval.errors import UsageError
from s2train.losses import AdaptiveKL, RewardScale
from s2train.ppo.experience import Experience, Forward, measure
from s2train.ppo.optimisation import Tally, Weights, optimise
from s2train.ppo.processes import Processes
from s2train.ppo.roles import POLICY, VALUE, Roles
from s2train.ppo.rollouts import sample
from s2train.ppo.settings import PPO


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learnt.

    Attributes:
        prompts: token ids of each.
        weights: aspect → its weight in the reward.
        ends: ids of tokens that end an answer.
        pad: id that fills up.
    """

    prompts: Sequence[Sequence[int]]
    weights: Mapping[str, float]
    ends: frozenset[int]
    pad: int


class Learner:
    """PPO's loop; `forward` is `roles` or what wraps it, `weights` those of `weigh`.

    Raises:
        UsageError: rewards that the roles do not have, no prompts, or settings that the processes cannot share.
    """

    def __init__(
        self,
        roles: Roles,
        task: Task,
        settings: PPO,
        *,
        forward: Forward | None = None,
        weights: Weights | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.roles, self.task, self.settings = roles, task, settings
        self.processes = processes or Processes()
        self.forward: Forward = forward or roles
        self.weights = weights or weigh(roles, settings)
        if settings.checkpointing:
            self.roles.checkpoint()
        self.kl = AdaptiveKL(settings.kl, settings.kl_target, settings.kl_horizon)
        self.scales = {aspect: RewardScale(settings.reward_clip, settings.reward_scale) for aspect in task.weights}
        if not task.prompts:
            raise UsageError("PPO: there are no prompts")
        if lacking := sorted(set(task.weights) - set(roles.aspects)):
            raise UsageError(f"PPO: no reward model for {', '.join(lacking)}")
        share = settings.micro * self.processes.count
        if settings.minibatch % share:
            raise UsageError(f"PPO: minibatch ({settings.minibatch}) must be a multiple of micro × processes ({share})")

    def step(self, number: int) -> tuple[Experience, dict[str, float]]:
        """The number-th step, from 0: this process's answers, and the step's figures over all processes."""
        settings, task = self.settings, self.task
        prompts = [task.prompts[place] for place in self._places(number)]
        keys = [f"{settings.seed}:{number}:{nth}" for nth in self._mine()]
        rollouts = sample(self.roles, prompts, keys, task.ends, settings, task.pad)
        experience = measure(
            self.forward, rollouts, task.weights, self.scales, self.kl.coefficient, settings, self.processes
        )
        self.roles.train()
        acting = self.roles.acting
        tally = optimise(self.forward, experience, self.weights, settings, number, self.processes, acting)
        self.roles.eval()
        return experience, self._figures(experience, tally)

    def _mine(self) -> range:
        """This process's answers of a step."""
        return range(self.processes.rank, self.settings.answers, self.processes.count)

    def _places(self, number: int) -> Iterator[int]:
        """Which prompts this process answers: each epoch over all of them in an order of its own."""
        size = len(self.task.prompts)
        orders: dict[int, list[int]] = {}
        for nth in self._mine():
            epoch, place = divmod(number * self.settings.answers + nth, size)
            if epoch not in orders:
                orders[epoch] = random.Random(f"{self.settings.seed}:{epoch}").sample(range(size), size)
            yield orders[epoch][place]

    def _figures(self, experience: Experience, tally: Tally) -> dict[str, float]:
        gather = self.processes.gather
        kl = float(gather(experience.kl).mean())
        figures = {
            "reward": float(gather(experience.rewards).mean()),
            "kl": kl,
            "kl_coefficient": self.kl.coefficient,
            "tokens": float(gather(experience.answers.present.sum(1)).mean()),
            "ended": float(gather(experience.ended.float()).mean()),
            "updates": float(tally.updates),
            **{f"reward/{aspect}": float(gather(scores).mean()) for aspect, scores in experience.scores.items()},
            **tally.means(),
        }
        self.kl.update(kl, self.settings.answers)
        return figures

    def state(self) -> dict[str, object]:
        """All that the next step depends on."""
        return {
            POLICY: self.roles.adapter(POLICY),
            VALUE: self.roles.adapter(VALUE),
            "head": self.roles.heads[VALUE].state_dict(),
            "optimizer": self.weights.optimizer.state_dict(),
            "schedule": self.weights.schedule.state_dict(),
            "kl": self.kl.coefficient,
            "scales": {aspect: asdict(scale) for aspect, scale in self.scales.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self.roles.load(POLICY, state[POLICY])
        self.roles.load(VALUE, state[VALUE])
        self.roles.heads[VALUE].load_state_dict(state["head"])
        self.weights.optimizer.load_state_dict(state["optimizer"])
        self.weights.schedule.load_state_dict(state["schedule"])
        self.kl.coefficient = state["kl"]
        self.scales = {aspect: RewardScale(**scale) for aspect, scale in state["scales"].items()}


def weigh(roles: Roles, settings: PPO) -> Weights:
    """AdamW over the policy's tensors and, with a rate of their own, the value's and its head's."""
    groups: dict[str, list[Tensor]] = {POLICY: [], VALUE: []}
    for name, parameter in roles.named_parameters():
        if parameter.requires_grad:
            groups[VALUE if f".{VALUE}." in f".{name}" else POLICY].append(parameter)
    rates = {POLICY: settings.learning_rate, VALUE: settings.value_learning_rate}
    optimizer = torch.optim.AdamW(
        [{"params": group, "lr": rates[role]} for role, group in groups.items()], weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: factor(update, settings))
    return Weights(optimizer, schedule, groups)


def factor(update: int, settings: PPO) -> float:
    """Of the learning rates at an update, from 0."""
    rising = round(settings.warmup * settings.updates)
    if update < rising:
        return (update + 1) / (rising + 1)
    done = (update - rising) / max(settings.updates - rising, 1)
    return {"constant": 1.0, "linear": 1 - done, "cosine": (1 + cos(pi * done)) / 2}[settings.schedule]
