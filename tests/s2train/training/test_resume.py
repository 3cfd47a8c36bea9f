"""A training that is killed goes on to the same parameters, bit for bit (fp32, this machine)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s2train import checkpoint
from s2train.training import progress
from s2train.training import run as runs
from tests.s2train.training import tiny

BY_LENGTH = {"train_sampling_strategy": "group_by_length", "per_device_train_batch_size": 2, "max_steps": 6}


def killed(action: Callable[[], object]) -> None:
    """Run it in a process of its own, which must end by SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=action)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def die_at(step: int) -> None:
    from s2train.training.trainers import Recorder

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    Recorder.on_step_end = on_step_end  # type: ignore[method-assign]


def die_before_mark(step: int) -> None:
    """In the middle of a checkpoint: its files are there, its mark is not."""
    mark = progress.mark_complete

    def mark_complete(checkpoint: Path, **facts: Any) -> None:
        if checkpoint.name.endswith(f"-{step}"):
            os.kill(os.getpid(), signal.SIGKILL)
        mark(checkpoint, **facts)

    progress.mark_complete = mark_complete


@pytest.mark.parametrize(
    ("stage", "more"), [("sft", {}), ("reward", {}), ("dpo", {}), ("dpo", BY_LENGTH)],
    ids=["sft", "reward", "dpo", "dpo by length"],
)  # fmt: skip
def test_killed_twice_and_the_same_parameters(
    stage: str, more: dict[str, Any], base: Path, data: Path, tmp_path: Path
) -> None:
    """Dropout is on, so the state of the random numbers must come back too."""
    whole = tiny.train(stage, tiny.recipe(stage, base, data, tmp_path / "whole", **more), tmp_path)
    raw = tiny.recipe(stage, base, data, tmp_path / "killed", **more)

    def first() -> None:
        die_at(3)  # after checkpoint-2
        tiny.train(stage, raw, tmp_path)

    def second() -> None:
        die_before_mark(4)
        tiny.train(stage, raw, tmp_path)

    killed(first)
    killed(second)
    work = tmp_path / ".killed.training"
    assert (work / "checkpoint-4").is_dir()
    assert not (tmp_path / "killed").exists()
    found = progress.read(work / progress.METRICS)
    assert max(record["step"] for record in found) >= 3

    again = tiny.train(stage, raw, tmp_path)
    assert tiny.same(whole.out, again.out)
    steps = [record["step"] for record in progress.read(again.out / progress.METRICS) if "loss" in record]
    assert steps == [1, 2, 3, 4, 5, 6]  # none twice
    assert not work.exists()


def test_killed_when_all_steps_are_done(base: Path, data: Path, tmp_path: Path) -> None:
    """What is left to do is measured and put in place; no step is made again."""
    whole = tiny.train("sft", tiny.recipe("sft", base, data, tmp_path / "whole"), tmp_path)
    raw = tiny.recipe("sft", base, data, tmp_path / "killed")

    def first() -> None:
        runs._save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        tiny.train("sft", raw, tmp_path)

    killed(first)
    assert list(tmp_path.glob(".unfinished-killed-*"))  # what was to become the checkpoint
    again = tiny.train("sft", raw, tmp_path)
    assert tiny.same(whole.out, again.out)
    assert not list(tmp_path.glob(".unfinished-*"))
    assert checkpoint.read(again.out).metrics["steps"] == 6  # type: ignore[union-attr]


def test_killed_while_it_replaces_a_finished_training(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an exchange of names, as on NFS: the old checkpoint is there again, and nothing is trained."""
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    job = tiny.train("sft", raw, tmp_path)
    before = (job.out / "adapter_model.safetensors").read_bytes()
    job.out.rename(tmp_path / ".replaced-out")
    monkeypatch.setattr(runs, "_trainer", lambda _: pytest.fail("trained again"))
    assert tiny.train("sft", raw, tmp_path).out == job.out
    assert (job.out / "adapter_model.safetensors").read_bytes() == before
    assert not (tmp_path / ".replaced-out").exists()


def test_from_a_quantised_base(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "whole")
    raw["model"]["method"] = "qlora"
    whole = tiny.train("sft", raw, tmp_path)
    raw["out"] = str(tmp_path / "killed")

    def first() -> None:
        die_at(3)
        tiny.train("sft", raw, tmp_path)

    killed(first)
    assert tiny.same(whole.out, tiny.train("sft", raw, tmp_path).out)
