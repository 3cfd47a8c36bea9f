"""What the report of a folder says in numbers and charts: its arithmetic."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.metrics import readability
from s2train.data.eda.charts import bars, bin_edges, cumulative, distribution
from s2train.data.eda.comparing import compare, gap_by_chance, largest_gap, standardised_difference
from s2train.data.eda.measures import (
    ANSWER_WORDS,
    PROMPT_WORDS,
    QUESTION_WORDS,
    VOTES,
    Measure,
    pair_facts,
    preference_facts,
    year_of,
)
from s2train.data.eda.numbers import percent, shown, summary
from s2train.data.eda.tallies import Counts, Facts, Histogram, Tally, merged
from s2train.data.eda.words import contrast, question_word, words_of
from s2train.data.preferences import PreferenceLine
from s2train.data.records import Pair
from tests.s2train.eda.made_up import preference, svg_of


def histogram(values: Iterable[float], width: float = 1) -> Histogram:
    numbers = Histogram(width)
    for value in values:
        numbers.add(value)
    return numbers


# --- numbers ---


def test_mean_deviation_and_percentiles() -> None:
    numbers = histogram([2, 4, 4, 4, 5, 5, 7, 9, 40, 100])
    assert numbers.n == 10
    assert numbers.mean == 18.0  # 180 / 10
    assert numbers.deviation == pytest.approx(math.sqrt(1183.2 - 324))  # squares add up to 11,832
    assert [numbers.percentile(share) for share in (0.05, 0.1, 0.5, 0.9, 0.95)] == [2, 2, 5, 40, 100]  # nearest ranks


def test_a_fine_bin_stands_for_its_middle() -> None:
    assert histogram([0.123456], 0.001).percentile(0.5) == pytest.approx(0.1235)
    assert histogram([-0.0004], 0.001).percentile(0.5) == pytest.approx(-0.0005)


@given(st.lists(st.integers(-50, 3000), min_size=1), st.integers(0, 60))
def test_parts_of_a_histogram_add_up(values: list[int], cut: int) -> None:
    whole, first = histogram(values), histogram(values[:cut])
    first.merge(histogram(values[cut:]))
    assert first == whole
    assert whole.percentile(0.5) == sorted(values)[math.ceil(len(values) / 2) - 1]


def test_numbers_between_edges() -> None:
    numbers = histogram([-1, 0, 4, 5, 9, 10, 25])
    assert numbers.counted([0, 5, 10]) == [2, 2]  # the lower edge belongs to a bin, the upper one does not


def test_histograms_of_other_bins_do_not_mix() -> None:
    with pytest.raises(ValueError, match=r"bins of 1 and of 0\.1"):
        histogram([1]).merge(histogram([1], 0.1))


def test_a_number_beyond_all_bins_is_counted_in_the_last() -> None:
    numbers = histogram([1e300, -1e300, 1.0])
    assert (numbers.n, sorted(numbers.bins)) == (3, [-1_000_000, 1, 1_000_000])


def test_rare_names_are_forgotten_whatever_their_order() -> None:
    names = ["why"] * 9 + ["how"] * 5 + ["who"] * 2 + ["a", "b", "c"]
    made: list[Counts[str]] = []
    for order in (names, names[::-1]):
        counts = Counts[str](most=4)
        counts.add(order)
        made.append(counts)
    assert made[0] == made[1]
    assert made[0].counts == {"why": 9, "how": 5}  # half of four; "who" stood third
    assert (made[0].forgotten, made[0].total) == (5, 19)


def test_facts_are_tallied_and_merged() -> None:
    facts = [
        Facts({"votes": 3}, {"source": "a"}, frozenset({"sky"}), (("source", "a"),)),
        Facts({"votes": 5}, {"source": "b"}, frozenset({"sky", "blue"}), (("source", "b"),), drawn=False),
    ]
    parts = [Tally(), Tally()]
    for part, fact in zip(parts, facts, strict=True):
        part.add(fact, {"votes": 1})
    whole = merged(parts)
    assert (whole.pairs, whole.drawn) == (2, 1)
    assert whole.numbers["votes"].mean == 4.0
    assert whole.shares("source") == {"a": 1, "b": 1}
    assert whole.shares("year") == {}
    assert whole.words.counts == {"sky": 2, "blue": 1}
    assert whole.by_group["source", "b"].counts == {"sky": 1, "blue": 1}


def test_numbers_as_they_are_shown() -> None:
    assert [shown(-1234.5, 1), shown(-0.04, 1), shown(None, 2), percent(1, 8), percent(0, 0)] == [
        "−1,234.5",
        "0.0",
        "–",
        "12.5%",
        "–",
    ]
    assert summary(VOTES, histogram([1, 2, 3, 4])) == ["4", "2.5", "2", "1", "4"]
    assert summary(VOTES, None) == ["0", "–", "–", "–", "–"]


# --- two groups ---


def test_standardised_difference() -> None:
    one, other = histogram([1, 3]), histogram([4, 8])  # means 2 and 6, variances 1 and 4
    assert standardised_difference(one, other) == pytest.approx(-4 / math.sqrt((1 + 4) / 2))
    assert standardised_difference(histogram([2, 2]), histogram([2])) == 0.0
    assert standardised_difference(histogram([2, 2]), histogram([3])) is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of scipy's p-value, which is not looked at
@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1), st.lists(st.integers(0, 20), min_size=1))
def test_largest_gap_is_that_of_scipy(one: list[int], other: list[int]) -> None:
    from scipy.stats import ks_2samp

    expected: Any = ks_2samp(one, other, method="asymp")
    assert largest_gap(histogram(one), histogram(other)) == pytest.approx(expected.statistic)


def test_gap_by_chance_is_that_of_kolmogorov() -> None:
    from scipy.stats import kstwobign

    for share in (0.05, 0.005):
        expected: Any = kstwobign.isf(share)
        assert gap_by_chance(300, 600, share) == pytest.approx(expected * math.sqrt(900 / 180_000), rel=1e-3)


def test_random_splits_are_told_apart_no_more_than_said() -> None:
    rng = random.Random(5)
    values = [int(rng.lognormvariate(4, 0.8)) for _ in range(400)]  # as skewed as lengths are
    found = 0
    for _ in range(400):
        rng.shuffle(values)
        found += compare(histogram(values[40:]), histogram(values[:40]), 360, 40, tests=1).apart
    assert 2 <= found <= 32  # 5% of 400 are 20; at most 8% and not never


def test_several_pairs_of_one_question_count_as_one() -> None:
    one, other = histogram([*range(100)]), histogram([*range(10, 110)])
    alone, together = compare(one, other, 100, 100, tests=1), compare(one, other, 25, 25, tests=1)
    assert (together.d, together.gap) == (alone.d, alone.gap)
    assert together.d_by_chance == pytest.approx(2 * alone.d_by_chance)  # √(100 / 25)
    assert together.gap_by_chance == pytest.approx(2 * alone.gap_by_chance)


# --- words ---


def test_words_count_once_and_without_short_ones() -> None:
    assert words_of("Don’t ask WHY, why?", "It is 20th-century art.") == {"don't", "ask", "why", "century", "art"}


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Why is the sky blue?", "why"),
        ("ELI5: how do rainbows form?", "how"),
        ("If it rains, what happens to ants?", "what"),
        ("Whose idea was zero?", "who"),
        ("What’s a quark?", "what"),
        ("Is it true, and why?", "yes or no"),
        ("eli5 Can fish drown? What about whales?", "yes or no"),
        ("Don't planes fall?", "yes or no"),
        ("The stock market\n\nWhy does it crash?", "none of these"),  # the first line alone counts
        ("42", "none of these"),
    ],
)
def test_question_word(question: str, word: str) -> None:
    assert question_word(question) == word


def counts(**pairs: int) -> Counts[str]:
    return Counts(Counter(pairs))


def test_log_odds_with_a_prior() -> None:
    found = contrast(counts(rain=30, rest=70), counts(rain=10, rest=90), pairs=1000)
    rain = next(word for word in found.words if word.word == "rain")
    # a = 500 * 40 / 200 = 100: ln(130 / 470) - ln(110 / 490) = 0.2087, over √(1/130 + 1/110) = 0.1296
    assert rain.z == pytest.approx(1.6112, abs=1e-4)
    assert (rain.first, rain.second) == (30, 10)


def test_contrast_turns_its_sign_with_its_groups() -> None:
    one, other = counts(rain=30, snow=5, rest=70), counts(rain=10, snow=9, rest=90)
    there, back = contrast(one, other, 1000), contrast(other, one, 1000)
    assert {word.word: pytest.approx(-word.z) for word in there.words} == {word.word: word.z for word in back.words}


def test_words_that_all_or_nearly_nobody_says_are_no_topic() -> None:
    found = contrast(counts(the=60, rain=9, zyzzyva=4), counts(the=50, rain=2), pairs=200)
    assert [word.word for word in found.words] == ["rain"]  # in 110, 11 and 4 of 200 pairs


def test_words_tell_groups_apart_only_beyond_chance() -> None:
    words = {f"word{number}": 20 for number in range(300)}
    alike = contrast(counts(**words), counts(**words), pairs=3000)
    assert alike.by_chance == pytest.approx(300 * 0.0027, rel=1e-3)
    assert (alike.far, alike.differs, alike.more_in_first(5), alike.more_in_second(5)) == (0, False, [], [])
    other = contrast(counts(**words, rain=200, sun=90), counts(**words, snow=150, sun=90), pairs=3000)
    assert (other.far, other.differs) == (2, True)
    assert [word.word for word in other.more_in_first(5)] == ["rain"]
    assert [word.word for word in other.more_in_second(5)] == ["snow"]


# --- a pair in numbers ---


def test_facts_of_a_pair() -> None:
    answer = "Light is scattered by air. Blue light is scattered most."
    extra = {"score": 12, "category": "Physics", "created_utc": 1420070400}
    facts = pair_facts(Pair("eli5-1", "Why is the sky blue?", answer, "reddit/askscience", extra), 0.25, 0.5)
    measured = readability(answer)
    assert facts.numbers == {
        "question (words)": 5,
        "answer (words)": 10,
        "reading ease": measured.fre,
        "grade": measured.fkg,
        "toxicity of the question": 0.25,
        "toxicity of the answer": 0.5,
        "votes": 12,
    }
    assert facts.names == {
        "question word": "why",
        "source": "reddit/askscience",
        "category": "Physics",
        "year": "2015",
    }
    assert facts.groups == (("source", "reddit/askscience"), ("category", "Physics"))
    assert facts.words >= {"sky", "blue", "scattered"}


@pytest.mark.parametrize("score", [None, True, math.nan, "12"])
def test_what_is_no_number_of_votes_is_none(score: Any) -> None:
    facts = pair_facts(Pair("x", "Why?", "So.", "s", {"score": score, "category": None}), 0, 0)
    assert VOTES.name not in facts.numbers
    assert "category" not in facts.names


def test_a_candidate_without_a_question_is_measured_by_its_answer() -> None:
    facts = pair_facts(Pair("wiki-1", "", "A cat is an animal.", "simplewiki"), 0, 0)
    assert QUESTION_WORDS.name not in facts.numbers
    assert facts.numbers[ANSWER_WORDS.name] == 5
    assert "question word" not in facts.names


def test_year_of_seconds() -> None:
    assert [year_of(when) for when in (0, "1420070400", 1609459199.9)] == ["1970", "2015", "2020"]
    assert {year_of(when) for when in (None, "", "soon", math.nan, math.inf, [1], 1e30)} == {"unknown"}


def test_facts_of_a_preference() -> None:
    line = PreferenceLine(**preference("Why so?", "One two three.", "One two three four."))
    facts = preference_facts(line, 0.1, 0.1)
    numbers = facts.numbers
    assert (numbers["chosen (words)"], numbers["rejected (words)"], numbers["prompt (words)"]) == (3, 4, 2)
    assert numbers["margin"] == 1.5
    assert facts.names["shorter"] == "shorter"
    assert facts.names["less toxic"] == "equal"
    assert facts.names["shorter by source"] == ("reddit/x", "shorter")
    again = preference_facts(line, 0.1, 0.1, drawn=False)
    assert PROMPT_WORDS.name not in again.numbers
    assert not again.drawn


# --- charts ---


def words_measure(scale: str = "linear") -> Measure:
    return Measure("length", "length (words)", 1, 0, scale)


def test_bins_have_round_edges_and_a_note_counts_what_they_leave_out() -> None:
    numbers = histogram([*range(1, 1001), 100_000])
    edges = bin_edges([numbers], width=1, scale="linear")
    assert edges[:3] == [0, 50, 100]
    assert edges[-1] == 1000
    assert sum(numbers.counted(edges)) == 999
    (chart,) = distribution(words_measure(), [("all", "after", numbers)])
    assert chart.notes == ("Outside of the chart: all 0.2%.",)  # 1,000 and 100,000 of 1,001 numbers


def test_a_bound_is_drawn_where_the_chart_reaches() -> None:
    def lines(*bounds: float) -> int:
        (chart,) = distribution(words_measure(), [("all", "after", histogram(range(100)))], bounds)
        return chart.svg.count("stroke-dasharray") - chart.svg.count("a filter's bound")  # less that of the legend

    assert (lines(), lines(400), lines(50), lines(50, 400)) == (0, 0, 1, 1)


def test_no_chart_of_nothing() -> None:
    assert distribution(words_measure(), [("all", "after", histogram([4, 4, 4]))]) == []
    assert distribution(words_measure("log"), [("all", "after", histogram([-3, -2, 0]))]) == []


def test_numbers_up_to_each_place() -> None:
    assert histogram([1, 2, 2, 3]).below([1, 2, 3, 4], inclusive=True) == [1, 3, 4, 4]
    chart = cumulative(words_measure(), [("train", "after", histogram([1, 2, 2, 3]))])
    assert chart.description.startswith("Cumulative shares of length. train: 4 pairs, median 2")


def test_a_name_stands_in_a_chart_as_it_is() -> None:
    short = "<b> & $x_{1}$ -->"
    chart = bars("source", "pairs (%)", [short, "other"], [("all", "after", [75, 25])], alt=f"Shares: {short}")
    drawn = svg_of(chart.svg)
    assert short in ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert drawn.findtext("{http://www.w3.org/2000/svg}desc") == f"Shares: {short}"


def test_series_differ_in_more_than_colour() -> None:
    before, after = histogram([1, 1, 1, 6, 6, 6, 6, 6]), histogram([1, 1, 6])
    (chart,) = distribution(words_measure(), [("before", "before", before), ("after", "after", after)])
    assert re.findall(r'<path(?=[^>]*stroke-dasharray="[0-9])(?=[^>]*stroke="[^"]*#8a8a8a)', chart.svg)
    assert re.findall(r'fill="[^"]*#0072b2', chart.svg)
    assert not re.findall(r'fill="[^"]*#8a8a8a', chart.svg)
