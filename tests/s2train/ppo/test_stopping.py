"""PPO that is killed goes on to the same parameters, bit for bit; broken numbers stop it with the batch saved."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval.errors import PrerequisiteError, S2Error
from s2train.ppo import run as runs
from s2train.ppo.learning import Learner
from s2train.training import progress
from s2train.training import run as trainings
from tests.s2train.ppo import small
from tests.s2train.training import tiny


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(action: Callable[[], object]) -> None:
    """Run it in a process of its own, which must end by SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=action)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def test_killed_four_times_and_the_same_parameters(
    base: Path, data: Path, sft: Path, reward: Path, tmp_path: Path
) -> None:
    whole = small.train(small.recipe(base, data, tmp_path / "whole", reward, sft), tmp_path)
    raw = small.recipe(base, data, tmp_path / "killed", reward, sft)

    def before_any_checkpoint() -> None:
        Learner.step = lambda *_: die()  # type: ignore[method-assign]
        small.train(raw, tmp_path)

    def in_a_step() -> None:
        step = Learner.step

        def dying(self: Any, number: int) -> Any:
            if number == 3:  # after checkpoint-2 and the line of step 3
                die()
            return step(self, number)

        Learner.step = dying  # type: ignore[method-assign]
        small.train(raw, tmp_path)

    def in_a_checkpoint() -> None:
        progress.mark_complete = lambda *_, **__: die()
        small.train(raw, tmp_path)

    def at_the_end() -> None:
        runs._save_policy = lambda *_: die()
        small.train(raw, tmp_path)

    work = tmp_path / ".killed.training"
    killed(before_any_checkpoint)
    assert [one["step"] for one in progress.read(work / progress.METRICS)] == [0]
    killed(in_a_step)
    assert max(one["step"] for one in progress.read(work / progress.METRICS)) == 3
    killed(in_a_checkpoint)
    assert [path.name for path in work.glob("checkpoint-*")] == ["checkpoint-2"]
    killed(at_the_end)
    assert (work / "checkpoint-4").is_dir()
    assert not (tmp_path / "killed").exists()
    again = small.train(raw, tmp_path)
    assert tiny.same(whole.out, again.out)
    for name in (progress.METRICS, progress.GENERATIONS):
        first, second = (
            [{key: value for key, value in one.items() if key != "seconds"} for one in progress.read(job.out / name)]
            for job in (whole, again)
        )
        assert first == second  # every step and evaluation once, with the same numbers
    assert not work.exists()
    assert not list(tmp_path.glob(".unfinished-*"))


def test_a_checkpoint_cut_short_is_not_gone_on_from(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    raw = small.recipe(base, data, tmp_path / "out", reward)

    def at_the_end() -> None:
        runs._save_policy = lambda *_: die()
        small.train(raw, tmp_path)

    killed(at_the_end)
    state = tmp_path / ".out.training" / "checkpoint-4" / runs.STATE
    state.write_bytes(state.read_bytes()[:100])
    job = small.job(raw, tmp_path)
    found = trainings.make_ready(job, False, runs.KEPT)
    assert found is not None
    assert found.step == 2


def test_infinite_rates_stop_it_with_the_batch_saved(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    raw = small.recipe(base, data, tmp_path / "out", reward, learning_rate=1e30)
    with pytest.raises(S2Error, match=r"step \d: (the loss|a gradient) of the (policy|value) is") as told:
        small.train(raw, tmp_path)
    assert told.value.exit_code == 1
    work = tmp_path / ".out.training"
    kept = torch.load(work / f"{progress.BROKEN}.pt", weights_only=True)
    assert kept["inputs"]["tokens"].shape == kept["inputs"]["mask"].shape
    assert "Human: Why is number" in (work / f"{progress.BROKEN}.json").read_text()
    assert not (tmp_path / "out").exists()


def test_another_recipe_does_not_go_on(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    raw = small.recipe(base, data, tmp_path / "out", reward)

    def at_the_end() -> None:
        runs._save_policy = lambda *_: die()
        small.train(raw, tmp_path)

    killed(at_the_end)
    with pytest.raises(PrerequisiteError, match=r"ppo\.kl differ"):
        small.train(raw, tmp_path, "ppo.kl=0.5")


def test_two_at_a_time(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    job = small.job(small.recipe(base, data, tmp_path / "out", reward), tmp_path)
    job.work.mkdir()
    with trainings.alone(job.work), pytest.raises(PrerequisiteError, match="another process is training there"):
        runs.run(job)
