"""Configurations of `s2train ppo` that train a tiny model in a second or two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from s2train.ppo.job import Job
from s2train.ppo.run import run
from s2train.stages import STAGES, load


def recipe(base: Path, data: Path, out: Path, reward: Path, sft: Path | None = None, **ppo: Any) -> dict[str, Any]:
    """As YAML holds it: 4 steps of 4 answers of at most 5 tokens."""
    shape = {"r": 4, "alpha": 8}
    return {
        "out": str(out),
        "model": {"base": str(base), **({"adapter": str(sft)} if sft else {"lora": shape})},
        "rewards": {"simplicity": str(reward)},
        "allow_below_gate": True,
        "data": {"dir": str(data), "set": "eli5", "max_prompt": 64},
        "value": shape,
        "ppo": {
            "steps": 4,
            "answers": 4,
            "minibatch": 4,
            "micro": 2,
            "epochs": 2,
            "max_new_tokens": 5,
            "learning_rate": 1e-2,
            "value_learning_rate": 1e-2,
            "reward_scale": True,
            "kl_target": 1.0,
            **ppo,
        },
        "evaluate": {"every": 2, "prompts": 3},
        "save_every": 2,
    }


def write(raw: Mapping[str, Any], folder: Path) -> Path:
    path = folder / "ppo.yaml"
    path.write_text(yaml.safe_dump(dict(raw)), encoding="utf-8")
    return path


def job(raw: Mapping[str, Any], folder: Path, *overrides: str) -> Job:
    """Checked, by way of a file."""
    path = write(raw, folder)
    return STAGES["ppo"].training.prepare(load(STAGES["ppo"], path, overrides), path.name)


def train(raw: Mapping[str, Any], folder: Path, *overrides: str) -> Job:
    made = job(raw, folder, *overrides)
    run(made)
    return made
