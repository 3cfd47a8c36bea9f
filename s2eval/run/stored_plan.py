"""The plan of a run, stored in its folder: `--status` answers from it without loading tasks, documents or tokenizers.

It is used as long as everything that it was made from is the same: the configuration, environment variables, installed
versions, and size and time of every file of models, data, tasks and code. Otherwise the run is planned anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval import paths, store
from s2eval.config import RunConfig
from s2eval.errors import PrerequisiteError
from s2eval.files import integrity

if TYPE_CHECKING:
    from s2eval.run.judges import Judged
    from s2eval.run.plan import Unit

FILE = ".plan.json"
_FORMAT = 1
_PACKAGES = ("s2eval", "lm-eval", "transformers", "torch", "datasets", "fschat", "peft", "tokenizers")
_VARIABLES = ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_HUB_OFFLINE", "S2EVAL_CACHE", "CUDA_VISIBLE_DEVICES")
_SECRET = ("KEY", "TOKEN")


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """One model on one task, as far as `--status` needs it; `s2eval.run.plan.Unit` has the rest.

    Attributes:
        names: all that `--only` may name it by.
        key: hash of its inputs.
        documents, requests: how many there are after the limit.
        answers: whether it is a question-answering task, whose answers BERTScore compares.
    """

    name: str
    names: tuple[str, ...]
    folder: Path
    key: str
    documents: int
    requests: int
    answers: bool

    @property
    def done(self) -> bool:
        """Whether its folder holds the result of the same inputs."""
        return store.is_done(self.folder, self.key)

    @property
    def problem(self) -> str:
        """What is broken of the result in its folder; "" where nothing is, or where there is none."""
        return store.unit_problem(self.folder) if self.folder.is_dir() else ""


@dataclass(frozen=True, slots=True)
class PlannedJudge:
    """A model and a judge; `sha256` is that of the numbers' file, if it held complete judgments, else ""."""

    name: str
    names: tuple[str, ...]
    questions: int
    path: Path
    sha256: str

    @property
    def done(self) -> bool:
        """Whether the numbers are those that were complete."""
        from s2eval.judge import results

        with suppress(OSError):
            return integrity.fingerprint(self.path).sha256 == self.sha256 and not results.problem(self.path)
        return False

    @property
    def problem(self) -> str:
        """What is broken of the numbers."""
        from s2eval.judge import results

        return results.problem(self.path) if self.path.exists() else ""


def write(run: Path, settings: RunConfig, units: Sequence[Unit], judged: Sequence[Judged]) -> None:
    """Store a plan in the run's folder, if that exists and can be written."""
    if not run.is_dir():
        return
    watched = sorted({str(path) for path in _watched(units)})
    stored = [{field.name: getattr(unit, field.name) for field in fields(PlannedUnit)} for unit in units]
    content = {
        "format": _FORMAT,
        "watched": watched,
        "inputs": _inputs(settings, watched),
        "units": [{**unit, "folder": unit["folder"].relative_to(run)} for unit in stored],
        "judges": [asdict(_planned_judge(part, run)) for part in judged],
        "files": integrity.measured(run),
    }
    with suppress(OSError, PrerequisiteError):
        store.write_sealed(run / FILE, content)


def read(run: Path, settings: RunConfig) -> list[PlannedUnit | PlannedJudge] | None:
    """The stored plan; None where there is none, or something that it was made from has changed."""
    try:
        content = json.loads((run / FILE).read_text(encoding="utf-8"))
        if integrity.SEAL not in content or not integrity.seal_holds(content) or content["format"] != _FORMAT:
            return None
        if content["inputs"] != _inputs(settings, content["watched"]):
            return None
        for record in (*content["units"], *content["judges"]):
            record["names"] = tuple(record["names"])
        units = [PlannedUnit(**{**unit, "folder": run / unit["folder"]}) for unit in content["units"]]
        judges = [PlannedJudge(**{**judge, "path": run / judge["path"]}) for judge in content["judges"]]
        integrity.prime(run, content["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return [*units, *judges]


def _planned_judge(judged: Judged, run: Path) -> PlannedJudge:
    from s2eval.judge import results

    path = results.path_of(run, judged.suite, judged.settings, judged.entry.name)
    sha256 = ""
    with suppress(OSError, ValueError, KeyError, TypeError):
        if not json.loads(path.read_text(encoding="utf-8"))["facts"]["failed"]:
            sha256 = integrity.fingerprint(path).sha256
    return PlannedJudge(judged.name, judged.names, len(judged.suite.questions), path.relative_to(run), sha256)


def _inputs(settings: RunConfig, watched: Sequence[str]) -> str:
    """Hash of everything that the plan was made from."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name in _VARIABLES or (name.startswith("S2_") and not any(word in name for word in _SECRET))
    }
    content = {
        "settings": settings.model_dump(mode="json"),
        "folder": str(Path.cwd()),
        "variables": variables,
        "versions": {name: _version(name) for name in _PACKAGES},
        "accelerator": Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists(),
        "files": [list(_signatures(Path(path))) for path in watched],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _watched(units: Sequence[Unit]) -> Iterator[Path]:
    """Folders and files that decide on documents, prompts and models."""
    yield from (Path(__file__).parents[1], paths.tasks(), paths.judges())
    if data := os.environ.get("S2_DATA_DIR"):
        yield Path(data).expanduser().absolute()
    for name in {name for unit in units for name in (unit.spec.pretrained, unit.spec.peft) if name}:
        folder = Path(name).expanduser()
        if folder.exists():
            yield folder.absolute()
        else:  # where the hub's cache notes which commit a name stands for
            from huggingface_hub.constants import HF_HUB_CACHE

            yield Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "refs"


def _signatures(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, size and times of a file, or of all files below a folder; nothing where there is none."""
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.suffix != ".pyc" and file.is_file():
            stat = file.stat()
            yield str(file.relative_to(path)), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
