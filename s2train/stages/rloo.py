"""RLOO: REINFORCE with a leave-one-out baseline, by TRL's trainer; see `ppo.online`."""

from __future__ import annotations

from s2train.ppo.online import online_training

TRAINING = online_training(
    "rloo", "REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024, arXiv 2402.14740) on its own answers"
)
