"""`key=value` on the command line: dotted keys into a configuration, values as the fields take them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from pydantic import BaseModel

from s2eval.errors import ConfigError
from s2eval.files import yamlfile, yamltext
from s2eval.files.yamltext import Document, Mark, Place


def override(
    raw: dict[str, object], assignments: Iterable[str], model: type[BaseModel] | None = None
) -> tuple[dict[str, object], list[str]]:
    """The mapping with the assignments made in their order, and what is wrong with those that could not be made.

    A field of text of `model` takes its argument as it was typed (`out=runs/a #2`, `007`, `12:30`); any other value is
    YAML. An optional text is removed by `null`.

    >>> override({"model": {"base": "a"}}, ["model.base=b", "arguments.learning_rate=1e-4"])
    ({'model': {'base': 'b'}, 'arguments': {'learning_rate': 0.0001}}, [])
    """
    changed, problems = deepcopy(raw), list[str]()
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
        *sections, last = key.split(".")
        place = changed
        for depth, section in enumerate(sections, 1):
            if place.get(section) is None:
                place[section] = {}
            inner = place[section]
            if not isinstance(inner, dict):
                problems.append(f"{key}: {'.'.join(sections[:depth])} holds {inner!r}, which has no keys")
                break
            place = inner
        else:
            place[last] = value
    return changed, problems


def override_document(
    document: Document, assignments: Iterable[str], model: type[BaseModel] | None = None
) -> tuple[dict[str, object], dict[Place, Mark], list[str]]:
    """`override` of what a file holds: the mapping, where its parts stand in the file, and what is wrong."""
    listed = list(assignments)
    raw, problems = override(document.value, listed, model)
    typed = {tuple(assignment.partition("=")[0].split(".")) for assignment in listed}
    marks = {place: mark for place, mark in document.marks.items() if not any(place[: len(t)] == t for t in typed)}
    return raw, {**marks, **dict.fromkeys(typed, Mark(0))}, problems


def _value(text: str, key: str, model: type[BaseModel] | None) -> object:
    """What was typed, as the field takes it."""
    annotation = yamlfile.annotation_of(model, tuple(key.split("."))) if model else None
    if annotation is None:
        return yamltext.parse(text, key).value
    if text == "null" and yamlfile.takes(annotation, type(None)):
        return None
    takes_text = yamlfile.takes(annotation, str)
    try:
        value: object = yamltext.parse(text, key).value
    except ConfigError:
        if takes_text:
            return text
        raise
    if takes_text:
        other = value is not None and not isinstance(value, str) and yamlfile.takes(annotation, type(value))
        return value if other else text
    in_place_of_section = yamlfile.takes(annotation, dict) and isinstance(value, str | bool | int | float)
    return text if in_place_of_section else value
