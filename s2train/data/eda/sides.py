"""Whether the two sides of a set are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2eval.report.document import Block, Prose, TextTable
from s2train.data.eda.chart_kinds import ChartKind
from s2train.data.eda.charts import charts
from s2train.data.eda.comparing import NEGLIGIBLE, Comparison, compare
from s2train.data.eda.folder import Measured
from s2train.data.eda.histograms import Group, cumulative
from s2train.data.eda.measures import Measure
from s2train.data.eda.names import Part, tables
from s2train.data.eda.numbers import SUMMARY, shown, summary
from s2train.data.eda.tallies import Histogram, Tally
from s2train.data.eda.topics import words
from s2train.data.eda.words import contrast


def train_validation(measured: Measured, measures: Sequence[Measure]) -> Iterator[Block]:
    """Whether both sides are alike: two-sample measures, a sentence of what they mean, curves, words."""
    if not measured.train.pairs or not measured.validation.pairs:
        empty = "train" if not measured.train.pairs else "validation"
        yield Prose(f"There is nothing to compare: {empty} is empty.")
        return
    both = [
        (measure, train, validation)
        for measure in measures
        if (train := measured.train.number(measure.name)) is not None
        and (validation := measured.validation.number(measure.name)) is not None
        and len(train.bins | validation.bins) > 1
    ]
    if not both:
        yield Prose("There is nothing to compare: all pairs are alike in every measure.")
        return
    compared = [
        (
            measure,
            compare(
                train, validation, _drawn(train, measured.train), _drawn(validation, measured.validation), len(both)
            ),
        )
        for measure, train, validation in both
    ]
    yield Prose(_verdict(compared, min(measured.train.drawn, measured.validation.drawn)))
    rows: list[list[str]] = []
    kinds: list[ChartKind] = []
    for (measure, train, validation), (_, comparison) in zip(both, compared, strict=True):
        distances = [
            shown(comparison.d, 2),
            shown(comparison.d_by_chance, 2),
            shown(comparison.gap, 3),
            shown(comparison.gap_by_chance, 3),
        ]
        rows.append([measure.name, "train", *summary(measure, train), *distances])
        rows.append(["", "validation", *summary(measure, validation), *[""] * len(distances)])
        groups: list[Group] = [("train", "one", train), ("validation", "other", validation)]
        note = f"D = {comparison.gap:.3f}; by chance up to {comparison.gap_by_chance:.3f}."
        kinds.append(cumulative(measure, groups, note))
    yield TextTable(["", "", *SUMMARY, "d", "by chance", "D", "by chance"], rows, words=(0, 1))
    yield charts(kinds)
    parts: list[Part] = [("train", "one", measured.train), ("validation", "other", measured.validation)]
    yield from tables(parts)
    if measured.kept.words.total:
        apart = contrast(measured.train.words, measured.validation.words, measured.kept.pairs)
        yield from words(apart, ("train", measured.train.pairs), ("validation", measured.validation.pairs))


def _drawn(numbers: Histogram, tally: Tally) -> int:
    return min(numbers.n, tally.drawn)


def _verdict(compared: Sequence[tuple[Measure, Comparison]], smaller: int) -> str:
    apart = [measure.name for measure, comparison in compared if comparison.apart]
    if apart:
        text = (
            f"The sides differ in {', '.join(apart)} by more than a random split gives in 95% of cases: there "
            "validation is no sample of what train holds."
        )
    else:
        text = (
            f"None of the {len(compared)} measures tells the sides apart: d and D are within what a random split gives "
            "in 95% of cases."
        )
    least = min((comparison.gap_by_chance for _, comparison in compared), default=0.0)
    text += f" With {smaller:,} questions on the smaller side, differences of D below {least:.2f} cannot be seen."
    largest = max((abs(comparison.d or 0.0) for _, comparison in compared), default=0.0)
    if largest < NEGLIGIBLE:
        text += f" The largest |d| is {largest:.2f}, and below {NEGLIGIBLE} it is taken as negligible."
    return text
