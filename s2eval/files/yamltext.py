"""YAML as this project reads it: numbers as YAML 1.2 has them, every key once, and a limit to everything.

PyYAML follows YAML 1.1, to which `1e-5` is a text, `12:30` the number 750 and `010` the number 8; it takes the last of
two equal keys, follows aliases as often as they stand there, and recurses as deep as a file nests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError

from s2eval.errors import ConfigError
from s2eval.files import Json

MOST_BYTES = 1 << 20
MOST_WRITTEN = 30_000  # values
MOST_NODES = 100_000  # values, with every alias counted as what it stands for
MOST_DEPTH = 64
_DIGITS = 100  # of a number
_BOOLEAN = re.compile(r"(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$"
    r"|\.(?:nan|NaN|NAN)$"
)
_NOTHING = re.compile(r"(?:~|null|Null|NULL|)$")

Place = tuple[object, ...]
"""Keys and positions from the top: ("models", 0, "name")."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands in its file: the line from 1 (0 = it does not), and a scalar as it was written."""

    line: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, and where each part of it stands."""

    value: Any
    marks: Mapping[Place, Mark] = field(default_factory=dict[Place, Mark])


def parse(text: str, where: str, *, old: bool = False) -> Document:
    """A YAML document; with `old` numbers as YAML 1.1 has them, by whose rules files of 0.1.0 were written.

    Raises:
        ConfigError: it is no YAML, has a key twice, or is larger, deeper or fuller of aliases than any configuration.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(where, [f"{len(text):,} characters; a configuration has {MOST_BYTES:,} at most"])
    try:
        loader = (_OldLoader if old else _Loader)(text)
    except yaml.YAMLError as error:  # a character that no YAML may have
        raise ConfigError(where, [_message(error)]) from None
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        marks: dict[Place, Mark] = {}
        value = loader.construct_document(node)
        _collect(loader, node, (), marks)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(where, [_message(error)]) from None
    finally:
        loader.dispose()
    return Document(value, marks)


def read_run(path: Path) -> Json:
    """The `run.yaml` of a run folder, of this version or an older one; errors as of `parse` and `Path.read_text`."""
    return parse(path.read_text(encoding="utf-8"), str(path), old=True).value


def dump(content: object) -> str:
    """The text of a value, such that any version of YAML reads the same in it."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _RefusedError(ComposerError):
    """YAML, but none that a configuration may be."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the rules of this module."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's name and kind)

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._nodes = self._written = 0
        self._sizes: dict[int, int] = {}  # of composed nodes, by their id

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _RefusedError(None, None, f"more than {MOST_DEPTH} levels in one another", event.start_mark)
        node = Composer.compose_node(self, parent, index)
        self._depth -= 1
        if alias:
            if id(node) not in self._sizes:
                raise _RefusedError(None, None, f"*{event.anchor} stands inside of itself", event.start_mark)
            self._nodes += self._sizes[id(node)]
        else:
            self._nodes += 1
            self._written += 1
            self._sizes[id(node)] = self._nodes - before
        if self._nodes > MOST_NODES or self._written > MOST_WRITTEN:
            what = f"more than {MOST_WRITTEN:,} values"
            if self._nodes > MOST_NODES:
                what = f"more than {MOST_NODES:,} values, where aliases (*name) are written out"
            raise _RefusedError(None, None, what, event.start_mark)
        return node

    def compose_mapping_node(self, anchor: dict[str, yaml.Node]) -> yaml.MappingNode:
        """As PyYAML's; a key that stands there twice is an error, one that `<<` brings as well is not."""
        node = Composer.compose_mapping_node(self, anchor)
        seen: dict[tuple[str, str], yaml.Node] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                first = seen.setdefault((key.tag, key.value), key)
                if first is not key:
                    line = first.start_mark.line + 1
                    what = f"the key {key.value!r} stands there twice, first in line {line}"
                    raise _RefusedError(None, None, what, key.start_mark)
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """As PyYAML's; a number that no setting holds is an error."""
        value = 1 << 64 if len(node.value) > _DIGITS else super().construct_yaml_int(node)
        if abs(value) >= 1 << 64:
            raise _RefusedError(None, None, "a number beyond 64 bits", node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


class _OldLoader(_Loader):
    yaml_implicit_resolvers = yaml.SafeLoader.yaml_implicit_resolvers


_TIMESTAMP = next(
    pattern for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers["1"] if tag.endswith(":timestamp")
)
for _tag, _pattern, _first in (
    ("bool", _BOOLEAN, [*"yYnNtTfFoO"]),
    ("float", _FLOAT, [*"-+0123456789."]),
    ("int", _INTEGER, [*"-+0123456789"]),
    ("timestamp", _TIMESTAMP, [*"0123456789"]),
    ("merge", re.compile(r"<<$"), ["<"]),
    ("null", _NOTHING, ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, _first)


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would take for something else than a text."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Nothing is written by alias."""
        return True


_Dumper.yaml_implicit_resolvers = {
    letter: [*yaml.SafeDumper.yaml_implicit_resolvers.get(letter, []), *_Loader.yaml_implicit_resolvers.get(letter, [])]
    for letter in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
}


def _collect(loader: _Loader, node: yaml.Node, place: Place, marks: dict[Place, Mark]) -> None:
    """The mark of a node and of all in it."""
    text = node.value if isinstance(node, yaml.ScalarNode) else None
    marks[place] = Mark(node.start_mark.line + 1, text)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _collect(loader, item, (*place, number), marks)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            name = loader.construct_object(key) if isinstance(key, yaml.ScalarNode) else None
            _collect(loader, item, (*place, name), marks)
            marks[(*place, name, "[key]")] = Mark(key.start_mark.line + 1, getattr(key, "value", None))


def _message(error: Exception) -> str:
    """What is wrong, on one line, with its own line first where the parser knows it."""
    if isinstance(error, RecursionError):
        return f"more than {MOST_DEPTH} levels in one another"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and (mark := error.problem_mark or error.context_mark):
        problem = f"{error.context}: {error.problem}" if error.context else error.problem
        kind = "" if isinstance(error, _RefusedError) else "not YAML: "
        return f"{kind}line {mark.line + 1}: {' '.join(problem.split())}"
    return f"not YAML: {' '.join(str(error).split())}"
