"""examples/extension, installed by pip as its users would: its metric and its merge method are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def environment(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With the example on the path of Python."""
    site = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    source = repository / "examples" / "extension"
    subprocess.run([*install, "--target", str(site), str(source)], check=True, capture_output=True)
    path = os.pathsep.join([str(site), str(repository)])
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}


def printed(environment: dict[str, str], *arguments: object) -> str:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_metric_scores_texts(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    rows = ({"prediction": text} for text in ("One two three. Four five six.", "One two three four five.", ""))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scored = json.loads(printed(environment, "s2eval", "score", "sentence_length", file, "--json"))["sentence_length"]
    assert (scored["value"], scored["n"], scored["n_valid"]) == (4.0, 3, 2)  # (6 / 2 + 5 / 1) / 2


def test_its_merge_method_is_offered(environment: dict[str, str]) -> None:
    assert "half of the change" in printed(environment, "s2train", "merge", "--help")
