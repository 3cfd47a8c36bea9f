"""The section of the preferences of one aspect: chosen against rejected, margins, sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from s2eval.report.document import Block, Chart, Charts, Prose, Section, TextTable
from s2train.data.build.manifest import Drop, PreferencesMade
from s2train.data.eda import measures as m
from s2train.data.eda.charts import Group, distribution
from s2train.data.eda.folder import Measured
from s2train.data.eda.funnels import funnel
from s2train.data.eda.numbers import SUMMARY, percent, summary
from s2train.data.eda.sides import train_validation
from s2train.data.eda.tallies import Tally

MARGINS = {
    "helpfulness": "margin (natural logarithm of the votes' ratio)",
    "simplicity": "margin (difference of Flesch-Kincaid grades, school years)",
}


def preference_section(measured: Measured, manifest: PreferencesMade | None) -> Section:
    """Of one aspect, and what the folder's manifest holds of it."""
    margin = replace(m.MARGIN, axis=MARGINS.get(measured.name, m.MARGIN.axis))
    parts: list[Section] = []
    if manifest is not None:
        refused = sorted(manifest.reading.refused.items(), key=lambda item: (-item[1], item[0]))
        steps = [*refused, ("contamination", manifest.contaminated)]
        drops = [Drop(step=step, dropped=count, reasons={}, examples=[]) for step, count in steps]
        parts.append(Section("What was left out", list(funnel(manifest.reading.candidates, drops, "candidates"))))
    parts += [
        Section("Chosen against rejected", list(_against(measured.kept, margin))),
        Section("Train against validation", list(train_validation(measured, [*m.PREFERENCE[:-1], margin]))),
    ]
    return Section(f"Preferences: {measured.name}", [], parts)


def _against(tally: Tally, margin: m.Measure) -> Iterator[Block]:
    yield Prose(f"There are {tally.pairs:,} pairs in train and validation together.")
    if not tally.pairs:
        return
    numbers = tally.numbers
    rows = [
        [measure.name, *summary(measure, numbers[measure.name])] for measure in m.PREFERENCE if measure.name in numbers
    ]
    yield TextTable(["", *SUMMARY], rows)
    frequencies: list[list[str]] = []
    charts: list[Chart] = []
    for chosen, rejected, less, more in m.AGAINST:
        row = [less]
        for name in (less, m.EQUAL, more):
            pairs = tally.shares(less).get(name, 0)
            row += [f"{pairs:,}", percent(pairs, tally.pairs).removesuffix("%")]
        frequencies.append(row)
        groups: list[Group] = [("chosen", "after", numbers[chosen.name]), ("rejected", "other", numbers[rejected.name])]
        charts += distribution(chosen, groups, title=chosen.name.removeprefix("chosen (").removesuffix(")"))
    yield TextTable(["the chosen answer is", "yes", "%", "equal", "%", "no", "%"], frequencies)
    sources = tally.shares(m.SOURCE)
    if len(sources) > 1:
        yield _by_source(tally)
    else:
        yield Prose(f"The source of all pairs: {next(iter(sources))}.")
    margins = numbers.get(margin.name)
    if margins is not None and len(margins.bins) > 1:
        charts += distribution(margin, [("all", "after", margins)])
    else:
        yield Prose("All margins are equal: the data do not say by how much the chosen answer is better.")
    yield Charts(charts)


def _by_source(tally: Tally) -> TextTable:
    comparisons = [less for _, _, less, _ in m.AGAINST]
    rows: list[list[str]] = []
    for source, pairs in tally.shares(m.SOURCE).items():
        shares = [tally.shares(f"{less} {m.BY_SOURCE}").get((source, less), 0) for less in comparisons]
        rows.append([str(source), f"{pairs:,}", *(percent(count, pairs) for count in shares)])
    return TextTable(["the chosen answer, by source, is", "pairs", *comparisons], rows)
