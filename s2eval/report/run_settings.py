"""What determined the results of a run's models, from its `run.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from s2eval.identity import key_of

_LONGEST = 40  # characters of a value in a name


def settings_of(config: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, str]:
    """Setting → how a name shows it, as of `s2eval.identity.Identity`; defaults are left out.

    Args:
        config: the run's.
        model: the model's entry in it.
    """
    arguments = dict(cast("Mapping[str, Any]", model.get("args") or {}))
    revision, dtype = arguments.pop("revision", None), model.get("dtype")
    template = model.get("template") or config.get("template")
    settings = {
        "model": str(model.get("model") or ""),
        "revision": "" if revision in (None, "main") else str(revision),
        "dtype": "" if dtype in (None, "auto") else str(dtype),
        **{name: f"{name}={_text(arguments[name])}" for name in sorted(arguments)},
        "template": f"template {template}" if template else "",
        "limit": f"limit {config['limit']}" if config.get("limit") else "",
    }
    return {setting: shown for setting, shown in settings.items() if shown}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else key_of({"": text})[:8]
