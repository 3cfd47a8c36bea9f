"""`s2train …` in however many processes started this; each leaves what it trained in FOLDER/RANK.pt.

The environment's DIE=RANK:STEP kills a process at the end of a step.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from s2train.cli import main
from s2train.training import models, processes
from s2train.training import run as runs
from s2train.training.trainers import Recorder

FOLDER = Path(sys.argv[1])
train = runs._train


def keep(job: Any, trainer: Any, found: Any) -> None:
    """Train, and write down what came out."""
    train(job, trainer, found)
    torch.save(models.trained(trainer.model), FOLDER / f"{processes.rank()}.pt")


def die(_: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
    """At the end of the step."""
    if os.environ.get("DIE") == f"{processes.rank()}:{state.global_step}":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    runs._train = keep
    Recorder.on_step_end = die  # type: ignore[method-assign]
    processes.hush()
    raise SystemExit(main(sys.argv[2:]))
