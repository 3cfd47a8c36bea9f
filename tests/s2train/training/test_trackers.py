"""Metrics go to a tracker as well, where one is asked for: TensorBoard, whose files are read again here."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.errors import ConfigError, PrerequisiteError
from s2train import checkpoint
from s2train.training import progress
from tests.s2train.ppo import small
from tests.s2train.training import tiny


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Name → step → value, of all event files in a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        events = EventAccumulator(str(path)).Reload()
        for name in events.Tags()["scalars"]:
            found.setdefault(name, {}).update({one.step: one.value for one in events.Scalars(name)})
    return found


def test_files_of_tensorboard_stay_beside_the_checkpoint(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out", report_to="tensorboard")
    made = tiny.train("sft", raw, tmp_path)
    losses = {one["step"]: one["loss"] for one in progress.read(made.out / progress.METRICS) if "loss" in one}
    assert scalars(tmp_path / "out.logs")["train/loss"] == pytest.approx(losses)
    assert len(losses) == 6
    written = checkpoint.read(made.out)
    assert written is not None
    assert "report_to" not in written.recipe["arguments"]  # type: ignore[operator]
    raw["arguments"]["report_to"] = "none"
    tiny.train("sft", raw, tmp_path)  # the same training: nothing is left to do


def test_ppo_too(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    raw = small.recipe(base, data, tmp_path / "out", reward)
    raw["report_to"] = "tensorboard"
    made = small.train(raw, tmp_path, "ppo.steps=2")
    logged = progress.read(made.out / progress.METRICS)
    found = scalars(tmp_path / "out.logs")
    assert found["reward"] == pytest.approx({one["step"]: one["reward"] for one in logged if "reward" in one})
    assert found["eval_fkg"] == pytest.approx({one["step"]: one["eval_fkg"] for one in logged if "eval_fkg" in one})


def test_one_that_is_missing_or_unknown_is_told_before_anything_else(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out", report_to="nonsense")
    with pytest.raises(ConfigError, match=r"arguments\.report_to: .*'nonsense': no tracker; expected wandb"):
        tiny.job("sft", raw, tmp_path)
    monkeypatch.setattr("s2train.training.trackers.find_spec", lambda _: None)
    raw["arguments"]["report_to"] = ["tensorboard", "trackio"]
    with pytest.raises(PrerequisiteError, match=r"arguments\.report_to: tensorboard is not installed: pip install"):
        tiny.job("sft", raw, tmp_path)
