"""The notebooks run from the first cell to the last, on the embedded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.process]


def run(name: str, folder: Path) -> list[str]:
    """What each code cell displayed."""
    command = [sys.executable, str(Path(__file__).with_name("run_notebook.py")), str(ROOT / "examples" / name)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("notebook", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_outputs_are_committed(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_which_variant_is_better(tmp_path: Path) -> None:
    scoreboard, scores, samples, comparison, chart, texts = run("which-variant.ipynb", tmp_path)
    assert "<th>four-bit</th>" in scoreboard
    assert "s2demo_mmlu" in scores
    assert samples.count("Why") >= 2
    assert "cannot be told" in comparison or "no difference shown" in comparison
    assert "leaderboard.svg" in chart
    assert (tmp_path / "runs/which-variant/leaderboard.svg").is_file()
    assert "s2_fre" in texts


def test_from_data_to_a_merged_model(tmp_path: Path) -> None:
    *_, trained, checkpoint, scoreboard, comparison = run("data-to-merged-model.ipynb", tmp_path)
    assert "runs/adapter" in trained
    assert "bf16" in checkpoint
    assert "<th>merged</th>" in scoreboard
    assert "adapter" in comparison
