"""The report of a folder: at a glance, set by set, aspect by aspect, and how it was measured."""

from __future__ import annotations

from collections.abc import Iterator

import s2train
from s2eval.metrics.safety import get_classifier
from s2eval.report.document import Block, Chart, Charts, Document, Prose, Section, TextTable
from s2train.data.eda import measures as m
from s2train.data.eda.charts import Group, cumulative
from s2train.data.eda.folder import Explored, Measured
from s2train.data.eda.numbers import NOTHING, shown
from s2train.data.eda.preference_sections import preference_section
from s2train.data.eda.set_sections import set_section
from s2train.data.eda.tallies import Tally
from s2train.data.layout import SETS

_GLANCE = (  # heading, measure, and whether its median or its mean is shown
    ("question, median words", m.QUESTION_WORDS, True),
    ("answer, median words", m.ANSWER_WORDS, True),
    ("mean reading ease", m.EASE, False),
    ("mean grade", m.GRADE, False),
    ("mean toxicity", m.ANSWER_TOXICITY, False),
)


def contents(explored: Explored) -> Document:
    """The report, before it has a format."""
    manifest = explored.manifest
    filters = manifest.configuration.filters if manifest else None
    sections = [Section("At a glance", list(_glance(explored)))]
    for name, measured in explored.sets.items():
        sections.append(set_section(measured, manifest.sets.get(name) if manifest else None, filters))
    for name, measured in explored.preferences.items():
        sections.append(preference_section(measured, manifest.preferences.get(name) if manifest else None))
    sections.append(Section("How it was measured", list(_method(filters.toxicity.classifier if filters else None))))
    intro = (
        f"Distributions in the training sets of this folder, made by s2train data eda {s2train.__version__}: before "
        "and after the filters, train against validation, and the preferences. The same folder gives the same bytes."
    )
    return Document("What the sets hold", sections=sections, intro=[Prose(intro), *map(Prose, explored.notes)])


def _glance(explored: Explored) -> Iterator[Block]:
    rows: list[list[str]] = []
    for name, measured in explored.sets.items():
        parts = {"left out": measured.left_out, "train": measured.train, "validation": measured.validation}
        for part, tally in parts.items():
            if tally is not None:
                typical = (_typical(tally, measure, median=median) for _, measure, median in _GLANCE)
                rows.append([name, part, f"{tally.pairs:,}", *typical])
    if rows:
        yield TextTable(["set", "part", "pairs", *(head for head, _, _ in _GLANCE)], rows, words=(0, 1))
    if explored.preferences:
        yield TextTable(
            ["preferences", "train", "validation"],
            [
                [name, f"{measured.train.pairs:,}", f"{measured.validation.pairs:,}"]
                for name, measured in explored.preferences.items()
            ],
        )
    if all(name in explored.sets for name in SETS):
        yield Charts(list(_side_by_side(*(explored.sets[name] for name in SETS))))


def _typical(tally: Tally, measure: m.Measure, *, median: bool) -> str:
    numbers = tally.numbers.get(measure.name)
    if numbers is None:
        return NOTHING
    return shown(numbers.percentile(0.5), measure.places) if median else shown(numbers.mean, max(1, measure.places))


def _side_by_side(first: Measured, second: Measured) -> Iterator[Chart]:
    for measure in (m.ANSWER_WORDS, m.EASE, m.GRADE):
        numbers = first.kept.numbers.get(measure.name), second.kept.numbers.get(measure.name)
        if numbers[0] and numbers[1]:
            groups: list[Group] = [(first.name, "after", numbers[0]), (second.name, "other", numbers[1])]
            yield cumulative(measure, groups, "After the filters.")


def _method(classifier: str | None) -> Iterator[Block]:
    yield Prose(
        "Words, reading ease and grade are those of s2eval.metrics, by which the filters and the evaluation go too: "
        "words, sentences and syllables as textstat 0.7.13 counts them; reading ease by Flesch (1948), grade by "
        "Kincaid et al. (1975)."
    )
    setting = getattr(get_classifier(m.CLASSIFIER), "setting", m.CLASSIFIER)
    other = f" The filter asked another one, {classifier}." if classifier not in (None, m.CLASSIFIER) else ""
    yield Prose(
        f"Toxicity is a probability by {setting}, offline: a text is as toxic as its worst sentence. It weighs single "
        "words; on HateCheck, where hate comes mostly without swear words, it is no better than a coin (area under "
        f"the ROC curve 0.48), so it is no measure of harm.{other}"
    )
    yield Prose(
        "Means are exact. Percentiles are nearest ranks in bins of one word or vote, 0.01 points of reading ease or "
        "grade, 0.001 of a probability or a margin."
    )
    yield Prose(
        "Two groups are compared by d, the difference of their means over √((variance + variance) / 2) (Austin 2009), "
        "and by Kolmogorov and Smirnov's D, the largest difference between their shares up to a number. By chance is "
        "what a random split of the two exceeds in 5% of cases, all measures of a table taken together (Bonferroni); "
        "pairs of one prompt, which stay together, count as one there."
    )
    yield Prose(
        "z of a word is its log-odds ratio between two groups with an informative Dirichlet prior (Monroe, Colaresi & "
        "Quinn 2008) worth 500 words, over its standard deviation; a word counts once a pair, question "
        "and answer together. Words of less than three letters, in fewer than five pairs, or in more than a tenth of "
        "all pairs are left out. Words are shown where more of them have |z| above 3 than chance gives in 95% of "
        "cases, or where one lies beyond what it gives to the furthest of all."
    )
    yield Prose(
        "A question's word is the first of what, why, how, when, where, who and which in its first line; one that "
        "begins with a verb (is, do, can …) asks for yes or no. Years are those of the question's posting, UTC."
    )
