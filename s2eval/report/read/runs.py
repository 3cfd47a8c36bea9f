"""A run folder of ours: its configuration and the units that stand for it. Tables and comparisons read it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from s2eval import store
from s2eval.errors import ConfigError, DataError
from s2eval.files import Json, JsonObject, yamltext
from s2eval.identity import Identity, key_of
from s2eval.judge.verdicts.parsers import Parser
from s2eval.report.read.items import LogContents, Scored, of_unit

_LISTS = ("tasks", "unfinished", "metrics", "judges")
_LONGEST = 40  # characters of a value in a name


@dataclass(frozen=True, slots=True)
class RunModels:
    """The models of a folder: name → entry in the configuration, which is empty where there is none."""

    folder: Path
    config: JsonObject = field(default_factory=dict[str, Json])
    models: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])

    def names(self, key: str) -> list[str]:
        """A list of the configuration, such as `tasks`; empty where it has none."""
        listed = self.config.get(key)
        return [str(name) for name in listed] if isinstance(listed, list) else []

    def identity(self, name: str, *part: str) -> Identity:
        """Of a model's result on a part; the settings of a model that the configuration lacks are not known."""
        model = self.models.get(name)
        if model is None:
            return Identity(name, part, None, {}, str(self.folder))
        template = model.get("template") or self.config.get("template")  # some tasks have none, whatever it is
        task_settings = {"template": f"template {template}"} if template else {}
        return Identity(name, part, _settings_of(model, self.config), task_settings, str(self.folder))


def _settings_of(model: JsonObject, run: JsonObject) -> dict[str, str]:
    """Setting → how a name shows it; defaults are left out."""
    written = model.get("args")
    arguments = dict(written) if isinstance(written, dict) else {}
    revision, dtype = arguments.pop("revision", None), model.get("dtype")

    def shown(value: Json) -> str:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        return text if len(text) <= _LONGEST else key_of({"": text})[:8]

    settings = {
        "model": str(model.get("model") or "").removeprefix("./").rstrip("/"),
        "revision": "" if revision in (None, "main") else str(revision),
        "dtype": "" if dtype in (None, "auto") else str(dtype),
        **{name: f"{name}={shown(arguments[name])}" for name in sorted(arguments)},
        **{name: f"{name} {run[name]}" for name in ("limit", "max_tokens") if run.get(name)},
    }
    return {setting: text for setting, text in settings.items() if text}


@dataclass(frozen=True)
class StoredRun:
    """The results in a run folder.

    Attributes:
        scored: complete units of the configuration's tasks; units of an earlier configuration may lie there too.
        broken: what is wrong with units whose files are missing or changed.
        missing: folders of units that should exist and do not.
        has_units: whether there is a folder of any unit, complete or not.
    """

    models: RunModels
    scored: tuple[Scored, ...]
    broken: tuple[str, ...]
    missing: tuple[Path, ...]
    has_units: bool


def read_run(folder: Path, *, texts: bool = True) -> StoredRun:
    """Read a run folder, which has a `run.yaml`; without `texts` nothing that tables do not need."""
    models = configured(folder)
    tasks, unfinished = sorted({*models.names("tasks")}), models.names("unfinished")
    scored: list[Scored] = []
    broken: list[str] = []
    missing: list[Path] = []
    for name, model in models.models.items():
        for task in tasks:
            path = folder / name / task
            if f"{name}/{task}" in unfinished:
                continue
            if not path.is_dir():
                missing.append(path)
                continue
            try:
                unit = store.read_unit(path, texts=texts)
            except DataError as error:
                broken.append(str(error))
                continue
            group, seed = str(model.get("group") or ""), model.get("seed")
            identity = models.identity(unit.model, unit.task, "", "")
            scored.append(of_unit(unit, str(folder), identity, group, seed if isinstance(seed, int) else None))
    folders = [path for name in models.models for path in (folder / name).glob("*") if path.is_dir()]
    has_units = any((path / store.UNIT).exists() or path.name in tasks for path in folders)
    return StoredRun(models, tuple(scored), tuple(broken), tuple(missing) if scored or broken else (), has_units)


def configured(folder: Path) -> RunModels:
    """The models of a run's `run.yaml`, which people edit and disks cut: DataError where it is not one of a run."""
    path = folder / store.RUN
    try:
        config: Json = yamltext.read_run(path)
        if not isinstance(config, dict) or not isinstance(listed := config["models"], list):
            raise TypeError("models is no list")
        config["name"] = str(config["name"])
        models: dict[str, JsonObject] = {}
        for model in listed:
            if not isinstance(model, dict):
                raise TypeError("a model is no mapping")
            name = model["name"] = str(model["name"])
            model["model"] = str(model.get("model", ""))
            if name in ("", ".", "..") or any(char in name for char in "/\0"):
                raise ValueError(f"a model's name, {name!r}, is no folder of the run")
            models[name] = model
        for key in _LISTS:
            if not isinstance(config.get(key) or [], list):
                raise TypeError(f"{key} is no list")
    except (OSError, ConfigError, yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = " ".join(str(error).split())[:300] if not isinstance(error, KeyError) else f"{error} is missing"
        raise DataError(f"{path}: not the configuration of a run ({why or type(error).__name__})") from error
    return RunModels(folder, config, models)


def has_run(path: Path) -> bool:
    """Whether a folder is a run's."""
    return (path / store.RUN).is_file()


def read_scored(path: Path, parser: Parser) -> LogContents:
    """What the finished units of a run folder scored; nothing of other folders."""
    del parser
    if not has_run(path):
        return LogContents()
    run = read_run(path)
    unfinished = run.models.names("unfinished")
    remarks = [f"{path}: not finished, so not compared: {', '.join(unfinished)}"] if unfinished else []
    return LogContents(run.scored, remarks=(*remarks, *(f"not compared: {problem}" for problem in run.broken)))
