"""What a training writes while it runs: `metrics.jsonl`, `generations.jsonl`, marks on complete checkpoints."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from s2eval import store
from s2eval.errors import PrerequisiteError, S2Error
from s2eval.files import jsonl
from s2train.training import processes

METRICS, GENERATIONS = "metrics.jsonl", "generations.jsonl"
COMPLETE = "whole.json"  # in a checkpoint: its files with their sizes, written last
PREFIX = "checkpoint-"
BROKEN = "broken_batch"  # .pt, and .json to read


class DivergedError(S2Error):
    """A loss or a gradient is NaN or infinite."""


class Resumed(NamedTuple):
    """The checkpoint from which training resumes, with the facts of its mark."""

    step: int
    folder: Path
    facts: dict[str, Any]


def save_broken_batch(
    folder: Path, batch: Mapping[str, object], problem: str, texts: Sequence[str], advice: str
) -> DivergedError:
    """Save the batch that broke training; the error that names it, its problem, and what may help.

    `batch` holds `step`, from 1, and tensors; `texts` are to read.
    """
    import torch

    name = BROKEN if processes.is_first() else f"{BROKEN}.{processes.rank()}"
    step = batch["step"]
    torch.save(dict(batch), folder / f"{name}.pt")
    (folder / f"{name}.json").write_text(
        json.dumps({"step": step, "what": problem, "texts": texts}, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    return DivergedError(
        f"step {step}: {problem}. The batch is in {folder / name}.pt, to read in {name}.json. The newest complete "
        f"checkpoint is kept: {advice} may help"
    )


def append(path: Path, record: Mapping[str, object]) -> None:
    """Add a line; NaN and infinity, which JSON has not, become null."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }
    with store.explain_os_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(finite, ensure_ascii=False) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The records; a line that a killed process left half-written is left out."""
    records: list[dict[str, Any]] = []
    if path.is_file():
        for _, line in jsonl.lines(path):
            with suppress(ValueError):
                record = jsonl.parse(line)
                if isinstance(record, dict):
                    records.append(record)
    return records


def cut(path: Path, step: int) -> None:
    """Remove what was written after that step, since it will be written again."""
    if path.is_file():
        records = [record for record in read(path) if record.get("step", 0) <= step]
        with store.write_atomically(path) as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def mark_complete(checkpoint: Path, **facts: object) -> None:
    """Record that all of a checkpoint is written."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE)
    sizes = {str(path.relative_to(checkpoint)): path.stat().st_size for path in files}
    store.write_json(checkpoint / COMPLETE, {"files": sizes, **facts})


def newest_complete(work: Path) -> Resumed | None:
    """The checkpoint from which to resume; later ones, which are not complete, are removed."""
    for step, checkpoint in sorted(checkpoints(work), reverse=True):
        with suppress(OSError, ValueError, KeyError, AttributeError):
            facts = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
            sizes = facts.pop("files")
            if all((checkpoint / name).stat().st_size == size for name, size in sizes.items()):
                return Resumed(step, checkpoint, facts)
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def checkpoints(work: Path) -> Iterator[tuple[int, Path]]:
    """Steps and folders, in no order."""
    for path in work.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX)
        if path.is_dir() and number.isdecimal():
            yield int(number), path


def check_same_training(work: Path, identity: Mapping[str, object]) -> None:
    """Record whose checkpoints lie here; raise PrerequisiteError where they are another training's."""
    path = work / "training.json"
    if path.is_file():
        try:
            before: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        differ = [name for name, value in identity.items() if before.get(name) != value and name != "recipe"]
        old, new = _flat(before.get("recipe", {})), _flat(identity["recipe"])
        differ += sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        if differ and any(checkpoints(work)):
            raise PrerequisiteError(
                f"{work}: another training was stopped there: its {', '.join(differ[:6])} differ. "
                "--fresh restarts it, out=DIR trains elsewhere"
            )
    store.write_json(path, identity)


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Leaves by their dotted keys."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {
        key: leaf for name, item in value.items() for key, leaf in _flat(item, f"{prefix}.{name}".lstrip(".")).items()
    }
