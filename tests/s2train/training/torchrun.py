"""s2train's commands in two processes, by gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from tests import processes

ROOT = Path(__file__).parents[3]
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
RANKS = str(Path(__file__).with_name("ranks.py"))


def launched(stage: str, raw: dict[str, Any], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in two processes, by torchrun."""
    command = [*LAUNCH, RANKS, *_arguments(stage, raw, folder)]
    more = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, timeout=280, check=False
    )


def _arguments(stage: str, raw: dict[str, Any], folder: Path) -> list[str]:
    path = folder / f"{stage}.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return [str(folder), stage, str(path)]


def in_ranks(
    stage: str, raw: dict[str, Any], folder: Path, **environment: str
) -> list[subprocess.CompletedProcess[str]]:
    """The command in two processes that know of one another as torchrun's do."""
    return processes.ranks([sys.executable, RANKS, *_arguments(stage, raw, folder)], **environment)


def in_two(stage: str, raw: dict[str, Any], folder: Path) -> str:
    """The same; both must end well and hold the same weights, bit for bit. What they printed."""
    done = in_ranks(stage, raw, folder)
    assert [rank.returncode for rank in done] == [0, 0], "".join(rank.stderr[-3000:] for rank in done)
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
    return "".join(rank.stdout for rank in done)
