"""RLOO: REINFORCE with a leave-one-out baseline, by TRL's trainer; see `ppo.online`."""

from __future__ import annotations

from s2train.ppo.online import online_training


def _arguments() -> type:
    from s2train.ppo import sampling_trainers

    return sampling_trainers.RlooArguments


def _trainer() -> type:
    from s2train.ppo import sampling_trainers

    return sampling_trainers.Rloo


TRAINING = online_training(
    "rloo",
    "REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024, arXiv 2402.14740) on its own answers",
    _arguments,
    _trainer,
)
