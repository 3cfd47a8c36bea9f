"""What a training writes while it runs: `metrics.jsonl`, `generations.jsonl`, marks on whole checkpoints."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.errors import PrerequisiteError, S2Error
from s2eval.files import jsonl
from s2train.training import processes

METRICS, GENERATIONS = "metrics.jsonl", "generations.jsonl"
WHOLE = "whole.json"  # in a checkpoint: its files with their sizes, written last
PREFIX = "checkpoint-"
BROKEN = "broken_batch"  # .pt, and .json to read


class DivergedError(S2Error):
    """A loss or a gradient is NaN or infinite."""


def keep_batch(folder: Path, batch: Mapping[str, Any], what: str, texts: Sequence[str], advice: str) -> DivergedError:
    """Save the batch that broke training, and give the error that says where it is.

    Args:
        batch: `step`, from 1, and tensors.
        what: is not finite.
        texts: of the batch, to read.
        advice: what may help.
    """
    import torch

    name = BROKEN if processes.is_first() else f"{BROKEN}.{processes.rank()}"
    step = batch["step"]
    torch.save(dict(batch), folder / f"{name}.pt")
    (folder / f"{name}.json").write_text(
        json.dumps({"step": step, "what": what, "texts": texts}, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    return DivergedError(
        f"step {step}: {what}. The batch is in {folder / name}.pt, to read in {name}.json. The newest whole "
        f"checkpoint is kept: {advice} may help"
    )


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add a line; NaN and infinity, which JSON has not, become null."""
    line = json.dumps({name: _finite(value) for name, value in record.items()}, ensure_ascii=False)
    with store.explain_os_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path) -> list[dict[str, Any]]:
    """The records; a line that a killed process left half-written is left out."""
    if not path.is_file():
        return []
    records: list[dict[str, Any]] = []
    for _, line in jsonl.lines(path):
        with suppress(ValueError):
            record = jsonl.parse(line)
            if isinstance(record, dict):
                records.append(record)
    return records


def cut(path: Path, step: int) -> None:
    """Leave out what was written after that step, since it will be written again."""
    kept = [record for record in read(path) if record.get("step", 0) <= step]
    if path.is_file():
        with store.write_atomically(path) as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)


def mark_whole(checkpoint: Path, **facts: Any) -> None:
    """Say that all of a checkpoint is written."""
    sizes = {str(path.relative_to(checkpoint)): path.stat().st_size for path in _files(checkpoint)}
    store.write_json(checkpoint / WHOLE, {"files": sizes, **facts})


def newest_whole(work: Path) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint to go on from, with the facts of its mark; later ones, which are not whole, are removed."""
    for step, checkpoint in sorted(_checkpoints(work), reverse=True):
        facts = _mark(checkpoint)
        if facts is not None:
            return checkpoint, {"step": step, **facts}
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def _checkpoints(work: Path) -> list[tuple[int, Path]]:
    numbers = ((path.name.removeprefix(PREFIX), path) for path in work.glob(f"{PREFIX}*") if path.is_dir())
    return [(int(number), path) for number, path in numbers if number.isdecimal()]


def _mark(checkpoint: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((checkpoint / WHOLE).read_text(encoding="utf-8"))
        sizes = facts.pop("files")
        whole = all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return facts if whole else None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != WHOLE)


def check_same_training(work: Path, identity: Mapping[str, Any]) -> None:
    """Write down whose checkpoints lie here; raise PrerequisiteError where they are another training's."""
    path = work / "training.json"
    if path.is_file():
        try:
            before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        differ = [name for name, value in identity.items() if before.get(name) != value]
        if differ and any(_checkpoints(work)):
            raise PrerequisiteError(
                f"{work}: another training was stopped there: its {_what(before, identity, differ)} differ. "
                "--fresh begins anew, out=DIR elsewhere"
            )
    store.write_json(path, identity)


def _what(before: Mapping[str, Any], now: Mapping[str, Any], differ: list[str]) -> str:
    names = [name for name in differ if name != "recipe"]
    old, new = _flat(before.get("recipe", {})), _flat(now["recipe"])
    names += sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return ", ".join(names[:6])


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {
        key: leaf for name, item in value.items() for key, leaf in _flat(item, f"{prefix}.{name}".lstrip(".")).items()
    }
