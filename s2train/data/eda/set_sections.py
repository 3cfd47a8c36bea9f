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
from s2train.data.filters.config import Filters


def set_section(measured: Measured, manifest: SetMade | None, filters: Filters | None) -> Section:
    """All of one set.

    Args:
        manifest: what the folder's manifest has of it.
        filters: the thresholds it was filtered by.
    """
    parts: list[Section] = []
    if manifest is not None and manifest.funnel:
        parts.append(
            Section(
                "What was left out",
                [
                    *funnel(manifest.read, manifest.funnel),
                    *templates(manifest.lost_templates),
                    *examples(manifest.funnel),
                ],
            )
        )
    title = "All pairs" if measured.left_out is None else "Before against after the filters"
    parts.append(Section(title, list(_distributions(measured, filters))))
    parts.append(Section("Train against validation", list(train_validation(measured, m.PAIR))))
    blocks = list(topics(measured))
    if blocks:
        parts.append(Section("Topics", blocks))
    return Section(measured.name, [], parts)


def _distributions(measured: Measured, filters: Filters | None) -> Iterator[Block]:
    """Before and after the filters; what there is, where nobody knows what was before."""
    sides = f"{measured.train.pairs:,} in train and {measured.validation.pairs:,} in validation"
    if measured.left_out is None:
        parts: list[Part] = [("all", "after", measured.kept)]
        yield Prose(f"There are {measured.kept.pairs:,} pairs, {sides}.")
        yield _summaries([("all", measured.kept)])
    else:
        before = merged((measured.kept, measured.left_out))
        parts = [("before", "before", before), ("after", "after", measured.kept)]
        yield Prose(
            f"Before the filters there are {before.pairs:,} pairs, after them {measured.kept.pairs:,}: {sides}. What "
            "is left out here was left out by a filter, as a near-duplicate, or as contained in an evaluation set."
        )
        yield _summaries([("before", before), ("left out", measured.left_out), ("after", measured.kept)])
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
    if measured.left_out is not None:
        apart = contrast(measured.kept.words, measured.left_out.words, measured.kept.pairs + measured.left_out.pairs)
        yield from words(apart, ("kept", measured.kept.pairs), ("left out", measured.left_out.pairs))


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
