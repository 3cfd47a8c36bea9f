"""Fixtures of the tests of `s2eval run`: the command in this process, a small configuration, its undisturbed run."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s2eval.cli import main
from tests import processes
from tests.run.runs import Command, Outcome, program, write


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command changes in its process."""
    monkeypatch.setenv("S2_DATA_DIR", "")
    levels = {name: logging.getLogger(name).level for name in ("lm_eval", "lm-eval", "datasets", "transformers")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def s2eval(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process: spares a dozen times the import of torch."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, error = capfd.readouterr()
        assert "Traceback" not in error, error
        code = left.value.code
        assert isinstance(code, int)
        return code, out, error

    return call


@pytest.fixture(scope="session")
def small(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of most tests: five units of two documents."""
    return write(
        tmp_path_factory.mktemp("small") / "small.yaml",
        models=[{"model": str(tiny_model), "group": "tiny ones", "seed": 7}],
        tasks=["s2demo_leaderboard", "s2demo_eli5"],
        limit=2,
        bertscore={"encoder": "minilm"},
    )


@pytest.fixture(scope="session")
def undisturbed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The folder of a run that nothing disturbed, and what the command said."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    finished = processes.run(program("run", small, "--out", out), capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return out, (finished.returncode, finished.stdout, finished.stderr)


@pytest.fixture
def copied(undisturbed: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy of that folder, to be run again."""
    return shutil.copytree(undisturbed[0], tmp_path / "run")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which models are loaded from now on: language models, and BERTScore's encoder."""
    from s2eval.metrics import encoders
    from s2eval.models.s2 import S2LM

    found: list[str] = []
    start, load = S2LM.__init__, encoders.load_encoder

    def counted_start(self: Any, *arguments: Any, **options: Any) -> None:
        if type(self) is S2LM:  # not an outline, which has no weights
            found.append(str(options.get("pretrained")))
        start(self, *arguments, **options)

    def counted_load(spec: Any, device: Any) -> Any:
        found.append(spec.name)
        return load(spec, device)

    monkeypatch.setattr(S2LM, "__init__", counted_start)
    monkeypatch.setattr(encoders, "load_encoder", counted_load)
    return found
