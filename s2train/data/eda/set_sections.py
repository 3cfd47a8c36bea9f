"""The section of one set: its funnel, before against after the filters, train against validation, topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2eval.report.document import Block, Chart, Charts, Details, Prose, Section, TextTable
from s2train.data.build.manifest import SetMade
from s2train.data.eda import measures as m
from s2train.data.eda.charts import Group, distribution
from s2train.data.eda.folder import Measured
from s2train.data.eda.funnels import examples, funnel
from s2train.data.eda.names import Part, shared, varied
from s2train.data.eda.numbers import SUMMARY, summary
from s2train.data.eda.sides import train_validation
from s2train.data.eda.tallies import merged
from s2train.data.eda.topics import contrast_words, topics
from s2train.data.filters.config import Filters


def set_section(measured: Measured, manifest: SetMade | None, filters: Filters | None) -> Section:
    """Of the set, what the folder's manifest holds of it, and the thresholds it was filtered by."""
    parts: list[Section] = []
    if manifest is not None and manifest.funnel:
        blocks = list(funnel(manifest.read, manifest.funnel))
        if lost := manifest.lost_templates:
            rows = [[name, f"{count:,}"] for name, count in lost.items()]
            table = TextTable(["template", "sentences left out"], rows, words=(0,))
            blocks.append(Details(f"{sum(lost.values()):,} sentences held a template whose text is not known", table))
        parts.append(Section("What was left out", [*blocks, *examples(manifest.funnel)]))
    title = "All pairs" if measured.left_out is None else "Before against after the filters"
    parts.append(Section(title, list(_distributions(measured, filters))))
    parts.append(Section("Train against validation", list(train_validation(measured, m.PAIR))))
    if blocks := list(topics(measured.kept)):
        parts.append(Section("Topics", blocks))
    return Section(measured.name, [], parts)


def _distributions(measured: Measured, filters: Filters | None) -> Iterator[Block]:
    """Before and after the filters; all pairs, where it is not known what was left out."""
    kept, left_out = measured.kept, measured.left_out
    sides = f"{measured.train.pairs:,} in train and {measured.validation.pairs:,} in validation"
    if left_out is None:
        parts: list[Part] = [("all", "after", kept)]
        summarised = {"all": kept}
        yield Prose(f"There are {kept.pairs:,} pairs, {sides}.")
    else:
        before = merged((kept, left_out))
        parts = [("before", "before", before), ("after", "after", kept)]
        summarised = {"before": before, "left out": left_out, "after": kept}
        yield Prose(
            f"Before the filters there are {before.pairs:,} pairs, after them {kept.pairs:,}: {sides}. What "
            "is left out here was left out by a filter, as a near-duplicate, or as contained in an evaluation set."
        )
    rows = [
        [measure.name if number == 0 else "", name, *summary(measure, tally.numbers.get(measure.name))]
        for measure in m.PAIR
        if any(measure.name in tally.numbers for tally in summarised.values())
        for number, (name, tally) in enumerate(summarised.items())
    ]
    yield TextTable(["", "", *SUMMARY], rows, words=(0, 1))
    charts: list[Chart] = []
    for measure in m.PAIR:
        groups: list[Group] = [
            (name, style, tally.numbers[measure.name]) for name, style, tally in parts if measure.name in tally.numbers
        ]
        if groups:
            charts += distribution(measure, groups, _bounds(measure, filters))
    names = varied(parts)
    yield Charts([*charts, *(kind.chart() for kind in names)])
    yield from (kind.table() for kind in names)
    yield from shared(parts)
    if left_out is not None:
        yield from contrast_words(("kept", kept), ("left out", left_out))


def _bounds(measure: m.Measure, filters: Filters | None) -> list[float]:
    """The thresholds of the filters that ran on this measure."""
    if filters is None:
        return []
    length, readability = filters.length, filters.readability
    bounds: dict[m.Measure, tuple[str, Sequence[float | None]]] = {
        m.QUESTION_WORDS: ("length", (length.min_question_words, length.max_question_words)),
        m.ANSWER_WORDS: ("length", (length.min_answer_words, length.max_answer_words)),
        m.EASE: ("readability", (readability.min_fre,)),
        m.GRADE: ("readability", (readability.max_fkg,)),
    }
    if filters.toxicity.classifier == m.CLASSIFIER:
        bounds[m.ANSWER_TOXICITY] = bounds[m.QUESTION_TOXICITY] = ("toxicity", (filters.toxicity.max_probability,))
    name, numbers = bounds.get(measure, ("", ()))
    return [number for number in numbers if number is not None and name in filters.order]
