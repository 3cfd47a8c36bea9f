"""Two processes, by torchrun and gloo, do what one does with the same rows a step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from s2eval.errors import PrerequisiteError
from s2train import checkpoint
from s2train.training import processes, progress
from tests.s2train.training import tiny
from tests.s2train.training.torchrun import ROOT, in_two, launched

GROUPED = {"train_sampling_strategy": "group_by_length", "per_device_train_batch_size": 2}


def recipe(stage: str, base: Path, data: Path, out: Path, **arguments: Any) -> dict[str, Any]:
    """Without dropout, whose random numbers differ between processes."""
    raw = tiny.recipe(stage, base, data, out, **arguments)
    raw["model"]["lora"]["dropout"] = 0.0
    return raw


@pytest.mark.parametrize(
    ("stage", "more"),
    [
        ("sft", {}),
        ("sft", {"packing": True, "num_train_epochs": 3, "max_length": 56}),
        ("dpo", {}),
        ("reward", {}),
        ("reward", GROUPED),
    ],
    ids=["sft", "packed", "dpo", "reward", "reward by length"],
)
def test_two_processes_do_what_one_does(
    stage: str, more: dict[str, Any], base: Path, data: Path, tmp_path: Path
) -> None:
    """4 rows a step, or 2: of one process, or half of them of each of two. Rows have different lengths, so a mean of
    the processes' means over tokens would be another loss.
    """
    alone = tiny.train(stage, recipe(stage, base, data, tmp_path / "one", **more), tmp_path)
    half = {"per_device_train_batch_size": alone.arguments.per_device_train_batch_size // 2}
    raw = recipe(stage, base, data, tmp_path / "two", **{**more, **half})
    printed = in_two(stage, raw, tmp_path)
    assert printed.count("written: ") == 1
    one, two = (
        [record["loss"] for record in progress.read(tmp_path / name / progress.METRICS) if "loss" in record]
        for name in ("one", "two")
    )
    assert len(one) >= 3
    assert two == pytest.approx(one, abs=2e-5)
    for name, weight in tiny.weights(alone.out).items():
        torch.testing.assert_close(tiny.weights(tmp_path / "two")[name], weight, rtol=0, atol=2e-4)
    made = checkpoint.read(tmp_path / "two")
    assert made is not None
    assert made.metrics["processes"] == 2


def test_one_is_killed_and_both_go_on(base: Path, data: Path, tmp_path: Path) -> None:
    """Dropout is on: each process gets its own random numbers back."""
    batch = {"per_device_train_batch_size": 2}
    in_two("sft", tiny.recipe("sft", base, data, tmp_path / "whole", **batch), tmp_path)
    raw = tiny.recipe("sft", base, data, tmp_path / "killed", **batch)
    died = launched("sft", raw, tmp_path, DIE="1:3")
    assert died.returncode != 0
    assert not (tmp_path / "killed").exists()
    work = tmp_path / ".killed.training"
    assert (work / "checkpoint-2" / progress.COMPLETE).is_file()
    with pytest.raises(PrerequisiteError, match="its processes differ"):
        tiny.train("sft", raw, tmp_path)
    in_two("sft", raw, tmp_path)
    assert tiny.same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "True"}, "accelerate launch was asked for several"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2, but RANK or LOCAL_RANK is not set"),
    ],
)
def test_one_of_several_alone_is_refused(environment: dict[str, str], what: str) -> None:
    with pytest.raises(PrerequisiteError, match=what):
        processes.check_launched(environment)


@pytest.mark.parametrize(
    "environment", [{}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}, {"MASTER_ADDR": "a"}]
)
def test_what_is_right_is_not_refused(environment: dict[str, str]) -> None:
    processes.check_launched(environment)


def test_accelerate_launch_starts_one_process_on_cpus_and_is_refused(base: Path, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "sft.yaml"
    path.write_text(yaml.safe_dump(tiny.recipe("sft", base, data, tmp_path / "out")), encoding="utf-8")
    accelerate = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines=1",
    ]
    done = subprocess.run(
        [*accelerate, "--mixed_precision=no", "--dynamo_backend=no", "-m", "s2train", "sft", str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "accelerate launch was asked for several processes on CPUs, and started one" in done.stderr
    assert not (tmp_path / "out").exists()
