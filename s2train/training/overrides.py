"""`key=value` on the command line: dotted keys into a configuration, values read as YAML."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import yaml


def override(raw: dict[str, Any], assignments: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The mapping with the assignments made in their order, and what is wrong with those that could not be made.

    >>> override({"model": {"base": "a"}}, ["model.base=b", "arguments.learning_rate=1e-4"])
    ({'model': {'base': 'b'}, 'arguments': {'learning_rate': '1e-4'}}, [])
    """
    made, problems = deepcopy(raw), list[str]()
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not all(key.split(".")):
            problems.append(f"{assignment!r}: expected key=value, with dots for keys in keys")
            continue
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            problems.append(f"{key}: {text!r} is no YAML: {' '.join(str(error).split())}")
            continue
        _set(made, key, value, problems)
    return made, problems


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
