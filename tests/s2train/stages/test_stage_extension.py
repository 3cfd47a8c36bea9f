"""A stage that another package brings by an entry point: one record and its training, and no other file knows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENTRY = """
from s2train.stages import Stage
COUNT = Stage("count", "Count to a number.", "counting.training:TRAINING")
"""
TRAINING = """
from dataclasses import dataclass
from pydantic import BaseModel, ConfigDict, Field
from s2train.training.job import Method, RunPaths

class Count(BaseModel):
    model_config = ConfigDict(extra="forbid")
    out: str
    steps: int = Field(3, ge=1)

@dataclass(frozen=True)
class Job(RunPaths):
    config: Count
    training: Method = Method(name="count", summary="counting")

    def lines(self):
        return [f"count to {self.config.steps}"]

class Counting:
    def configuration(self):
        return Count

    def prepare(self, config, where):
        return Job(config)

    def forecast(self, job):
        yield from job.lines()
        yield "it takes no time"

    def run(self, job, fresh):
        job.out.mkdir()
        return {"counted": float(job.config.steps)}

TRAINING = Counting()
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package of that stage."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "counting").mkdir()
    (folder / "counting" / "__init__.py").write_text(ENTRY)
    (folder / "counting" / "training.py").write_text(TRAINING)
    info = folder / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[s2train.stages]\ncount = counting:COUNT\n")
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "count.yaml"
    path.write_text(f"out: {tmp_path / 'out'}\n")
    return path


def python(package: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(package), str(Path(__file__).parents[3])])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
    )


def test_help_lists_it(package: Path) -> None:
    printed = python(package, "-m", "s2train", "--help").stdout
    assert "count" in printed
    assert "Count to a number." in printed


def test_it_reads_its_configuration_and_runs(package: Path, recipe: Path, tmp_path: Path) -> None:
    dry = python(package, "-m", "s2train", "count", recipe, "steps=5", "--dry-run")
    assert dry.stdout.splitlines() == ["count to 5", "it takes no time"], dry.stderr
    assert not (tmp_path / "out").exists()
    done = python(package, "-m", "s2train", "count", recipe, "steps=5")
    assert done.returncode == 0, done.stderr
    assert "counted                          5" in done.stdout
    assert (tmp_path / "out").is_dir()


def test_a_wrong_key_is_an_error(package: Path, recipe: Path) -> None:
    wrong = python(package, "-m", "s2train", "count", recipe, "step=5")
    assert wrong.returncode == 2
    assert "did you mean 'steps'" in wrong.stderr


def test_a_misspelt_name_is_answered_with_it(package: Path) -> None:
    wrong = python(package, "-m", "s2train", "cuont", "recipe.yaml")
    assert wrong.returncode == 2
    assert "Did you mean 'count'?" in wrong.stderr
    code = "import s2train; s2train.train('coutn', {})"
    assert "unknown stage 'coutn'; did you mean 'count'? See: s2train --help" in python(package, "-c", code).stderr
