"""Trackers, which get the metrics too: none by default. They are no part of what makes a training the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.errors import PrerequisiteError

if TYPE_CHECKING:
    from transformers import Trainer

USUAL = ("wandb", "tensorboard", "trackio")  # packages of their own name
FIELDS = ("report_to", "run_name", "project")  # of transformers' arguments
ReportTo = str | Sequence[str] | None


def _names(report_to: ReportTo) -> Iterator[str]:
    """Of trackers; transformers itself finds `all`."""
    for name in [report_to] if isinstance(report_to, str) else report_to or ():
        if name not in ("none", "all"):
            yield name


def known(report_to: ReportTo) -> ReportTo:
    """The value of `report_to`, if transformers knows all of it; else ValueError."""
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    for name in _names(report_to):
        if name not in INTEGRATION_TO_CALLBACK:
            raise ValueError(f"{name!r}: no tracker; expected {', '.join(USUAL)}, or another one of transformers'")
    return report_to


def check_installed(report_to: ReportTo, key: str) -> None:
    """Raise PrerequisiteError for one that is not installed; `key` is the configuration's, for the message."""
    for name in _names(report_to):
        if name in USUAL and not find_spec(name):
            raise PrerequisiteError(f"{key}: {name} is not installed: pip install {name}")


def keep(trainer: Trainer, folder: Path) -> None:
    """Have TensorBoard's files written there, unless TENSORBOARD_LOGGING_DIR names another folder; the one that
    transformers would choose is removed when training ends."""
    from transformers.integrations.integration_utils import TensorBoardCallback

    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)
