"""A merge method that another package brings by an entry point: one record, and no other file knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests import packages
from tests.s2train.merge import tiny

METHOD = """
from s2train.merge.methods import MergeMethod
HALF = MergeMethod(
    "half", help="half of the change", card="half of the adapter's change was added.",
    add=lambda base, change: base + change / 2, peft=False,
)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package of that method."""
    folder = tmp_path_factory.mktemp("installed")
    packages.write(folder, "halving", METHOD, s2train__merge_methods="half = halving:HALF")
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    base = tiny.base(folder / "base", torch.float32)
    return base, tiny.train(tiny.load(base), folder / "adapter")


def s2train(package: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(package), str(root)])
    command = [sys.executable, "-m", "s2train", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
    )


def test_it_merges(package: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    done = s2train(
        package, "merge", "--base", base, "--adapter", adapter, "--method", "half", "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    assert "base + adapter → LlamaForCausalLM, half: 14 of 21 tensors change" in done.stdout
    assert json.loads((tmp_path / "out" / "s2train.json").read_text())["method"] == "half"
    assert "Method `half`: half of the adapter's change was added." in (tmp_path / "out" / "README.md").read_text()
    tiny.merged(base, adapter, tmp_path / "whole")
    name = "model.layers.1.mlp.up_proj.weight"
    plain, half, whole = (tiny.tensors(folder)[name] for folder in (base, tmp_path / "out", tmp_path / "whole"))
    torch.testing.assert_close(half, (plain + whole) / 2)
    assert not torch.equal(half, plain)


def test_help_lists_it(package: Path) -> None:
    printed = s2train(package, "merge", "--help").stdout
    assert "bf16|qdq|half" in printed
    assert "half: half of the change" in " ".join(printed.replace("│", " ").split())


def test_a_misspelt_name_is_answered_with_it(package: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    done = s2train(
        package, "merge", "--base", base, "--adapter", adapter, "--method", "halv", "--out", tmp_path / "out"
    )
    assert done.returncode != 0
    assert "unknown merge method 'halv'; did you mean 'half'? See: s2train merge --help" in done.stderr


def test_what_peft_does_not_compute_is_not_verified(package: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = pair
    done = s2train(
        package,
        "merge",
        "--base",
        base,
        "--adapter",
        adapter,
        "--method",
        "half",
        "--out",
        tmp_path / "out",
        "--verify",
    )
    assert done.returncode == 2
    assert "--verify compares with PEFT, which has no merge like half" in done.stderr
    assert not (tmp_path / "out").exists()
