"""Trackers, which get the metrics too: none unless asked for. They are no part of what makes a training the same."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from s2eval.errors import PrerequisiteError

USUAL = ("wandb", "tensorboard", "trackio")  # packages of their own name
FIELDS = ("report_to", "run_name", "project")  # of transformers' arguments


def names(report_to: str | Sequence[str] | None) -> list[str]:
    """Those that are meant; transformers itself finds `all` that there are."""
    given = [report_to] if isinstance(report_to, str) else list(report_to or [])
    return [name for name in given if name not in ("none", "all")]


def known(report_to: Any) -> Any:
    """The value of `report_to`, if transformers knows all of it; else ValueError."""
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    for name in names(report_to):
        if name not in INTEGRATION_TO_CALLBACK:
            raise ValueError(f"{name!r}: no tracker; expected {', '.join(USUAL)}, or another one of transformers'")
    return report_to


def check_installed(report_to: str | Sequence[str] | None, key: str) -> None:
    """Raise PrerequisiteError for one that is not installed.

    Args:
        key: of the configuration, for the message.
    """
    for name in names(report_to):
        if name in USUAL and not find_spec(name):
            raise PrerequisiteError(f"{key}: {name} is not installed: pip install {name}")


def keep(trainer: Any, folder: Path) -> None:
    """Have TensorBoard's files written there; the folder that transformers would choose goes when training ends.

    Args:
        trainer: transformers'. Where TENSORBOARD_LOGGING_DIR says another folder, it is that.
    """
    from transformers.integrations.integration_utils import TensorBoardCallback

    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)
