"""What determined the results of a run's models, from its `run.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from s2eval.identity import Identity, key_of

_LONGEST = 40  # characters of a value in a name


@dataclass(frozen=True, slots=True)
class RunModels:
    """The models of a folder.

    Attributes:
        folder: as the user wrote it.
        config: of the run; empty where there was none.
        models: name → its entry in the configuration.
    """

    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    def identity(self, name: str, *part: str) -> Identity:
        """Of a model's result on a part; the settings of a model that the configuration lacks are not known."""
        model = self.models.get(name)
        if model is None:
            return Identity(name, part, None, {}, str(self.folder))
        template = model.get("template") or self.config.get("template")  # some tasks have none, whatever it is
        task_settings = {"template": f"template {template}"} if template else {}
        return Identity(name, part, _settings_of(model, self.config.get("limit")), task_settings, str(self.folder))


def _settings_of(model: Mapping[str, Any], limit: Any) -> dict[str, str]:
    """Setting → how a name shows it; defaults are left out."""
    arguments = dict(cast("Mapping[str, Any]", model.get("args") or {}))
    revision, dtype = arguments.pop("revision", None), model.get("dtype")
    settings = {
        "model": str(model.get("model") or "").removeprefix("./").rstrip("/"),
        "revision": "" if revision in (None, "main") else str(revision),
        "dtype": "" if dtype in (None, "auto") else str(dtype),
        **{name: f"{name}={_text(arguments[name])}" for name in sorted(arguments)},
        "limit": f"limit {limit}" if limit else "",
    }
    return {setting: shown for setting, shown in settings.items() if shown}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else key_of({"": text})[:8]
