"""Sources, categories, years and question words of pairs, as tables and as bars."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from s2eval.report.document import Chart, Prose, TextTable
from s2train.data.eda import measures as m
from s2train.data.eda.charts import Style, bars
from s2train.data.eda.numbers import percent
from s2train.data.eda.tallies import Tally
from s2train.data.eda.words import NO_WORD, QUESTION_WORDS, YES_OR_NO

Part = tuple[str, Style, Tally]
"""A name, its style, and its pairs."""

_MOST = 12  # sources or categories shown


@dataclass(frozen=True, slots=True)
class Names:
    """How many pairs of each part have each name of one kind."""

    kind: str
    parts: Sequence[Part]
    counts: Sequence[dict[Hashable, int]]

    @property
    def different(self) -> set[Hashable]:
        return {name for counts in self.counts for name in counts}

    @property
    def shown(self) -> list[Hashable]:
        """Question words and years in their order, of all else the most frequent of the first part."""
        if self.kind == m.QUESTION_WORD:
            return [name for name in (*QUESTION_WORDS, YES_OR_NO, NO_WORD) if name in self.different]
        if self.kind == m.YEAR:
            return sorted(self.different, key=str)
        return sorted(self.different, key=lambda name: (-self.counts[0].get(name, 0), str(name)))[:_MOST]

    def table(self) -> TextTable:
        names = self.shown
        totals = [sum(counts.values()) for counts in self.counts]
        rows = {str(name): [counts.get(name, 0) for counts in self.counts] for name in names}
        rest = [total - sum(column) for total, column in zip(totals, zip(*rows.values(), strict=True), strict=True)]
        if any(rest):
            rows["others"] = rest
        cells = [
            [name, *(cell for count, total in zip(row, totals, strict=True) for cell in _cells(count, total))]
            for name, row in rows.items()
        ]
        return TextTable([self.kind, *(head for name, _, _ in self.parts for head in (name, "%"))], cells)

    def chart(self) -> Chart:
        names = self.shown
        series: list[tuple[str, Style, list[float]]] = []
        alt = f"Shares by {self.kind}."
        for (part, style, _), counts in zip(self.parts, self.counts, strict=True):
            total = sum(counts.values())
            series.append((part, style, [counts.get(name, 0) / max(total, 1) * 100 for name in names]))
            alt += f" {part}: {', '.join(f'{name} {percent(counts.get(name, 0), total)}' for name in names)}."
        return bars(self.kind, "pairs (%)", [str(name) for name in names], series, alt)


def _cells(count: int, total: int) -> tuple[str, str]:
    return f"{count:,}", percent(count, total).removesuffix("%")


def names_of(parts: Sequence[Part]) -> list[Names]:
    """The kinds of names, a record each."""
    kinds = (m.QUESTION_WORD, m.SOURCE, m.CATEGORY, m.YEAR)
    return [Names(kind, parts, [tally.shares(kind) for _, _, tally in parts]) for kind in kinds]


def varied(parts: Sequence[Part]) -> list[Names]:
    """The kinds of which the pairs have several names."""
    return [names for names in names_of(parts) if len(names.different) > 1]


def shared(parts: Sequence[Part]) -> Iterator[Prose]:
    """The names that all pairs have in common, a sentence each."""
    pairs = sum(tally.pairs for _, _, tally in parts)
    for names in names_of(parts):
        if names.different == {m.UNKNOWN}:
            yield Prose(f"The {names.kind} of no pair is known.")
        elif len(names.different) == 1:
            some = "" if pairs == sum(sum(counts.values()) for counts in names.counts) else " that have one"
            yield Prose(f"The {names.kind} of all pairs{some}: {next(iter(names.different))}.")
