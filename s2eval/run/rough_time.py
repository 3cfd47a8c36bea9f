"""A guess of a unit's time in no time, until the run itself shows its pace; `estimate` counts tokens instead."""

from __future__ import annotations

from pathlib import Path

from s2eval.config import RunConfig
from s2eval.run.plan import Unit

_PARAMETERS = 135e6  # of the model that the seconds are of
_CHOICE = 0.3  # seconds a request on two cores
_ANSWER = 4.0  # seconds an answer, likewise
_ACCELERATOR = 50.0  # times as fast


def rough_seconds(unit: Unit, config: RunConfig) -> float:
    """Seconds, by the number of requests, the size of the weights and the device."""
    from s2eval.models.backend.hf import best_device

    seconds = unit.requests * (_ANSWER / config.batch_size * 2 if unit.answers else _CHOICE)
    device = unit.entry.device or best_device()
    size = _weights(unit) / 2 / _PARAMETERS  # two bytes a parameter
    return seconds * max(size, 0.1) / (1.0 if device.startswith("cpu") else _ACCELERATOR)


def _weights(unit: Unit) -> float:
    """Bytes of the weights' files; of a model that is not in a folder here, those of the common case."""
    folder = Path(unit.spec.pretrained or "").expanduser()
    if not folder.is_dir():
        return 2 * _PARAMETERS
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) or 2 * _PARAMETERS
