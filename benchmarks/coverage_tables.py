"""The findings of `benchmarks.coverage` as the Markdown tables that docs/statistics.md includes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

TITLES = {
    "shares": "One share, p from 0.03 to 0.97: coverage",
    "paired shares": "The difference of two models' shares, p from 0.03 to 0.97: coverage, rejections of equal models",
    "win rates": "Win rates",
    "power": "True differences as large as what is called detectable: how often they are found",
    "means": "Means of one model's scores: coverage",
    "paired means": "Differences of two models' scores: coverage, and rejections of equal means",
    "strata": "Means over strata (right or wrong): coverage, and rejections where the mean over strata is equal",
    "clusters": "Ratings of two turns of a question: coverage, and rejections of equal models",
    "whole texts": "Reading ease of all answers as one text: coverage, and rejections of equal models",
    "seeds": "Recipes of several seeds, 100 questions: coverage, and rejections of equal recipes",
    "tables": "Twelve tests in a table, equal models: any rejection",
    "bounded means": "Means of bounded scores, mapped to 0..1: coverage, and the mean width in percent of the range",
    "bounded differences": "Differences of bounded scores, in -1..1: coverage, and mean width in percent of the range",
    "counts": "Means of counts: coverage, and the median width in percent of the true mean",
    "means over strata": "One model's mean over strata: coverage, and the mean width in percent of the range",
    "judged": "Ratings and win rates, two turns of a question: coverage, and the mean width in percent of the range",
    "averages": "The average of three shares and mc2: coverage, and the mean width in percent of the range",
    "whole texts, one model": "Reading ease of all answers of one model as one text: coverage, mean width in points",
    "kappa": "Cohen's kappa: coverage, and the mean width in percent of 1",
}
_OF_FEW = tuple(TITLES)[list(TITLES).index("bounded means") :]
_OF_P = ("shares", "paired shares")
_PLAIN = {"study", "what", "method", "exact", "share", "over_p", "least", "most", "marks"}


def render(records: Sequence[Record], experiments: int) -> str:
    """All studies, each a heading and a table; percent."""
    studies = dict.fromkeys(str(one["study"]) for one in records)
    return "\n".join(
        _section(study, [one for one in records if one["study"] == study], experiments) for study in studies
    )


def _section(study: str, records: Sequence[Record], experiments: int) -> str:
    lines = [f"#### {TITLES[study]}", ""]
    if study in _OF_P:
        lines += [f"Percent: mean over p, least, most; over all outcomes, or {experiments:,} experiments at each p."]
        rows = [
            [_label(one), str(one["n"]), *(_percent(one.get(key)) for key in ("share", "least", "most"))]
            for one in _of_p(records)
        ]
        return "\n".join([*lines, "", *_table(["method", "n", "mean", "least", "most"], rows), ""])
    most = f"up to {min(experiments, 4000):,}" if study in _OF_FEW else f"{experiments:,}"
    lines += [f"Percent of {most} experiments."]
    settings = list(dict.fromkeys(key for one in records for key in one if key not in _PLAIN))
    columns = list(dict.fromkeys((str(one["what"]), str(one["method"])) for one in records))
    cells: dict[tuple[str, ...], dict[tuple[str, str], float]] = defaultdict(dict)
    for one in records:
        cells[tuple(str(one.get(key, "")) for key in settings)][str(one["what"]), str(one["method"])] = one["share"]
    header = [*settings, *(f"{what}: {method}" for what, method in columns)]
    rows = [[*place, *(_percent(found.get(column)) for column in columns)] for place, found in cells.items()]
    return "\n".join([*lines, "", *_table(header, rows), ""])


def _of_p(records: Iterable[Record]) -> list[Record]:
    """Over all differences and correlations as well: one record a method and n."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for one in records:
        groups[one["what"], one["method"], one["exact"], one["n"]].append(one)
    found: list[Record] = []
    for (what, method, exact, n), parts in groups.items():
        weights = [part["over_p"] for part in parts]
        share = sum(part["share"] * weight for part, weight in zip(parts, weights, strict=True)) / sum(weights)
        least = min(part["least"] for part in parts)
        most = max(part["most"] for part in parts)
        found.append(
            {"what": what, "method": method, "exact": exact, "n": n, "share": share, "least": least, "most": most}
        )
    return sorted(found, key=lambda one: (one["what"], one["method"], not one["exact"]))


def _label(one: Record) -> str:
    return f"{one['what']}: {one['method']}{' (all outcomes)' if one['exact'] else ''}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(header)} |", "|" + "---|" * len(header), *(f"| {' | '.join(row)} |" for row in rows)]
