"""Whether train and validation are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2eval.report.document import Block, Chart, Charts, Prose, TextTable
from s2train.data.eda.charts import Group, cumulative
from s2train.data.eda.comparing import NEGLIGIBLE, Comparison, compare
from s2train.data.eda.folder import Measured
from s2train.data.eda.measures import Measure
from s2train.data.eda.names import varied
from s2train.data.eda.numbers import SUMMARY, shown, summary
from s2train.data.eda.topics import contrast_words


def train_validation(measured: Measured, measures: Sequence[Measure]) -> Iterator[Block]:
    """A sentence on whether the sides are alike, two-sample measures, curves, names and words."""
    train, validation = measured.train, measured.validation
    if not train.pairs or not validation.pairs:
        yield Prose(f"There is nothing to compare: {'validation' if train.pairs else 'train'} is empty.")
        return
    both = [
        (measure, first, second)
        for measure in measures
        if (first := train.numbers.get(measure.name)) and (second := validation.numbers.get(measure.name))
        if len(first.bins | second.bins) > 1
    ]
    if not both:
        yield Prose("There is nothing to compare: all pairs are alike in every measure.")
        return
    compared: dict[str, Comparison] = {}
    rows: list[list[str]] = []
    charts: list[Chart] = []
    for measure, first, second in both:
        sizes = min(first.n, train.drawn), min(second.n, validation.drawn)
        comparison = compared[measure.name] = compare(first, second, *sizes, len(both))
        means = shown(comparison.d, 2), shown(comparison.d_by_chance, 2)
        gaps = shown(comparison.gap, 3), shown(comparison.gap_by_chance, 3)
        rows.append([measure.name, "train", *summary(measure, first), *means, *gaps])
        rows.append(["", "validation", *summary(measure, second), *[""] * 4])
        groups: list[Group] = [("train", "after", first), ("validation", "other", second)]
        note = f"D = {comparison.gap:.3f}; by chance up to {comparison.gap_by_chance:.3f}."
        charts.append(cumulative(measure, groups, note))
    yield Prose(_verdict(compared, min(train.drawn, validation.drawn)))
    yield TextTable(["", "", *SUMMARY, "d", "by chance", "D", "by chance"], rows, words=(0, 1))
    yield Charts(charts)
    for names in varied([("train", "after", train), ("validation", "other", validation)]):
        yield names.table()
    if measured.kept.words.total:
        yield from contrast_words(("train", train), ("validation", validation))


def _verdict(compared: dict[str, Comparison], smaller: int) -> str:
    apart = [name for name, comparison in compared.items() if comparison.apart]
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
    least = min(comparison.gap_by_chance for comparison in compared.values())
    text += f" With {smaller:,} questions on the smaller side, differences of D below {least:.2f} cannot be seen."
    largest = max(abs(comparison.d or 0.0) for comparison in compared.values())
    if largest < NEGLIGIBLE:
        text += f" The largest |d| is {largest:.2f}, and below {NEGLIGIBLE} it is taken as negligible."
    return text
