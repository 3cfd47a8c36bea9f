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


def train_validation(one: Measured, measures: Sequence[Measure]) -> Iterator[Block]:
    """Whether both sides are alike: two-sample measures, a sentence of what they mean, curves, words."""
    if not one.train.pairs or not one.validation.pairs:
        empty = "train" if not one.train.pairs else "validation"
        yield Prose(f"There is nothing to compare: {empty} is empty.")
        return
    both = [
        (measure, train, validation)
        for measure in measures
        if (train := one.train.number(measure.name)) is not None
        and (validation := one.validation.number(measure.name)) is not None
        and len(train.bins | validation.bins) > 1
    ]
    if not both:
        yield Prose("There is nothing to compare: all pairs are alike in every measure.")
        return
    found = [
        (measure, compare(train, validation, _drawn(train, one.train), _drawn(validation, one.validation), len(both)))
        for measure, train, validation in both
    ]
    yield Prose(_verdict(found, min(one.train.drawn, one.validation.drawn)))
    rows: list[list[str]] = []
    kinds: list[ChartKind] = []
    for (measure, train, validation), (_, told) in zip(both, found, strict=True):
        distances = [shown(told.d, 2), shown(told.d_by_chance, 2), shown(told.gap, 3), shown(told.gap_by_chance, 3)]
        rows.append([measure.name, "train", *summary(measure, train), *distances])
        rows.append(["", "validation", *summary(measure, validation), *[""] * len(distances)])
        groups: list[Group] = [("train", "one", train), ("validation", "other", validation)]
        note = f"D = {told.gap:.3f}; by chance up to {told.gap_by_chance:.3f}."
        kinds.append(cumulative(measure, groups, note))
    yield TextTable(["", "", *SUMMARY, "d", "by chance", "D", "by chance"], rows, words=(0, 1))
    yield charts(kinds)
    parts: list[Part] = [("train", "one", one.train), ("validation", "other", one.validation)]
    yield from tables(parts)
    if one.kept.words.total:
        apart = contrast(one.train.words, one.validation.words, one.kept.pairs)
        yield from words(apart, ("train", one.train.pairs), ("validation", one.validation.pairs))


def _drawn(numbers: Histogram, tally: Tally) -> int:
    return min(numbers.n, tally.drawn)


def _verdict(found: Sequence[tuple[Measure, Comparison]], smaller: int) -> str:
    apart = [measure.name for measure, told in found if told.apart]
    if apart:
        said = (
            f"The sides differ in {', '.join(apart)} by more than a random split gives in 95% of cases: there "
            "validation is no sample of what train holds."
        )
    else:
        said = (
            f"None of the {len(found)} measures tells the sides apart: d and D are within what a random split gives in "
            "95% of cases."
        )
    seen = min((told.gap_by_chance for _, told in found), default=0.0)
    said += f" With {smaller:,} questions on the smaller side, differences of D below {seen:.2f} cannot be seen."
    largest = max((abs(told.d or 0.0) for _, told in found), default=0.0)
    if largest < NEGLIGIBLE:
        said += f" The largest |d| is {largest:.2f}, and below {NEGLIGIBLE} it is taken as negligible."
    return said
