"""RLOO and GRPO in two processes, by torchrun and gloo: each samples and scores answers of its own."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from s2train import checkpoint
from s2train.training import progress
from tests.s2train.training import tiny
from tests.s2train.training.torchrun import in_ranks, in_two

BATCH = 4  # answers of a process: those to one prompt


def recipe(name: str, base: Path, data: Path, reward: Path, out: Path) -> dict[str, Any]:
    """As alone, with half of a step's answers in each process."""
    return {
        **tiny.online(base, data, reward, out, per_device_train_batch_size=BATCH, beta=0.04, save_steps=2),
        "algorithm": name,
    }


@pytest.mark.parametrize("name", ["rloo", "grpo"])
def test_two_processes_hold_one_policy(name: str, base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    """4 steps of 2 × 4 answers; the policies are compared bit for bit by `in_two`. One is then killed after step 3:
    with the random numbers that each had at step 2, they end where the undisturbed ones did.
    """
    printed = in_two("ppo", recipe(name, base, data, reward, tmp_path / "whole"), tmp_path)
    assert printed.count("written: ") == 1
    logged = [line for line in progress.read(tmp_path / "whole" / progress.METRICS) if "reward" in line]
    assert [line["step"] for line in logged] == [1, 2, 3, 4]
    assert all(line["reward_std"] > 0 for line in logged)
    made = checkpoint.read(tmp_path / "whole")
    assert made is not None
    assert (made.kind, made.metrics["processes"]) == (name, 2)
    assert any(weight.any() for key, weight in tiny.weights(tmp_path / "whole").items() if "lora_B" in key)

    raw = recipe(name, base, data, reward, tmp_path / "killed")
    assert in_ranks("ppo", raw, tmp_path, DIE="1:3")[1].returncode == -signal.SIGKILL
    assert (tmp_path / ".killed.training" / "checkpoint-2" / progress.COMPLETE).is_file()
    in_two("ppo", raw, tmp_path)
    assert tiny.same(tmp_path / "whole", tmp_path / "killed")
