"""A table of one kind of thing: our own entries, which one file lists, and those that other packages bring.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Colour:
    ...     name: str
    >>> colours = Registry("colour", [Colour("red"), Colour("green")], see="s2eval ls colours")
    >>> sorted(colours), colours.find("green")
    (['green', 'red'], Colour(name='green'))

A package of somebody else's adds to a table by an entry point of the table's group whose value is an entry:

    [project.entry-points."s2eval.metrics"]
    brevity = "my_package:BREVITY"

Everything that must know the kinds (help, allowed values, `ls`, columns, messages) reads the table; nothing else names
an entry. docs/extending.md describes each table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, Protocol, TypeVar

from s2eval.errors import PrerequisiteError, UnknownNameError, UsageError


class Named(Protocol):
    """What a table may hold: a record with a name."""

    @property
    def name(self) -> str:
        """By which users call it."""
        ...


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Name → entry, in the order in which they are listed; entry points of `group` are loaded at the first use.

    `kind` is what messages call an entry ("metric"), `see` the command that lists the table.
    """

    def __init__(
        self, kind: str, entries: Iterable[Entry] = (), *, group: str | None = None, see: str | None = None
    ) -> None:
        self.kind = kind
        self.group = group
        self.see = see
        self._entries: dict[str, Entry] = {}
        self._complete = group is None
        for entry in entries:
            self.register(entry)

    def register(self, entry: Entry) -> Entry:
        """Add an entry and return it; UsageError where another entry has its name."""
        if self._entries.get(entry.name, entry) is not entry:
            raise UsageError(f"two entries are named {self.kind} {entry.name!r}; rename one of them")
        self._entries[entry.name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Take an entry out again."""
        del self._entries[name]

    def find(self, name: str) -> Entry:
        """The entry of that name; UnknownNameError, with the closest name, where there is none."""
        if name not in self:
            raise UnknownNameError(self.kind, name, list(self), see=self.see)
        return self[name]

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            self._load()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        if self._complete or self.group is None:
            return
        for point in entry_points(group=self.group):
            try:
                entry = point.load()
            except Exception as error:
                package = f"of the package {point.dist.name} " if point.dist else ""
                raise PrerequisiteError(
                    f"the entry point {point.group}: {point.name} = {point.value} {package}cannot be loaded "
                    f"({type(error).__name__}: {error}). Update or uninstall that package"
                ) from error
            self.register(entry)
        self._complete = True
