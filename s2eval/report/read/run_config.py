"""`run.yaml` of a run folder, as far as a report needs it, checked: people edit it, and disks cut it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml

from s2eval import store
from s2eval.errors import ConfigError, DataError
from s2eval.files import yamltext

_LISTS = ("tasks", "unfinished", "metrics", "judges")


def read(folder: Path) -> dict[str, Any]:
    """The configuration: `name`, `models` with a `name` each, and lists of texts or nothing for `tasks` and the like.

    Raises:
        DataError: it is no configuration of a run.
    """
    path = folder / store.RUN
    try:
        config: Any = yamltext.read_run(path)
        _check(config)
    except (OSError, ConfigError, yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = " ".join(str(error).split())[:300] if not isinstance(error, KeyError) else f"{error} is missing"
        raise DataError(f"{path}: not the configuration of a run ({why or type(error).__name__})") from error
    return cast("dict[str, Any]", config)


def _check(config: Any) -> None:
    if not isinstance(config, dict) or not isinstance(cast("dict[str, Any]", config)["models"], list):
        raise TypeError("models is no list")
    settings = cast("dict[str, Any]", config)
    settings["name"] = str(settings["name"])
    for model in cast("list[Any]", settings["models"]):
        if not isinstance(model, dict):
            raise TypeError("a model is no mapping")
        entry = cast("dict[str, Any]", model)
        entry["name"], entry["model"] = str(entry["name"]), str(entry.get("model", ""))
        if entry["name"] in ("", ".", "..") or any(char in entry["name"] for char in "/\0"):
            raise ValueError(f"a model's name, {entry['name']!r}, is no folder of the run")
    for key in _LISTS:
        if not isinstance(settings.get(key) or [], list):
            raise TypeError(f"{key} is no list")
