"""What a report says of one set: its funnel, before against after the filters, train against validation, topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2eval.report.document import Block, Prose, Section, TextTable
from s2train.data.build.manifest import SetMade
from s2train.data.eda import measures as m
from s2train.data.eda.chart_kinds import ChartKind
from s2train.data.eda.charts import charts
from s2train.data.eda.folder import Measured
from s2train.data.eda.funnels import examples, funnel, templates
from s2train.data.eda.histograms import Group, distribution
from s2train.data.eda.names import Part, bars, shared, tables
from s2train.data.eda.numbers import SUMMARY, summary
from s2train.data.eda.sides import train_validation
from s2train.data.eda.tallies import Tally, merged
from s2train.data.eda.topics import topics, words
from s2train.data.eda.words import contrast
from s2train.data.filters import Filters


def set_section(one: Measured, made: SetMade | None, filters: Filters | None) -> Section:
    """All of one set.

    Args:
        made: what the manifest says of it.
        filters: the thresholds it was filtered by.
    """
    parts: list[Section] = []
    if made is not None and made.funnel:
        parts.append(
            Section(
                "What was left out",
                [*funnel(made.read, made.funnel), *templates(made.lost_templates), *examples(made.funnel)],
            )
        )
    title = "All pairs" if one.left_out is None else "Before against after the filters"
    parts.append(Section(title, list(_distributions(one, filters))))
    parts.append(Section("Train against validation", list(train_validation(one, m.PAIR))))
    spoken = list(topics(one))
    if spoken:
        parts.append(Section("Topics", spoken))
    return Section(one.name, [], parts)


def _distributions(one: Measured, filters: Filters | None) -> Iterator[Block]:
    """Before and after the filters; what there is, where nobody knows what was before."""
    sides = f"{one.train.pairs:,} in train and {one.validation.pairs:,} in validation"
    if one.left_out is None:
        parts: list[Part] = [("all", "after", one.kept)]
        yield Prose(f"There are {one.kept.pairs:,} pairs, {sides}.")
        yield _summaries([("all", one.kept)])
    else:
        before = merged((one.kept, one.left_out))
        parts = [("before", "before", before), ("after", "after", one.kept)]
        yield Prose(
            f"Before the filters there are {before.pairs:,} pairs, after them {one.kept.pairs:,}: {sides}. What is "
            "left out here was left out by a filter, as a near-duplicate, or as contained in an evaluation set."
        )
        yield _summaries([("before", before), ("left out", one.left_out), ("after", one.kept)])
    kinds: list[ChartKind] = []
    for measure in m.PAIR:
        groups: list[Group] = [
            (name, style, numbers)
            for name, style, tally in parts
            if (numbers := tally.number(measure.name)) is not None
        ]
        if groups:
            kinds += distribution(measure, groups, _bounds(measure, filters))
    yield charts([*kinds, *bars(parts)])
    yield from tables(parts)
    yield from shared(parts)
    if one.left_out is not None:
        found = contrast(one.kept.words, one.left_out.words, one.kept.pairs + one.left_out.pairs)
        yield from words(found, ("kept", one.kept.pairs), ("left out", one.left_out.pairs))


def _summaries(parts: Sequence[tuple[str, Tally]]) -> TextTable:
    rows = [
        [measure.name if number == 0 else "", name, *summary(measure, tally.number(measure.name))]
        for measure in m.PAIR
        if any(tally.number(measure.name) for _, tally in parts)
        for number, (name, tally) in enumerate(parts)
    ]
    return TextTable(["", "", *SUMMARY], rows, words=(0, 1))


def _bounds(measure: m.Measure, filters: Filters | None) -> list[float]:
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
