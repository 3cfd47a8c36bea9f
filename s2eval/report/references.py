"""The published numbers of `results/reference/*.csv`, as printed, for `--reference paper`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from s2eval import paths
from s2eval.errors import PrerequisiteError, UnknownNameError

Key = tuple[str, str, str, str]
"""(model row, table, data set, metric)."""


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """One printed number, with the digits of the document.

    Attributes:
        model: the row's canonical name; see `results/reference/README.md` for its name in the document.
        table: the CSV's name without ending (`leaderboard`, `rouge`, …).
        dataset: `ELI5`, `wiki` or `full`; "" in tables with one row a model.
        source: the document, its date and its table.
    """

    model: str
    table: str
    dataset: str
    metric: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class References:
    """All published numbers, by model row, table, data set and metric."""

    numbers: Mapping[Key, PublishedNumber]

    @property
    def model_rows(self) -> tuple[str, ...]:
        """The values of `reference:` in a configuration, sorted."""
        return tuple(sorted({number.model for number in self.numbers.values()}))

    def check(self, model_row: str) -> None:
        """Raise `UnknownNameError` if no table has that row."""
        if model_row not in self.model_rows:
            see = str(paths.references() / "README.md")
            raise UnknownNameError("reference row", model_row, self.model_rows, see=see)

    def published(self, model_row: str, table: str, dataset: str, metric: str) -> str | None:
        """The number as printed; None where that table has no such row or column.

        Raises:
            UnknownNameError: no table at all has a row `model_row`.
        """
        self.check(model_row)
        number = self.numbers.get((model_row, table, dataset, metric))
        return number.text if number else None

    def sources(self, table: str) -> tuple[str, ...]:
        """What the numbers of `table` were taken from, each source once."""
        return tuple(dict.fromkeys(number.source for number in self.numbers.values() if number.table == table))


def measured_less_published(measured: float | None, published: str) -> float | None:
    """None where either is missing."""
    try:
        return None if measured is None else measured - float(published)
    except ValueError:  # a dash
        return None


@cache
def load_references(folder: Path | None = None) -> References:
    """Every CSV of `folder`, by default of the packaged one; PrerequisiteError where there is none."""
    folder = folder or paths.references()
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise PrerequisiteError(
            f"no published numbers in {folder}: the installation is incomplete. Install s2eval again from its checkout "
            "or wheel"
        )
    numbers: dict[Key, PublishedNumber] = {}
    for file in files:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            for line in csv.DictReader(stream):
                dataset = line.get("dataset", "")
                for metric, text in line.items():
                    if metric not in ("model", "dataset", "source"):
                        key = (line["model"], file.stem, dataset, metric)
                        numbers[key] = PublishedNumber(*key, text, line["source"])
    return References(numbers)
