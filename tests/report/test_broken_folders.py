"""Whatever lies in a folder, `report` and `compare` end in a sentence, never in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from s2eval.cli import main
from s2eval.errors import DataError
from s2eval.report import sources
from s2eval.report.read import item_scores, runs
from tests.store.test_units import unit

__all__ = ["unit"]  # the fixture: mine/s2_eli5 of two answers

GOOD = "name: run\nmodels: [{name: mine, model: ./mine}]\ntasks: [s2_eli5]\n"


@pytest.fixture
def run(unit: Path) -> Path:
    (unit.parents[1] / "run.yaml").write_text(GOOD)
    return unit.parents[1]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "3",
        "{",
        "[" * 5000,
        "{a: " * 5000,
        "\0",
        "name: run",
        "name: run\nmodels: 3",
        "name: run\nmodels: [3]",
        "name: run\nmodels: [{model: x}]",
        "name: run\nmodels: [{name: ../mine}]\ntasks: [s2_eli5]",
        'name: run\nmodels: [{name: "a\\0"}]',
        GOOD + "unfinished: 3",
        GOOD.replace("[s2_eli5]", "3"),
        GOOD + "metrics: true",
    ],
)
def test_a_broken_configuration_is_told(run: Path, content: str) -> None:
    (run / "run.yaml").write_text(content)
    for read in (sources.read, lambda folder: item_scores.read([folder])):
        with pytest.raises(DataError, match="not the configuration of a run") as caught:
            read(run)
        assert len(str(caught.value)) < 1000


def test_a_good_one_is_read(run: Path) -> None:
    assert runs.configured(run).config["models"] == [{"name": "mine", "model": "./mine"}]
    assert sources.read(run).models == ("mine",)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("damage", [loop, folder, no_text])
@pytest.mark.parametrize("name", ["unit.json", "bertscore.json", "results_*.json", "samples_*.jsonl"])
def test_what_is_no_file_is_told(
    run: Path, unit: Path, name: str, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = unit.glob(name)
    damage(path)
    for command in (["report", str(run)], ["compare", str(run)]):
        with pytest.raises(SystemExit) as left:
            main(command)
        assert left.value.code == 2
        assert "a broken unit: " in capsys.readouterr().err
