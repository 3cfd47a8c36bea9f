"""Two processes, by gloo, do what one does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from tests import processes
from tests.s2train.ppo import cast


def run(number: int, folder: Path, models: Path) -> list[dict[str, object]]:
    folder.mkdir()
    two = Path(__file__).with_name("two.py")
    done = processes.ranks([sys.executable, str(two), str(folder), str(models)], number)
    assert not any(rank.returncode for rank in done), done[0].stderr[-3000:]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(number)]


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    cast.stored(tmp_path)
    (tmp_path / "task.json").write_text(json.dumps([cast.PROMPTS, cast.TASK.weights]))
    # A minibatch is all answers of a step: of fewer, two processes would choose others than one does.
    settings = cast.SETTINGS.model_copy(update={"reward_scale": True, "minibatch": 8})
    (tmp_path / "settings.json").write_text(settings.model_dump_json())
    (alone,) = run(1, tmp_path / "one", tmp_path)
    first, second = run(2, tmp_path / "two", tmp_path)
    for role in ("policy", "value"):
        for name, tensor in first[role].items():
            assert torch.equal(tensor, second[role][name])  # both ranks hold the same
            torch.testing.assert_close(tensor, alone[role][name], rtol=0, atol=1e-4)
    for ours, theirs in zip(first["figures"], alone["figures"], strict=True):
        for name in ("reward", "kl", "tokens", "ended"):
            assert ours[name] == pytest.approx(theirs[name], abs=1e-3)
    assert first["figures"] != []
