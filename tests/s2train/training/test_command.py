"""`s2train sft` as users call it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from s2train.cli import app, main
from s2train.stages import commands
from tests.s2train.training import tiny


def s2train(*arguments: object) -> int:
    """The command's exit code; typer ends one that goes well by SystemExit."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_every_stage_is_a_command() -> None:
    assert {stage.name for stage in commands()} <= {command.name for command in app.registered_commands}


def test_dry_run_then_training_then_nothing_to_do(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(yaml.safe_dump(tiny.recipe("sft", base, data, tmp_path / "out")))
    assert s2train("sft", path, "--dry-run") == 0
    assert "memory, estimated from shapes" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert s2train("sft", path, "arguments.max_steps=1") == 0
    told = capsys.readouterr()
    assert told.out.endswith(f"written: {tmp_path / 'out'}\n")
    assert "step 1 of 1: loss" in told.err
    assert s2train("sft", path, "arguments.max_steps=2") == 2
    assert "another training is there (recipe differ)" in capsys.readouterr().err
    assert s2train("sft", path, "arguments.max_steps=2", "--fresh") == 0
    assert "steps" in capsys.readouterr().out


def test_errors_are_told_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("out: o\nmodel: {base: b}\ndata: {dirr: d}\n")
    assert s2train("sft", path, "arguments.beta=1") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {path}: ")
    assert "data.dirr: unknown key; did you mean 'dir'?" in told
