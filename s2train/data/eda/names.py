"""What pairs are one of: sources, categories, years, question words; as tables and as bars."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from s2eval.report.document import Prose, TextTable
from s2train.data.eda import measures as m
from s2train.data.eda.chart_kinds import Bars, Series, Style
from s2train.data.eda.numbers import NOTHING, percent
from s2train.data.eda.tallies import Tally
from s2train.data.eda.words import ASKED, NO_WORD, YES_OR_NO

OTHERS = "others"

Part = tuple[str, Style, Tally]
"""A name, its style, and its pairs."""

_QUESTIONS = (*ASKED, YES_OR_NO, NO_WORD)
_LABELS = 12


def bars(parts: Sequence[Part]) -> list[Bars]:
    """The share of each question word, source, category and year; a chart each, where there are several."""
    return [_bars(kind, parts, columns) for kind, columns in _columns(parts).items() if len(_different(columns)) > 1]


def tables(parts: Sequence[Part]) -> list[TextTable]:
    """The same, with how many pairs each has."""
    return [_table(kind, parts, columns) for kind, columns in _columns(parts).items() if len(_different(columns)) > 1]


def shared(parts: Sequence[Part]) -> Iterator[Prose]:
    """What all pairs are of."""
    pairs = sum(tally.pairs for _, _, tally in parts)
    for kind, columns in _columns(parts).items():
        different = _different(columns)
        if different == {m.UNKNOWN}:
            yield Prose(f"The {kind} of no pair is known.")
        elif len(different) == 1:
            some = "" if pairs == sum(sum(counts.values()) for counts in columns) else " that have one"
            yield Prose(f"The {kind} of all pairs{some}: {next(iter(different))}.")


def _columns(parts: Sequence[Part]) -> dict[str, list[dict[Hashable, int]]]:
    return {kind: [tally.shares(kind) for _, _, tally in parts] for kind in (m.ASKS, m.SOURCE, m.CATEGORY, m.YEAR)}


def _different(columns: Sequence[Mapping[Hashable, int]]) -> set[Hashable]:
    return {name for counts in columns for name in counts}


def _table(kind: str, parts: Sequence[Part], columns: Sequence[Mapping[Hashable, int]]) -> TextTable:
    names = _shown(kind, columns)
    totals = [sum(counts.values()) for counts in columns]
    rows = [[str(name), *_cells([counts.get(name, 0) for counts in columns], totals)] for name in names]
    rest = [total - sum(counts.get(name, 0) for name in names) for counts, total in zip(columns, totals, strict=True)]
    if any(rest):
        rows.append([OTHERS, *_cells(rest, totals)])
    return TextTable([kind, *(head for name, _, _ in parts for head in (name, "%"))], rows)


def _cells(counts: Sequence[int], totals: Sequence[int]) -> Iterator[str]:
    for count, total in zip(counts, totals, strict=True):
        yield f"{count:,}"
        yield f"{count / total * 100:.1f}" if total else NOTHING


def _bars(kind: str, parts: Sequence[Part], columns: Sequence[Mapping[Hashable, int]]) -> Bars:
    names = _shown(kind, columns)
    series = [
        Series(name, style, [counts.get(label, 0) for label in names], sum(counts.values()))
        for (name, style, _), counts in zip(parts, columns, strict=True)
    ]
    shares = " ".join(
        f"{part.name}: {', '.join(f'{name} {percent(count, part.all)}' for name, count in _named(names, part))}."
        for part in series
    )
    return Bars(kind, "pairs (%)", [str(name) for name in names], series, alt=f"Shares by {kind}. {shares}")


def _named(names: Sequence[Hashable], series: Series) -> Iterator[tuple[str, int]]:
    for name, value in zip(names, series.values, strict=True):
        yield str(name), int(value)


def _shown(kind: str, columns: Sequence[Mapping[Hashable, int]]) -> list[Hashable]:
    """Question words in their order, years in theirs, of all else the most frequent of the first part."""
    names = _different(columns)
    if kind == m.ASKS:
        return [name for name in _QUESTIONS if name in names]
    if kind == m.YEAR:
        return sorted(names, key=str)
    return sorted(names, key=lambda name: (-columns[0].get(name, 0), str(name)))[:_LABELS]
