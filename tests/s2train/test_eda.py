"""What the report of a folder says: its arithmetic, its two formats, and what becomes of a folder that lacks files."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import s2train
from s2eval.errors import DataError
from s2eval.metrics import readability
from s2train.data import candidates, layout
from s2train.data.build import build
from s2train.data.config import DataConfig
from s2train.data.eda import explore
from s2train.data.eda.charts import draw
from s2train.data.eda.comparing import compare, gap_by_chance, largest_gap, standardised_difference
from s2train.data.eda.document import Bars, Distribution, Document, Pictures, Prose, Section, Series, Table
from s2train.data.eda.folder import measure_folder
from s2train.data.eda.markdown import render_markdown
from s2train.data.eda.measures import (
    ANSWER_WORDS,
    MARGIN,
    PAIR,
    PROMPT_WORDS,
    QUESTION_WORDS,
    VOTES,
    Measure,
    pair_facts,
    preference_facts,
    year_of,
)
from s2train.data.eda.numbers import percent, shown, summary
from s2train.data.eda.page import render_page
from s2train.data.eda.pictures import cumulative, distribution
from s2train.data.eda.tallies import Counts, Facts, Histogram, Tally, merged
from s2train.data.eda.words import contrast, question_word, words_of
from s2train.data.engine import Local
from s2train.data.evaluations import Evaluations
from s2train.data.manifest import read as read_manifest
from s2train.data.preferences import PreferenceLine, PreferenceSettings, read_preferences
from s2train.data.records import Pair

HERE = Local()
HOSTILE = '<script>alert(1)</script> --> "&" | $x_{1}$'


def histogram(values: Iterable[float], width: float = 1) -> Histogram:
    made = Histogram(width)
    for value in values:
        made.add(value)
    return made


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
    assert made[0].found == {"why": 9, "how": 5}  # half of four; "who" stood third
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
    own, rest = whole.split_words(("source", "b"))
    assert (own.found, rest.found) == ({"sky": 1, "blue": 1}, {"sky": 1})


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
    assert (rain.one, rain.other) == (30, 10)


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
    assert (alike.far, alike.tells, alike.more_in_one(5), alike.more_in_other(5)) == (0, False, [], [])
    other = contrast(counts(**words, rain=200, sun=90), counts(**words, snow=150, sun=90), pairs=3000)
    assert (other.far, other.tells) == (2, True)
    assert [word.word for word in other.more_in_one(5)] == ["rain"]
    assert [word.word for word in other.more_in_other(5)] == ["snow"]


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


def preference(prompt: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    made = {"prompt": prompt, "chosen": chosen, "rejected": rejected, "aspect": "helpfulness"}
    return made | {"margin": 1.5, "source": "reddit/x"} | more


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


# --- pictures ---


def words_measure(scale: str = "linear") -> Measure:
    return Measure("length", "length (words)", 1, 0, scale)


def test_bins_have_round_edges_and_nothing_is_hidden_unsaid() -> None:
    numbers = histogram([*range(1, 1001), 100_000])
    (picture,) = distribution(words_measure(), [("all", "after", numbers)])
    assert picture.edges[:3] == [0, 50, 100]
    assert picture.edges[-1] == 1000
    assert sum(picture.series[0].values) == 999
    assert picture.note == "Outside of the picture: all 0.2%."  # 1,000 and 100,000 of 1,001 numbers


def test_a_bound_is_drawn_where_the_picture_reaches() -> None:
    (picture,) = distribution(words_measure(), [("all", "after", histogram(range(100)))], [50, 400])
    assert picture.bounds == [50]


def test_no_picture_of_nothing() -> None:
    assert distribution(words_measure(), [("all", "after", histogram([4, 4, 4]))]) == []
    assert distribution(words_measure("log"), [("all", "after", histogram([-3, -2, 0]))]) == []


def test_a_curve_ends_with_all() -> None:
    picture = cumulative(words_measure(), [("train", "one", histogram([1, 2, 2, 3]))])
    assert list(zip(picture.places, picture.series[0].values, strict=True)) == [(1, 1), (2, 3), (3, 4), (4, 4)]


def svg_of(text: str) -> ET.Element:
    return ET.fromstring(text)


def test_a_name_stands_in_a_picture_as_it_is() -> None:
    short = "<b> & $x_{1}$ -->"
    bars = Bars("source", "pairs (%)", [short, "other"], [Series("all", "after", [3, 1], 4)], alt=f"Shares: {short}")
    drawn = svg_of(draw(bars, "p1"))
    assert short in ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert drawn.attrib["aria-label"] == f"Shares: {short}"


def test_series_differ_in_more_than_colour() -> None:
    series = [Series("before", "before", [3, 5], 8), Series("after", "after", [2, 1], 3)]
    text = draw(Distribution("words", "words", [0, 5, 10], series, alt="words"), "p1")
    dashed, filled = (
        re.findall(r'style="[^"]*stroke-dasharray: (?!none)[^"]*#8a8a8a', text),
        re.findall(r'style="fill: #0072b2', text),
    )
    assert dashed
    assert filled
    assert "fill: #8a8a8a" not in text


# --- folders by hand ---

NOUNS = ("rain", "wind", "snow", "light", "sound", "water", "metal", "engine", "bridge", "river", "paper", "glass")


def row(number: int, rng: random.Random, **more: Any) -> dict[str, Any]:
    picked = rng.sample(NOUNS, 4)
    answer = " ".join(f"The {noun} is made of {rng.choice(NOUNS)} and it can move." for noun in picked)
    question = f"{rng.choice(['Why', 'How', 'What'])} does the {picked[0]} move {number}?"
    made = {"id": f"eli5-{number}", "question": question, "answer": answer * rng.randint(1, 3), "source": "reddit/x"}
    return made | {"score": rng.randint(1, 400), "category": rng.choice(["Physics", "Other"])} | more


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows))


def write_candidates(out: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    path = layout.candidates(out, name)
    write(path, rows)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    told = {"inputs": [], "read": len(rows), "dropped": {}, "changed": {}, "rows": len(rows), "sha256": sha256}
    path.with_suffix(".json").write_text(json.dumps(told))


def make_folder(out: Path, rows: Sequence[dict[str, Any]], kept: int) -> Path:
    """A set `eli5` of the first `kept` rows, each fifth of them in validation, all rows its candidates."""
    write_candidates(out, "eli5", rows)
    write(out / "eli5" / "train.jsonl", (one for number, one in enumerate(rows[:kept]) if number % 5))
    write(out / "eli5" / "validation.jsonl", (one for number, one in enumerate(rows[:kept]) if number % 5 == 0))
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = random.Random(2)
    return make_folder(tmp_path / "sets", [row(number, rng) for number in range(60)], kept=40)


def test_every_candidate_is_in_one_part(folder: Path) -> None:
    eli5 = measure_folder(folder, HERE).sets["eli5"]
    assert eli5.left_out is not None
    assert (eli5.train.pairs, eli5.validation.pairs, eli5.left_out.pairs, eli5.kept.pairs) == (32, 8, 20, 40)


def test_measured_numbers_are_those_of_the_files(folder: Path) -> None:
    train = measure_folder(folder, HERE).sets["eli5"].train
    rows = [json.loads(line) for line in (folder / "eli5" / "train.jsonl").read_text().splitlines()]
    votes = train.number(VOTES.name)
    assert votes is not None
    assert votes.mean == pytest.approx(sum(one["score"] for one in rows) / len(rows))
    assert train.shares("category") == Counter(one["category"] for one in rows)


def test_written_questions_stand_for_the_candidates_own(tmp_path: Path) -> None:
    titles = ["Cat", "Dog", "Cow"]
    rows = [
        {"id": f"wiki-{title}", "question": f"What is {title}?", "answer": f"A {title} is an animal.", "source": "w"}
        for title in titles
    ]
    write_candidates(tmp_path, "wiki", rows)
    asked = {"wiki-Cat": "Which animal says meow?", "wiki-Dog": "Why do dogs bark at night?"}
    told = {"model": "m", "prompt_hash": "h"}
    write(layout.candidates(tmp_path, "questions"), [{"id": one, "question": q, **told} for one, q in asked.items()])
    write(tmp_path / "wiki" / "train.jsonl", [rows[0] | {"question": asked["wiki-Cat"]} | told])
    write(tmp_path / "wiki" / "validation.jsonl", [])
    wiki = measure_folder(tmp_path, HERE).sets["wiki"]
    assert wiki.left_out is not None
    assert wiki.train.shares("question word") == {"which": 1}
    assert wiki.left_out.pairs == 2
    assert wiki.left_out.shares("question word") == {"why": 1}  # of the cow nobody asks: "What is Cow?" is no question


def test_pairs_of_one_prompt_are_drawn_once(tmp_path: Path) -> None:
    lines = [preference("Why?", f"Chosen {n}.", "Rejected one.") for n in range(3)] + [preference("How?", "A.", "B.")]
    write(tmp_path / "preferences" / "helpfulness.jsonl", lines)
    train = measure_folder(tmp_path, HERE).preferences["helpfulness"].train
    assert (train.pairs, train.drawn) == (4, 2)
    prompts = train.number(PROMPT_WORDS.name)
    assert prompts is not None
    assert prompts.n == 2


# --- folders that lack something ---


def test_a_folder_without_sets_says_what_builds_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no set to show; build one: s2train data eli5 .*--input FILE --out"):
        explore(tmp_path, HERE)
    assert not list(tmp_path.iterdir())


def test_candidates_alone_are_no_set(folder: Path) -> None:
    shutil.rmtree(folder / "eli5")
    with pytest.raises(DataError, match="no set to show"):
        explore(folder, HERE)


def test_without_candidates_the_rest_is_shown_and_said_so(folder: Path) -> None:
    shutil.rmtree(folder / "candidates")
    explore(folder, HERE)
    text = (folder / "eda.md").read_text()
    assert "The candidates of eli5 are not in the folder" in text
    assert "s2train data eli5 --input FILE" in text
    assert "### All pairs" in text
    assert "Before against after" not in text
    assert "There is no manifest.json in the folder" in text


def test_a_side_that_is_missing_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "candidates")
    (folder / "eli5" / "validation.jsonl").unlink()
    explore(folder, HERE)
    text = (folder / "eda.md").read_text()
    assert "eli5/validation.jsonl is not in the folder." in text
    assert "There is nothing to compare: validation is empty." in text


def test_pairs_that_are_all_alike_are_shown_without_pictures(tmp_path: Path) -> None:
    one = {"question": "Why is it so?", "answer": "It is so by nature.", "source": "reddit/x"}
    write(tmp_path / "eli5" / "train.jsonl", [{"id": "a"} | one, {"id": "b"} | one])
    write(tmp_path / "eli5" / "validation.jsonl", [{"id": "c"} | one])
    explore(tmp_path, HERE)
    assert "There is nothing to compare: all pairs are alike" in (tmp_path / "eda.md").read_text()
    assert not Page((tmp_path / "eda.html").read_text()).tags["svg"]


def test_sets_of_other_candidates_are_refused(folder: Path) -> None:
    rng = random.Random(9)
    write_candidates(folder, "eli5", [row(number, rng) for number in range(5, 60)])
    with pytest.raises(DataError, match=r"train\.jsonl: 'eli5-1' is not among .*s2train data eli5 --out"):
        measure_folder(folder, HERE)


def test_a_broken_line_is_named_and_the_old_report_stays(folder: Path) -> None:
    for name in layout.EDA:
        (folder / name).write_text("old")
    with (folder / "eli5" / "train.jsonl").open("a") as file:
        file.write('{"id": "eli5-99"}\n')
    with pytest.raises(DataError, match=r"train\.jsonl:33: field 'question'"):
        explore(folder, HERE)
    assert [(folder / name).read_text() for name in layout.EDA] == ["old", "old"]
    assert not list(folder.glob(".*"))


# --- the two formats ---


class Page(HTMLParser):
    """The tags of a page, its ids, and the text that is not in a script or a style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = Counter[str]()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.said: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = dict(attrs)
        assert not [name for name in values if name.startswith("on")]
        if name := values.get("id"):
            self.ids.append(name)
        self.links += [link for name in ("href", "src", "xlink:href") if (link := values.get(name))]
        if tag == "svg":
            self.labels.append(values.get("aria-label") or "")

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of texts that are out to break it."""
    rng = random.Random(4)
    rows = [
        row(number, rng, source=HOSTILE if number % 3 else "reddit/x", created_utc=1.4e9 + number * 5e5)
        for number in range(700)
    ]
    for one in rows[640:]:
        one["answer"] += " Purple elephants dance <img src=x onerror=alert(1)>."
    for one in rows[:100]:
        one["category"] = "| --- | `code` <b>"
    out = make_folder(tmp_path_factory.mktemp("hostile"), rows, kept=500)
    lines = [preference(f"Why {n}?", "One two three four.", "One two.", source=HOSTILE) for n in range(9)]
    write(out / "preferences" / "helpfulness.jsonl", lines)
    write(out / "preferences" / "helpfulness.validation.jsonl", lines[:2])
    explore(out, HERE)
    return out


def test_no_text_becomes_markup(hostile: Path) -> None:
    page = Page((hostile / "eda.html").read_text())
    assert not {"script", "img", "b", "iframe", "object"} & page.tags.keys()
    assert HOSTILE in page.said
    assert all(link.startswith("#") for link in page.links)  # nothing is fetched


def test_pictures_are_whole_and_their_ids_their_own(hostile: Path) -> None:
    text = (hostile / "eda.html").read_text()
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) > 15
    for picture in pictures:
        svg_of(picture)
    page = Page(text)
    assert [name for name, times in Counter(page.ids).items() if times > 1] == []
    named = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]*)\)", text))
    assert named <= set(page.ids)
    assert all(page.labels)
    assert len(page.labels) == page.tags["figcaption"]


def test_names_do_not_break_a_markdown_table(hostile: Path) -> None:
    lines = (hostile / "eda.md").read_text().splitlines()
    assert any(r"\<script\>alert(1)\</script\>" in line for line in lines)
    for _, group in itertools.groupby(lines, key=lambda line: line.startswith("|")):
        table = [re.sub(r"\\.", "", line).count("|") for line in group if line.startswith("|")]
        assert len(set(table)) <= 1


def test_years_stand_in_their_order(hostile: Path) -> None:
    text = (hostile / "eda.md").read_text()
    years = re.search(r"\| year .*?\n\n", text, re.DOTALL)
    assert years
    assert re.findall(r"^\| (\d{4}) ", years[0], re.MULTILINE)[:3] == ["2014", "2015", "2016"]


def test_of_texts_only_single_words_are_shown(hostile: Path) -> None:
    for name in layout.EDA:
        text = (hostile / name).read_text()
        assert "elephants" in text  # in the words that are left
        assert not re.search(r"purple\W+elephants\W+dance", text, re.IGNORECASE)


def test_the_same_folder_gives_the_same_bytes_in_any_process(hostile: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(hostile, tmp_path / "copy", ignore=shutil.ignore_patterns("eda.*"))
    command = [sys.executable, "-m", "s2train", "data", "eda", "--out", str(copy), "--processes", "2"]
    root = Path(s2train.__file__).parents[1]
    environment = os.environ | {"PYTHONHASHSEED": "7"}  # another order of sets
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=180)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"written: {copy / 'eda.md'}\nwritten: {copy / 'eda.html'}\n"
    for name in layout.EDA:
        assert (copy / name).read_bytes() == (hostile / name).read_bytes()


def test_a_document_in_both_formats() -> None:
    document = Document(
        "A & B",
        [Prose("1 < 2")],
        [Section("Set one", [Table(["word", "n"], [["a|b", "3"]])], [Section("Part", [])])],
    )
    assert render_markdown(document) == (
        "# A \\& B\n\n1 \\< 2\n\n## Set one\n\n| word   |   n |\n|--------|-----|\n| a\\|b   |   3 |\n\n### Part\n"
    )
    page = render_page(document)
    assert '<h2 id="set-one">Set one</h2>' in page
    assert "<p>1 &lt; 2</p>" in page
    assert '<tr><td>a|b</td><td class="n">3</td></tr>' in page


def test_histograms_are_rows_of_blocks_in_markdown() -> None:
    series = [Series("before", "before", [8, 4, 0], 12), Series("after", "after", [1, 0, 0], 12)]
    picture = Distribution("words", "words", [0, 5, 10, 15], series, alt="")
    lines = render_markdown(Document("T", [Pictures([picture])])).splitlines()
    assert lines[2:] == ["```text", "words, 0 to 15", "  before █▄", "  after  ▁", "```"]


# --- real data ---


def head(path: Path, number: int, to: Path) -> str:
    with path.open() as file:
        to.write_text("".join(itertools.islice(file, number)))
    return str(to)


@pytest.fixture(scope="module")
def built(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets and preferences of a few hundred real records, and their report."""
    out = tmp_path_factory.mktemp("built")
    posts = head(shared_data / "eli5" / "explainlikeimfive.jsonl", 150, out / "posts.jsonl")
    leads = head(shared_data / "simplewiki" / "swipe_pairs.jsonl", 80, out / "leads.jsonl")
    dialogues = head(shared_data / "preferences" / "hh_harmless_base.jsonl", 40, out / "dialogues.jsonl")
    config = DataConfig()
    candidates.read_eli5([posts], out, config, HERE)
    candidates.read_wiki([leads], out, config, HERE)
    read_preferences([posts, leads, dialogues], out, PreferenceSettings(), HERE)
    build(out, config, HERE, Evaluations((), {}))
    assert explore(out, HERE) == [out / "eda.md", out / "eda.html"]
    return out


def test_parts_add_up_to_the_manifest(built: Path) -> None:
    made = read_manifest(built)
    assert made is not None
    explored = measure_folder(built, HERE)
    assert explored.notes == ()
    for name in ("eli5", "wiki"):
        one, told = explored.sets[name], made.sets[name]
        assert one.left_out is not None
        assert (one.train.pairs, one.validation.pairs) == (told.train, told.validation)
        reading, *steps = told.funnel
        assert one.left_out.pairs == sum(step.dropped for step in steps)
        assert one.left_out.pairs + one.kept.pairs == told.read - reading.dropped
    parts = [explored.sets[name].kept.pairs for name in ("eli5", "wiki")]
    assert explored.sets["full"].kept.pairs == sum(parts)
    for aspect, told in made.preferences.items():
        assert explored.preferences[aspect].kept.pairs == told.train + told.validation


def test_filters_show_in_what_is_kept(built: Path) -> None:
    """Grades above 10 and reading ease below 50 are left out, by default."""
    kept = measure_folder(built, HERE).sets["eli5"].kept
    ease, grade = kept.number("reading ease"), kept.number("grade")
    assert ease is not None
    assert grade is not None
    assert ease.percentile(0.0) >= 50
    assert grade.percentile(1.0) <= 10 + 0.005  # a bin stands for its middle


def sections(lines: Iterable[str], level: str) -> Iterator[str]:
    return (line.removeprefix(level) for line in lines if line.startswith(level))


def test_the_report_has_every_set_and_aspect(built: Path) -> None:
    lines = (built / "eda.md").read_text().splitlines()
    assert list(sections(lines, "## ")) == [
        "At a glance",
        "eli5",
        "wiki",
        "full",
        "Preferences: helpfulness",
        "Preferences: simplicity",
        "Preferences: harmlessness",
        "How it was measured",
    ]
    for measure in PAIR:
        assert any(line.startswith(f"| {measure.name} ") for line in lines), measure.name
    assert any("All margins are the same" in line for line in lines)  # hh-rlhf has none
    assert any(line.startswith(f"| {MARGIN.name} ") for line in lines)


def test_examples_are_to_be_opened_and_only_in_the_page(built: Path) -> None:
    made = read_manifest(built)
    assert made is not None
    examples = [one for part in made.sets.values() for drop in part.funnel for one in drop.examples]
    assert examples
    text = (built / "eda.md").read_text()
    page = Page((built / "eda.html").read_text())
    assert page.tags["details"] == sum(bool(drop.examples) for part in made.sets.values() for drop in part.funnel)
    for one in examples:
        assert one["question"] in page.said
        assert one["id"] not in text


def test_another_file_than_the_manifests_is_told(built: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(built, tmp_path / "copy")
    shutil.rmtree(copy / "candidates")
    path = copy / "eli5" / "train.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    notes = measure_folder(copy, HERE).notes
    assert "eli5/train.jsonl is not the file that manifest.json tells of: the funnel is another's." in notes
