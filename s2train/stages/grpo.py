"""GRPO: group-relative policy optimisation, by TRL's trainer; see `ppo.online`."""

from __future__ import annotations

from s2train.ppo.online import online_training

TRAINING = online_training(
    "grpo", "group-relative policy optimisation (Shao et al. 2024, arXiv 2402.03300) on its own answers"
)
