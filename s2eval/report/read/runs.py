"""A run folder of ours: its configuration and the units that stand for it. Tables and comparisons read it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from s2eval import store
from s2eval.errors import DataError
from s2eval.judge.verdicts.parsers import Parser
from s2eval.records import Unit
from s2eval.report.read import run_config
from s2eval.report.read.items import TEMPLATE, Found, Scored, of_unit
from s2eval.report.read.run_settings import RunModels


@dataclass(frozen=True)
class StoredRun:
    """What lies in a run folder.

    Attributes:
        models: of the configuration, in its order, and what determined their results.
        units: that are complete, of the configuration's tasks. Units of an earlier one may lie there too.
        broken: what is wrong with units whose files are missing or changed.
        missing: folders of units that should be there and are not.
        unfinished: `model/task` of units that the run had not ended.
        has_units: whether there is a folder of any unit, complete or not.
    """

    models: RunModels
    units: tuple[Unit, ...]
    broken: tuple[str, ...]
    missing: tuple[Path, ...]
    unfinished: tuple[str, ...]
    has_units: bool

    @property
    def scored(self) -> tuple[Scored, ...]:
        """What each document of the units scored."""
        return tuple(
            of_unit(
                unit,
                conditions(unit.facts),
                str(self.models.folder),
                self.group(unit.model),
                self.models.models[unit.model].get("seed"),
                self.models.identity(unit.model, unit.task, "", ""),
            )
            for unit in self.units
        )

    def group(self, model: str) -> str:
        """Of a model; "" where it has none."""
        return str(self.models.models[model].get("group") or "")


def read_run(folder: Path, *, texts: bool = True) -> StoredRun:
    """Read a run folder.

    Args:
        folder: has a `run.yaml`.
        texts: whether prompts and answers are read too; tables need none.

    Raises:
        DataError: its `run.yaml` is none.
    """
    models = configured(folder)
    tasks = sorted({str(name) for name in models.config.get("tasks") or ()})
    unfinished = tuple(str(name) for name in models.config.get("unfinished") or ())
    wanted = [folder / model / task for model in models.models for task in tasks]
    wanted = [path for path in wanted if f"{path.parent.name}/{path.name}" not in unfinished]
    units: list[Unit] = []
    broken: list[str] = []
    for path in wanted:
        if path.is_dir():
            try:
                units.append(store.read_unit(path, texts=texts))
            except DataError as error:
                broken.append(str(error))
    missing = tuple(path for path in wanted if not path.is_dir()) if units or broken else ()
    folders = [path for name in models.models for path in (folder / name).glob("*") if path.is_dir()]
    has_units = any((path / store.UNIT).exists() or path.name in tasks for path in folders)
    return StoredRun(models, tuple(units), tuple(broken), missing, unfinished, has_units)


def configured(folder: Path) -> RunModels:
    """The models of a run's configuration."""
    config = run_config.read(folder)
    return RunModels(folder, config, {str(model["name"]): model for model in config["models"]})


def has_run(path: Path) -> bool:
    """Whether a folder is a run's."""
    return (path / store.RUN).is_file()


def read_scored(path: Path, parser: Parser) -> Found:
    """What the finished units of a run folder scored; nothing of other folders."""
    del parser
    if not has_run(path):
        return Found()
    run = read_run(path)
    remarks = [f"{path}: not finished, so not compared: {', '.join(run.unfinished)}"] if run.unfinished else []
    return Found(run.scored, (), (*remarks, *(f"not compared: {problem}" for problem in run.broken)))


def conditions(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of a unit of a run. Prompts are compared document by document; the template says why they differ."""
    inputs = cast("Mapping[str, Any]", facts.get("inputs") or {})
    template = f"{facts['template']} ({facts.get('template_hash')})" if facts.get("template") else ""
    decoding = dict(cast("Mapping[str, Any]", inputs.get("decoding") or {}))
    decoding.pop("until", None)  # what ends an answer belongs to the template
    known = {
        "task version": text_of(inputs.get("version")),
        "shots": text_of(inputs.get("shots")),
        TEMPLATE: template,
        "decoding": json.dumps(decoding, sort_keys=True) if decoding else "",
    }
    return {name: value for name, value in known.items() if value}


def text_of(value: Any) -> str:
    """A setting as conditions show it; "" where it is not known."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
