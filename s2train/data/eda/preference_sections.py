"""What a report says of the preferences of one aspect: chosen against rejected, margins, sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from s2eval.report.document import Block, Prose, Section, TextTable
from s2train.data.build.manifest import Drop, PreferencesMade
from s2train.data.eda import measures as m
from s2train.data.eda.chart_kinds import ChartKind
from s2train.data.eda.charts import charts
from s2train.data.eda.folder import Measured
from s2train.data.eda.funnels import funnel
from s2train.data.eda.histograms import Group, distribution
from s2train.data.eda.numbers import SUMMARY, percent, summary
from s2train.data.eda.sides import train_validation
from s2train.data.eda.tallies import Tally

MARGINS: Mapping[str, str] = {
    "helpfulness": "margin (natural logarithm of the votes' ratio)",
    "simplicity": "margin (difference of Flesch-Kincaid grades, school years)",
}


def preference_section(measured: Measured, manifest: PreferencesMade | None) -> Section:
    """All of one aspect; `manifest` is what the folder's manifest has of it."""
    margin = replace(m.MARGIN, axis=MARGINS.get(measured.name, m.MARGIN.axis))
    parts: list[Section] = []
    if manifest is not None:
        parts.append(
            Section("What was left out", list(funnel(manifest.reading.candidates, _drops(manifest), "candidates")))
        )
    parts += [
        Section("Chosen against rejected", list(_against(measured.kept, margin))),
        Section("Train against validation", list(train_validation(measured, [*m.PREFERENCE[:-1], margin]))),
    ]
    return Section(measured.name, [], parts)


def _drops(manifest: PreferencesMade) -> list[Drop]:
    refused = sorted(manifest.reading.refused.items(), key=lambda item: (-item[1], item[0]))
    steps = [*refused, ("contamination", manifest.contaminated)]
    return [Drop(step=step, dropped=count, reasons={}, examples=[]) for step, count in steps]


def _against(tally: Tally, margin: m.Measure) -> Iterator[Block]:
    yield Prose(f"There are {tally.pairs:,} pairs in train and validation together.")
    if not tally.pairs:
        return
    numbers = {measure: histogram for measure in m.PREFERENCE if (histogram := tally.number(measure.name)) is not None}
    rows = [[measure.name, *summary(measure, histogram)] for measure, histogram in numbers.items()]
    yield TextTable(["", *SUMMARY], rows)
    yield TextTable(["the chosen answer is", "yes", "%", "equal", "%", "no", "%"], list(_frequencies(tally)))
    sources = tally.shares(m.SOURCE)
    if len(sources) > 1:
        yield _by_source(tally)
    else:
        yield Prose(f"The source of all pairs: {next(iter(sources))}.")
    kinds: list[ChartKind] = []
    for chosen, rejected, _, _ in m.AGAINST:
        groups: list[Group] = [("chosen", "one", numbers[chosen]), ("rejected", "other", numbers[rejected])]
        kinds += distribution(chosen, groups, title=_what(chosen))
    margins = numbers.get(m.MARGIN)
    if margins is not None and len(margins.bins) > 1:
        kinds += distribution(margin, [("all", "after", margins)])
    else:
        yield Prose("All margins are equal: the data do not say by how much the chosen answer is better.")
    yield charts(kinds)


def _what(chosen: m.Measure) -> str:
    """`words` of `chosen (words)`."""
    return chosen.name.removeprefix("chosen (").removesuffix(")")


def _frequencies(tally: Tally) -> Iterator[list[str]]:
    for _, _, less, more in m.AGAINST:
        counts = [tally.shares(less).get(name, 0) for name in (less, m.EQUAL, more)]
        yield [less, *(text for count in counts for text in (f"{count:,}", percent(count, tally.pairs)[:-1]))]


def _by_source(tally: Tally) -> TextTable:
    rows: list[list[str]] = []
    for source, pairs in tally.shares(m.SOURCE).items():
        shares = [tally.shares(f"{less} {m.BY_SOURCE}").get((source, less), 0) for _, _, less, _ in m.AGAINST]
        rows.append([str(source), f"{pairs:,}", *(percent(count, pairs) for count in shares)])
    return TextTable(["the chosen answer, by source, is", "pairs", *(less for _, _, less, _ in m.AGAINST)], rows)
