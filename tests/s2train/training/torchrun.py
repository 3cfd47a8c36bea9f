"""s2train's commands in two processes, by torchrun and gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

ROOT = Path(__file__).parents[3]
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def launched(stage: str, raw: dict[str, Any], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in two processes."""
    path = folder / f"{stage}.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    command = [*LAUNCH, str(Path(__file__).with_name("ranks.py")), str(folder), stage, str(path)]
    more = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, timeout=280, check=False
    )


def in_two(stage: str, raw: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """The same; it must go well, and both processes must hold the same weights, bit for bit."""
    done = launched(stage, raw, folder)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
    return done
