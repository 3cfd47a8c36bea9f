"""Samples become numbers: how each metric is averaged, with its uncertainty and its counts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from s2eval import stats
from s2eval.metrics import Counts, corpus_readability
from s2eval.metrics import answers as qa
from s2eval.metrics.choices import POINTS
from s2eval.metrics.readability import READABILITY
from s2eval.metrics.rouge import ROUGE
from s2eval.records import Estimate, Sample
from s2eval.scoring import corpus_estimate, score_samples, score_texts
from s2eval.tasks.leaderboard.scores import COUNTED, leaderboard_average


def samples(metric: str, values: list[float], stratum: str = "", first: int = 0) -> list[Sample]:
    return [
        Sample(doc_id=number, doc_hash=f"d{number}", prompt_hash="p", stratum=stratum, values={metric: value})
        for number, value in enumerate(values, first)
    ]


def test_a_plain_metric_is_the_mean_of_its_documents() -> None:
    estimates = score_samples(samples("s2_rouge1", [0.1, 0.2, 0.6, 0.3]))
    one = estimates["", "s2_rouge1"]
    assert set(estimates) == {("", "s2_rouge1")}
    assert one.value == pytest.approx(0.3)  # 1.2 / 4
    # sample variance (0.2² + 0.1² + 0.3² + 0²) / 3 = 0.14 / 3, standard error √(0.14 / 3 / 4)
    assert one.stderr == pytest.approx(math.sqrt(0.14 / 12))
    assert one.ci_low is not None
    assert one.ci_high is not None
    assert 0 < one.ci_low < 0.3 < one.ci_high < 1
    assert (one.n, one.n_valid, one.method) == (4, 4, "bounded")


def test_points_have_the_interval_of_the_underlying_zeros_and_ones() -> None:
    right = [1.0] * 36 + [0.0] * 84
    one = score_samples(samples(POINTS, [100 * value for value in right]))["", POINTS]
    # Wilson, 36 of 120, z = 1.96: centre (0.3 + 0.016006) / 1.032012, half 1.96 √(0.00175 + 0.0000667) / 1.032012
    assert one.method == "wilson"
    assert one.value == pytest.approx(30)
    assert one.ci_low == pytest.approx(22.53, abs=0.01)
    assert one.ci_high == pytest.approx(38.71, abs=0.01)
    assert one.stderr == pytest.approx(100 * math.sqrt(0.3 * 0.7 / 119))
    assert one == stats.scale(stats.proportion(36, 120), 100)


def test_points_of_shares_are_no_proportion() -> None:
    one = score_samples(samples(POINTS, [25.0, 50.0, 100.0, 0.0]))["", POINTS]  # TruthfulQA's mc2
    assert one.value == pytest.approx(43.75)  # 175 / 4
    assert one.method == "bounded"
    assert 0 <= one.ci_low < 43.75 < one.ci_high <= 100


# --- MMLU ------------------------------------------------------------------------------------------------------

SUBJECTS = {"anatomy": [1.0, 0.0], "astronomy": [1.0] * 9 + [0.0], "virology": [0.0, 0.0, 0.0, 1.0]}


def mmlu() -> list[Sample]:
    listed: list[Sample] = []
    for subject, values in SUBJECTS.items():
        listed += samples("acc", values, subject, first=len(listed))
    return listed


def test_subjects_of_unequal_size_weigh_the_same() -> None:
    one = score_samples(mmlu())["", "acc"]
    assert one.value == pytest.approx((0.5 + 0.9 + 0.25) / 3)  # 0.55; the mean over documents is 11 / 16 = 0.6875
    # variance of each mean: p (1 - p) / (n - 1): 0.25 / 1, 0.09 / 9, 0.1875 / 3
    assert one.stderr == pytest.approx(math.sqrt(0.25 + 0.01 + 0.0625) / 3)
    assert (one.n, one.n_valid) == (16, 16)


def test_each_subject_is_given_too() -> None:
    estimates = score_samples(mmlu())
    assert set(estimates) == {("", "acc"), *((subject, "acc") for subject in SUBJECTS)}
    assert estimates["astronomy", "acc"] == stats.proportion(9, 10)
    assert estimates["virology", "acc"].n == 4


def test_subjects_that_are_interleaved_give_the_same() -> None:
    shuffled = sorted(mmlu(), key=lambda sample: sample.doc_id % 5)
    assert shuffled != mmlu()
    one, other = score_samples(shuffled), score_samples(mmlu())
    assert set(one) == set(other)
    for key, estimate in one.items():
        assert estimate.value == pytest.approx(other[key].value)
        assert estimate.stderr == pytest.approx(other[key].stderr)


# --- what is missing -------------------------------------------------------------------------------------------


def test_a_document_that_lacks_a_metric_is_counted_as_not_valid() -> None:
    listed = samples("acc", [1.0, 0.0, 1.0, 1.0])
    listed[1] = replace(listed[1], values={"other": 0.5})
    estimates = score_samples(listed)
    one, other = estimates["", "acc"], estimates["", "other"]
    assert (one.value, one.n_valid, one.n) == (1.0, 3, 4)  # 3 of 3, and 4 were asked
    assert (other.value, other.n_valid, other.n) == (0.5, 1, 4)


def test_a_value_that_is_no_number_is_counted_as_not_valid() -> None:
    one = score_samples(samples("acc", [1.0, math.nan, 0.0]))["", "acc"]
    assert (one.value, one.n_valid, one.n) == (0.5, 2, 3)


def test_a_subject_without_any_value_leaves_the_whole_unknown() -> None:
    listed = [replace(one, values={"other": 1.0}) if one.stratum == "anatomy" else one for one in mmlu()]
    one = score_samples(listed)["", "acc"]
    assert one.value is None  # not the mean over the two others
    assert (one.n_valid, one.n) == (14, 16)


def test_no_samples_no_numbers() -> None:
    assert score_samples([]) == {}


# --- the whole text --------------------------------------------------------------------------------------------

COUNTS = [Counts(10, 1, 14), Counts(50, 4, 66), Counts(0, 0, 0), Counts(7, 1, 12)]


@pytest.mark.parametrize(("part", "index"), [("fre", 0), ("fkg", 1)])
def test_readability_of_all_answers_is_that_of_the_summed_counts(part: str, index: int) -> None:
    one = corpus_estimate(part, COUNTS)
    assert one.value == pytest.approx(corpus_readability(COUNTS)[index])
    assert one.stderr is not None
    assert one.stderr > 0
    assert (one.n, one.n_valid) == (4, 4)


def test_the_arithmetic_of_the_whole_text() -> None:
    # 67 words, 6 sentences, 92 syllables
    assert corpus_estimate("fre", COUNTS).value == pytest.approx(206.835 - 1.015 * 67 / 6 - 84.6 * 92 / 67)
    assert corpus_estimate("fkg", COUNTS).value == pytest.approx(0.39 * 67 / 6 + 11.8 * 92 / 67 - 15.59)


def test_samples_with_counts_have_the_whole_text_and_one_without_is_counted() -> None:
    listed = samples("s2_words", [float(counts.words) for counts in COUNTS])
    listed = [
        replace(sample, counts=(counts.words, counts.sentences, counts.syllables))
        for sample, counts in zip(listed, COUNTS, strict=True)
    ]
    estimates = score_samples(listed)
    assert estimates["", "s2_fre_corpus"] == corpus_estimate("fre", COUNTS)
    assert estimates["", "s2_fkg_corpus"] == corpus_estimate("fkg", COUNTS)
    listed[0] = replace(listed[0], counts=None)
    one = score_samples(listed)["", "s2_fre_corpus"]
    assert one.value == pytest.approx(corpus_readability(COUNTS[1:])[0])
    assert (one.n_valid, one.n) == (3, 4)


def test_tasks_without_texts_have_none() -> None:
    assert not {metric for _, metric in score_samples(mmlu())} & set(qa.WHOLE_TEXT)


# --- texts -----------------------------------------------------------------------------------------------------

TEXTS = ["The cat sat.", "", "A dog ran away from the garden yesterday."]


def test_rouge_of_texts() -> None:
    estimates = score_texts("rouge", TEXTS, ["The cat sat on the mat.", "Nothing.", TEXTS[2]])
    assert set(estimates) == {*ROUGE.names, "s2_words", "s2_empty"}
    assert estimates["s2_rouge1"].value == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert estimates["s2_empty"].value == pytest.approx(1 / 3)
    assert estimates["s2_words"].value == pytest.approx((3 + 0 + 8) / 3)
    assert {(one.n_valid, one.n) for one in estimates.values()} == {(3, 3)}


def test_readability_of_texts_needs_no_references() -> None:
    estimates = score_texts("readability", TEXTS, ["", "", ""])
    assert set(estimates) == {*READABILITY.names, "s2_words", "s2_empty"}
    counts = [qa.counts(text) for text in TEXTS]
    assert estimates["s2_fre_corpus"].value == pytest.approx(corpus_readability(counts)[0])
    each = [qa.score(text, "")["s2_fre"] for text in TEXTS]
    assert estimates["s2_fre"].value == pytest.approx(sum(each) / 3)


# --- the leaderboard's average ---------------------------------------------------------------------------------

POINT = {
    "arc_challenge": Estimate(50.0, 3.0, 44.0, 56.0, n=100, n_valid=100),
    "hellaswag": Estimate(80.0, 4.0, 72.0, 88.0, n=10, n_valid=9),
    "mmlu": Estimate(45.0, 0.0, 44.0, 47.0, n=1000, n_valid=1000),
    "truthfulqa_mc2": Estimate(39.0, 12.0, 15.0, 63.0, n=5, n_valid=5),
}


def test_the_average_is_the_mean_of_the_four_whatever_their_size() -> None:
    average = leaderboard_average(POINT)
    assert average is not None
    assert average.value == pytest.approx(53.5)  # (50 + 80 + 45 + 39) / 4
    assert average.stderr == pytest.approx(13 / 4)  # √(9 + 16 + 0 + 144) / 4
    assert average.ci_low == pytest.approx(53.5 - math.sqrt(6**2 + 8**2 + 1**2 + 24**2) / 4)
    assert average.ci_high == pytest.approx(53.5 + math.sqrt(6**2 + 8**2 + 2**2 + 24**2) / 4)
    assert (average.n, average.n_valid) == (1115, 1114)


def test_only_the_four_count() -> None:
    assert leaderboard_average({**POINT, "eli5": Estimate(0.0, 1.0, 0.0, 0.0, 1, 1)}) == leaderboard_average(POINT)


@pytest.mark.parametrize("missing", COUNTED)
def test_without_one_of_the_four_there_is_no_average(missing: str) -> None:
    assert leaderboard_average({name: one for name, one in POINT.items() if name != missing}) is None


def test_a_part_without_value_leaves_the_average_unknown() -> None:
    unknown = Estimate(None, None, None, None, n=10, n_valid=0)
    average = leaderboard_average({**POINT, "mmlu": unknown})
    assert average is not None
    assert (average.value, average.stderr, average.ci_low) == (None, None, None)
    assert average.n == 125  # 100 + 10 + 10 + 5


def test_a_part_of_unknown_precision_leaves_the_averages_unknown() -> None:
    average = leaderboard_average({**POINT, "mmlu": replace(POINT["mmlu"], stderr=None)})
    assert average is not None
    assert average.value == pytest.approx(53.5)
    assert (average.stderr, average.ci_low, average.ci_high) == (None, None, None)


def test_from_samples_to_the_average() -> None:
    points: dict[str, Estimate] = {}
    for name, right, n in (("arc_challenge", 1, 4), ("hellaswag", 3, 4), ("truthfulqa_mc2", 2, 4)):
        points[name] = score_samples(samples(POINTS, [100.0] * right + [0.0] * (n - right)))["", POINTS]
    listed = [replace(one, values={POINTS: 100 * one.values["acc"]}) for one in mmlu()]
    points["mmlu"] = score_samples(listed)["", POINTS]
    average = leaderboard_average(points)
    assert average is not None
    assert average.value == pytest.approx((25 + 75 + 50 + 55) / 4)  # MMLU: (50 + 90 + 25) / 3 = 55
