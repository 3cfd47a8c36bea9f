"""A YAML file as a pydantic model: every error of the file at once, each with the nearest right name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError

from s2eval.errors import ConfigError, nearest
from s2eval.key_names import suggestion

Model = TypeVar("Model", bound=BaseModel)


def load(
    path: Path,
    model: type[Model],
    keys: str,
    *,
    defaults: Mapping[str, Any] | None = None,
    context: Any = None,
) -> Model:
    """Read and check a file.

    Args:
        path: the file.
        model: what it must look like.
        keys: some that are expected, for the message where it holds no mapping.
        defaults: top-level keys that the file may leave out.
        context: for the model's validators.

    Raises:
        ConfigError: with every error of the file, each on a line.
    """
    try:
        return model.model_validate({**(defaults or {}), **read(path, keys)}, context=context)
    except ValidationError as error:
        raise ConfigError(str(path), problems(error, model)) from error


def read(path: Path, keys: str) -> dict[str, Any]:
    """The mapping that a YAML file holds, unchecked.

    Raises:
        ConfigError: it cannot be read, is no YAML, or no mapping.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [error.strerror or str(error)]) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date such as 2024-99-99
        raise ConfigError(str(path), [f"not YAML: {' '.join(str(error).split())}"]) from error
    if not isinstance(raw, dict):
        raise ConfigError(str(path), [f"expected keys such as {keys}"])
    return cast("dict[str, Any]", raw)


def problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each error of pydantic's as `key.path: what is wrong`, with the nearest key or value where one is close."""
    lines: list[str] = []
    for item in error.errors(include_url=False):
        where = ".".join(str(step) for step in item["loc"])
        kind = item["type"]
        if kind == "extra_forbidden":
            known = _keys(model, item["loc"][:-1])
            lines.append(f"{where}: unknown key{suggestion(str(item['loc'][-1]), known, _sections(model))}")
        elif kind == "literal_error":
            expected = str(item.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
            lines.append(f"{where}: unknown name {item['input']!r}{_nearest(str(item['input']), expected)}")
        elif kind == "missing":
            lines.append(f"{where}: missing")
        else:
            lines.append((f"{where}: " if where else "") + item["msg"].removeprefix("Value error, "))
    return lines


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at that place."""
    for step in location:
        field = model.model_fields.get(str(step)) if isinstance(step, str) else None
        sections = list(_models(field.annotation)) if field else []
        model = sections[0] if sections else model
    return list(model.model_fields)


def _sections(model: type[BaseModel], prefix: str = "") -> dict[str, list[str]]:
    """Keys by section, dotted; sections in lists and under names of the user's are left out."""
    found = {prefix: list(model.model_fields)}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= _sections(field.annotation, f"{prefix}.{name}".lstrip("."))
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold, itself or in a list, mapping or union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _nearest(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    return f"; did you mean {close!r}?" if close else f"; known: {', '.join(known)}"
