"""`key=value` on the command line: dotted keys into a configuration, values as the fields take them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from s2eval.errors import ConfigError
from s2eval.files import yamlfile, yamltext
from s2eval.files.yamltext import Document, Mark, Place


def override(
    raw: dict[str, Any], assignments: Iterable[str], model: type[BaseModel] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The mapping with the assignments made in their order, and what is wrong with those that could not be made.

    A field of text takes its argument as it was typed (`out=runs/a #2`, `007`, `12:30`); any other value is YAML. An
    optional text is taken away by `null`.

    Args:
        model: what the mapping is to be; None: all values are YAML.

    >>> override({"model": {"base": "a"}}, ["model.base=b", "arguments.learning_rate=1e-4"])
    ({'model': {'base': 'b'}, 'arguments': {'learning_rate': 0.0001}}, [])
    """
    made, problems = deepcopy(raw), list[str]()
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not all(key.split(".")):
            problems.append(f"{assignment!r}: expected key=value, with dots for keys in keys")
            continue
        try:
            value = _value(text, key, model)
        except ConfigError as error:
            problems.append(f"{key}: {text[:80]!r} is no YAML: {error.problems[0]}")
            continue
        _set(made, key, value, problems)
    return made, problems


def override_document(
    document: Document, assignments: Iterable[str], model: type[BaseModel] | None = None
) -> tuple[dict[str, Any], dict[Place, Mark], list[str]]:
    """`override` of what a file holds: the mapping, where its parts stand in the file, and what is wrong."""
    given = list(assignments)
    raw, problems = override(document.value, given, model)
    typed = {tuple(assignment.partition("=")[0].split(".")) for assignment in given}
    marks = {place: mark for place, mark in document.marks.items() if not any(place[: len(t)] == t for t in typed)}
    return raw, {**marks, **dict.fromkeys(typed, Mark(0))}, problems


def _value(text: str, key: str, model: type[BaseModel] | None) -> Any:
    """What was typed, as the field takes it."""
    annotation = yamlfile.annotation_of(model, tuple(key.split("."))) if model else None
    if annotation is None:
        return yamltext.parse(text, key).value
    if text == "null" and yamlfile.takes(annotation, type(None)):
        return None
    text_alone = yamlfile.takes(annotation, str)
    section = yamlfile.takes(annotation, dict)
    try:
        value = yamltext.parse(text, key).value
    except ConfigError:
        if text_alone:
            return text
        raise
    if text_alone:
        kept = value is not None and not isinstance(value, str) and yamlfile.takes(annotation, type(value))
        return value if kept else text
    return text if section and isinstance(value, str | bool | int | float) else value  # a name in a section's place


def _set(made: dict[str, Any], key: str, value: Any, problems: list[str]) -> None:
    *sections, last = key.split(".")
    place: Any = made
    for depth, section in enumerate(sections, 1):
        if place.get(section) is None:
            place[section] = {}
        place = place[section]
        if not isinstance(place, dict):
            problems.append(f"{key}: {'.'.join(sections[:depth])} holds {place!r}, which has no keys")
            return
    place[last] = value
