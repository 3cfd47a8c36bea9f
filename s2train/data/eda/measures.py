"""What is measured of a pair and of a preference, by the functions that the filters and the evaluation use."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from s2eval.metrics import count, flesch_applies, readability
from s2eval.metrics.safety import toxicity
from s2train.data.eda.tallies import Facts, Tally
from s2train.data.eda.words import question_word, words_of
from s2train.data.preferences import PreferenceLine
from s2train.data.records import Pair

CLASSIFIER = "profanity"  # offline: the report sends no text anywhere
UNKNOWN = "unknown"
EQUAL = "equal"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a pair.

    Attributes:
        axis: label of a chart's axis, with the unit.
        width: of the bins that percentiles come from.
        places: decimals shown.
        scale: `linear`, `log` (numbers over powers of two) or `rare` (frequencies over powers of ten).
    """

    name: str
    axis: str
    width: float
    places: int = 0
    scale: str = "linear"


QUESTION_WORDS = Measure("question (words)", "length of the question (words)", 1)
ANSWER_WORDS = Measure("answer (words)", "length of the answer (words)", 1)
EASE = Measure("reading ease", "Flesch reading ease of the answer (points)", 0.01, 1)
GRADE = Measure("grade", "Flesch-Kincaid grade of the answer (school years)", 0.01, 1)
ANSWER_TOXICITY = Measure("toxicity of the answer", "toxicity of the answer (probability)", 0.001, 2, "rare")
QUESTION_TOXICITY = Measure("toxicity of the question", "toxicity of the question (probability)", 0.001, 2, "rare")
VOTES = Measure("votes", "votes for the answer (net score)", 1, 0, "log")

PAIR = (QUESTION_WORDS, ANSWER_WORDS, EASE, GRADE, ANSWER_TOXICITY, QUESTION_TOXICITY, VOTES)

CHOSEN_WORDS = Measure("chosen (words)", "length (words)", 1)
REJECTED_WORDS = Measure("rejected (words)", "length (words)", 1)
CHOSEN_GRADE = Measure("chosen (grade)", "Flesch-Kincaid grade (school years)", 0.01, 1)
REJECTED_GRADE = Measure("rejected (grade)", "Flesch-Kincaid grade (school years)", 0.01, 1)
CHOSEN_TOXICITY = Measure("chosen (toxicity)", "toxicity (probability)", 0.001, 2, "rare")
REJECTED_TOXICITY = Measure("rejected (toxicity)", "toxicity (probability)", 0.001, 2, "rare")
PROMPT_WORDS = Measure("prompt (words)", "length of the prompt (words)", 1)
MARGIN = Measure("margin", "margin", 0.001, 2)

# Chosen and rejected, with how the two are compared: the chosen answer is …
AGAINST = (
    (CHOSEN_WORDS, REJECTED_WORDS, "shorter", "longer"),
    (CHOSEN_GRADE, REJECTED_GRADE, "of the lower grade", "of the higher grade"),
    (CHOSEN_TOXICITY, REJECTED_TOXICITY, "less toxic", "more toxic"),
)
PREFERENCE = (PROMPT_WORDS, *(measure for against in AGAINST for measure in against[:2]), MARGIN)

WIDTHS = {measure.name: measure.width for measure in (*PAIR, *PREFERENCE)}

QUESTION_WORD, SOURCE, CATEGORY, YEAR = "question word", "source", "category", "year"
BY_SOURCE = "by source"

Key = tuple[str, str]
"""A set or an aspect, and the part of it."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A pair or a preference, and the part it belongs to; `drawn` as in `Facts`."""

    key: Key
    content: Pair | PreferenceLine
    drawn: bool = True


def measure_pairs(batch: Sequence[Tagged]) -> dict[Key, Tally]:
    """A tally for each part that the batch has pairs of.

    Raises:
        PrerequisiteError: the classifier's package is missing.
    """
    texts: list[str] = []
    for tagged in batch:
        content = tagged.content
        texts += (content.question, content.answer) if isinstance(content, Pair) else (content.chosen, content.rejected)
    toxic = toxicity(texts, CLASSIFIER)
    tallies: dict[Key, Tally] = {}
    for tagged, first, second in zip(batch, toxic[::2], toxic[1::2], strict=True):
        if isinstance(tagged.content, Pair):
            facts = pair_facts(tagged.content, first, second)
        else:
            facts = preference_facts(tagged.content, first, second, drawn=tagged.drawn)
        tallies.setdefault(tagged.key, Tally()).add(facts, WIDTHS)
    return tallies


def pair_facts(pair: Pair, question_toxicity: float, answer_toxicity: float) -> Facts:
    """A pair in numbers; where its question is not written yet, there are none of the question."""
    readable = readability(pair.answer)
    numbers = {ANSWER_WORDS.name: readable.counts.words, ANSWER_TOXICITY.name: answer_toxicity}
    if flesch_applies(pair.answer):
        numbers |= {EASE.name: readable.fre, GRADE.name: readable.fkg}
    names = {SOURCE: pair.source, YEAR: year_of(pair.extra.get("created_utc"))}
    groups = [(SOURCE, pair.source)]
    if pair.question:
        numbers |= {QUESTION_WORDS.name: count(pair.question).words, QUESTION_TOXICITY.name: question_toxicity}
        names[QUESTION_WORD] = question_word(pair.question)
    score = pair.extra.get("score")
    if isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score):
        numbers[VOTES.name] = score
    if isinstance(category := pair.extra.get("category"), str) and category:
        names[CATEGORY] = category
        groups.append((CATEGORY, category))
    return Facts(numbers, names, words_of(pair.question, pair.answer), tuple(groups))


def year_of(seconds: object) -> str:
    """Of seconds since 1970, UTC; `unknown` for everything else.

    >>> year_of(1420070400), year_of(None)
    ('2015', 'unknown')
    """
    if not isinstance(seconds, int | float | str):
        return UNKNOWN
    try:
        return str(datetime.fromtimestamp(float(seconds), UTC).year)
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def preference_facts(
    line: PreferenceLine, chosen_toxicity: float, rejected_toxicity: float, *, drawn: bool = True
) -> Facts:
    """A preference in numbers; of several with one prompt only the first, `drawn`, has the prompt's."""
    chosen, rejected = readability(line.chosen), readability(line.rejected)
    numbers = {
        CHOSEN_WORDS.name: chosen.counts.words,
        REJECTED_WORDS.name: rejected.counts.words,
        CHOSEN_GRADE.name: chosen.fkg,
        REJECTED_GRADE.name: rejected.fkg,
        CHOSEN_TOXICITY.name: chosen_toxicity,
        REJECTED_TOXICITY.name: rejected_toxicity,
    }
    names: dict[str, Hashable] = {SOURCE: line.source}
    for chosen_measure, rejected_measure, less, more in AGAINST:
        difference = numbers[chosen_measure.name] - numbers[rejected_measure.name]
        names[less] = outcome = less if difference < 0 else more if difference > 0 else EQUAL
        names[f"{less} {BY_SOURCE}"] = (line.source, outcome)
    if drawn:
        numbers[PROMPT_WORDS.name] = count(line.prompt).words
    if math.isfinite(line.margin):
        numbers[MARGIN.name] = line.margin
    return Facts(numbers, names, drawn=drawn)
