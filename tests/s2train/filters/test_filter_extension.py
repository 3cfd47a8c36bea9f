"""A filter that another package brings by an entry point: one record, and no other file knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import packages
from tests.s2train.data.folders import lines, post

FILTER = """
from s2train.data.filters import FilterKind, Section

class Shouting(Section):
    marks: int = 1

def reasons(pairs, limits):
    return ["shouts" if pair.answer.count("!") > limits.marks else None for pair in pairs]

SHOUTING = FilterKind("shouting", Shouting, reasons)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package of that filter."""
    folder = tmp_path_factory.mktemp("installed")
    packages.write(folder, "shouts", FILTER, s2train__filters="shouting = shouts:SHOUTING")
    return folder


def build(package: Path, folder: Path, config: str) -> subprocess.CompletedProcess[str]:
    loud = post(
        3, answers={"text": ["Because it is so! So! So!! And nobody knows why that should be otherwise."], "score": [9]}
    )
    source = lines(folder / "in.jsonl", [post(1), post(2), loud])
    (folder / "config.yaml").write_text(config)
    command = [sys.executable, "-m", "s2train", "data", "eli5", "--input", source, "--out", folder / "out"]
    path = os.pathsep.join([str(package), str(Path(__file__).parents[3])])
    return subprocess.run(
        [*map(str, command), "--config", str(folder / "config.yaml"), "--processes", "2"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path, "S2_DATA_DIR": ""},
    )  # fmt: skip


def test_it_drops_pairs_and_stands_in_configuration_and_report(package: Path, tmp_path: Path) -> None:
    done = build(package, tmp_path, "filters: {order: [shouting], shouting: {marks: 2}}")
    assert done.returncode == 0, done.stderr
    assert " - shouting" in done.stdout
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["configuration"]["filters"]["shouting"] == {"marks": 2}
    (step,) = [step for step in manifest["sets"]["eli5"]["funnel"] if step["step"] == "shouting"]
    assert step["reasons"] == {"shouts": 1}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("filters: {order: [shoutin]}", "unknown filter 'shoutin'; did you mean 'shouting'"),
        ("filters: {shouting: {mark: 2}}", "filters.shouting.mark: unknown key; did you mean 'marks'"),
    ],
)
def test_mistakes_are_answered_with_it(package: Path, tmp_path: Path, config: str, message: str) -> None:
    done = build(package, tmp_path, config)
    assert done.returncode == 2
    assert message in done.stderr
