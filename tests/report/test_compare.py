"""Models compared: which numbers go into which row, what is refused, and what a row says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from s2eval import stats
from s2eval.errors import DataError
from s2eval.records import Estimate, Scale
from s2eval.report.compare import Compared, Comparison, Side, compare
from s2eval.report.read.items import Item, PairwiseResults, Scored, ignore_prompt_hash

A, B, C = (Side(name, (name,)) for name in "ABC")


def scored(model: str, task: str, metric: str, values: list[float | None], **more: object) -> Scored:
    """Documents 0, 1, … with one value each."""
    items = tuple(Item(f"d{n}", str(n), f"p{n}", {metric: value}) for n, value in enumerate(values))
    return replace(Scored(model, task, items), **more)  # type: ignore[arg-type]


def rows(compared: Compared, table: str = "") -> dict[tuple[str, str], Comparison]:
    found = {(row.task, row.metric): row for one in compared.tables if table in one.key for row in one.rows}
    assert len(found) == sum(len(one.rows) for one in compared.tables if table in one.key)
    return found


def test_two_results_of_one_name_are_never_one() -> None:
    results = [scored("A", "quiz", "acc", [value, 0], source=name) for value, name in ((1, "x"), (0, "y"))]
    with pytest.raises(DataError, match="A, quiz: two results, from x and y"):
        compare([*results, scored("B", "quiz", "acc", [1, 1])], [(A, B)])


# --- rows ------------------------------------------------------------------------------------------------------


def test_a_share_is_told_in_points() -> None:
    one = scored("A", "quiz", "acc", [1, 0, 0, 0, 0, 0])
    other = scored("B", "quiz", "acc", [1, 1, 1, 1, 0, 0])
    row = rows(compare([one, other], [(A, B)]))["quiz", "acc"]
    assert row.scores == pytest.approx((100 / 6, 400 / 6))
    assert row.difference.estimate.value == pytest.approx(50)  # three more of six
    low, high = stats.tango_interval(3, 0, 6)
    assert (row.difference.estimate.ci_low, row.difference.estimate.ci_high) == pytest.approx((100 * low, 100 * high))
    assert (row.difference.p, row.adjusted, row.tests) == (0.125, 0.125, 1)
    assert (row.what, row.unit) == ("quiz, acc, %", "points")
    assert row.detectable == pytest.approx(100 * stats.detectable_share(0.5, 6))


def test_a_score_keeps_its_unit() -> None:
    one = scored("A", "s2_eli5", "s2_rouge1", [0.1, 0.2, 0.3, 0.5])
    other = scored("B", "s2_eli5", "s2_rouge1", [0.2, 0.25, 0.3, 0.4])
    compared = compare([one, other], [(A, B)])
    row = rows(compared)["s2_eli5", "s2_rouge1"]
    scale = Scale(0.0, 1.0, graded=True)
    expected = stats.paired_difference([0.1, 0.2, 0.3, 0.5], [0.2, 0.25, 0.3, 0.4], within=scale)
    assert row.difference == expected
    assert (row.what, row.unit, row.better) == ("ELI5, ROUGE-1", "", "high")
    assert compared.tables[0].title == "ROUGE, F-measure"


def test_the_difference_is_the_models_less_the_baselines() -> None:
    data = [scored("A", "quiz", "f1", [0.1, 0.2, 0.4]), scored("B", "quiz", "f1", [0.5, 0.6, 0.9])]
    there = rows(compare(data, [(A, B)]))["quiz", "f1"]
    back = rows(compare(data, [(B, A)]))["quiz", "f1"]
    assert there.difference.estimate.value == pytest.approx((0.4 + 0.4 + 0.5) / 3)
    assert back.difference.estimate == stats.scale(there.difference.estimate, -1)
    assert (there.scores, back.scores) == (there.scores, there.scores[::-1])


def leaderboard(model: str, shift: float) -> list[Scored]:
    """Points of the four tasks; MMLU in two subjects."""
    values = {
        "s2_arc_challenge": [100.0, 0, 0, 100 * shift],
        "s2_hellaswag": [100.0, 100, 0, 0],
        "s2_truthfulqa_mc2": [40.0 + 10 * shift, 30.0 + 20 * shift] * 2,
    }
    found = [scored(model, task, "leaderboard_pct", points) for task, points in values.items()]
    labelled = [("a", 100 * shift), ("b", 0.0), ("b", 100.0), ("b", 100 * shift)] * 2
    items = tuple(
        Item(f"m{n}", str(n), "", {"leaderboard_pct": value}, stratum=name) for n, (name, value) in enumerate(labelled)
    )
    return [*found, Scored(model, "s2_mmlu", items)]


def test_the_leaderboard_is_averaged_within_pairs() -> None:
    found = rows(compare([*leaderboard("A", 0.0), *leaderboard("B", 1.0)], [(A, B)]), "s2_leaderboard")
    assert found["s2_arc_challenge", "leaderboard_pct"].difference.estimate.value == pytest.approx(25)
    assert found["s2_hellaswag", "leaderboard_pct"].difference.estimate.value == 0
    assert found["s2_truthfulqa_mc2", "leaderboard_pct"].difference.estimate.value == pytest.approx(15)
    mmlu = found["s2_mmlu", "leaderboard_pct"]
    assert mmlu.difference.estimate.value == pytest.approx((100 + 100 / 3) / 2)  # subjects weigh alike
    average = found["s2_leaderboard", "leaderboard_pct"]
    assert average.difference.estimate.value == pytest.approx((25 + 0 + 15 + (100 + 100 / 3) / 2) / 4)
    assert average.scores[1] - average.scores[0] == pytest.approx(average.difference.estimate.value)
    assert {row.tests for row in found.values()} == {5}


def test_the_same_number_in_another_unit_is_not_tested_twice() -> None:
    items = tuple(
        Item(f"d{n}", str(n), "", {"acc_norm": x, "leaderboard_pct": 100 * x}) for n, x in enumerate([0.0, 1.0])
    )
    compared = compare([Scored(model, "s2_hellaswag", items) for model in "AB"], [(A, B)])
    assert list(rows(compared)) == [("s2_hellaswag", "leaderboard_pct")]
    assert any("acc_norm of s2_hellaswag" in note for note in compared.notes)


def test_a_judges_turns_and_their_questions() -> None:
    def judged(model: str, values: list[float | None]) -> Scored:
        items = tuple(
            Item(f"{q}, turn {t}", f"{q} turn {t}", "v1", {"s2_judge_score": values[2 * q + t]}, cluster=str(q))
            for q in range(3)
            for t in range(2)
        )
        return Scored(model, "mt_bench", items, judge="gpt-4")

    first, second = [8.0, 6, 7, 5, 9, 4], [7.0, 6, 5, None, 9, 1]
    compared = compare([judged("A", first), judged("B", second)], [(A, B)])
    row = rows(compared)["mt_bench", "s2_judge_score"]
    expected = stats.paired_difference(first, second, clusters=list("001122"))
    assert row.difference == expected
    assert (row.difference.estimate.n_valid, row.difference.estimate.n) == (5, 6)
    assert row.scores == (pytest.approx((8 + 6 + 7 + 9 + 4) / 5), pytest.approx((7 + 6 + 5 + 9 + 1) / 5))
    (note,) = compared.tables[0].notes
    assert "1 (1 turn 1) of 6 documents have no s2_judge_score" in note


def test_win_rates() -> None:
    contests = PairwiseResults("B", "A", "mt_bench", "gpt-4", (1.0, 1.0, 1.0, 0.5, 0.0, None), tuple("abcdef"))
    row = rows(compare([], [(A, B)], [contests]))["mt_bench", "s2_win_rate"]
    assert row.scores == pytest.approx((30, 70))  # (3 + 1/2) / 5
    assert row.difference.estimate.value == pytest.approx(40)  # (3 - 1) / 5
    rate = stats.win_rate(3, 1, 5)
    assert row.difference.estimate.ci_low == pytest.approx(100 * (2 * rate.ci_low - 1))
    assert row.difference.p == stats.mcnemar_mid_p(3, 1)
    turned = rows(compare([], [(B, A)], [contests]))["mt_bench", "s2_win_rate"]
    assert turned.scores == pytest.approx((70, 30))
    assert compare([], [(A, C)], [contests]).tables == ()


def test_readability_of_the_whole_text() -> None:
    def answered(model: str, counts: list[tuple[int, int, int]]) -> Scored:
        return Scored(model, "s2_wiki", tuple(Item(f"d{n}", str(n), "", {}, counts=c) for n, c in enumerate(counts)))

    one = [(10, 1, 15), (20, 2, 30), (15, 1, 20), (15, 1, 20)]
    other = [(10, 2, 15), (20, 4, 30), (15, 2, 20), (15, 1, 20)]
    row = rows(compare([answered("A", one), answered("B", other)], [(A, B)]))["s2_wiki", "s2_fre_corpus"]
    # words a sentence 60/5 and 60/9, syllables the same
    assert row.difference.estimate.value == pytest.approx(1.015 * (60 / 5 - 60 / 9))
    assert (row.what, row.difference.test) == ("wiki, FRE, whole text", "swap")


# --- many tests ------------------------------------------------------------------------------------------------


def test_p_is_adjusted_over_a_table_and_not_over_others() -> None:
    def model(name: str, extra: float) -> list[Scored]:
        rouge = [
            scored(name, task, "s2_rouge1", [extra * n / 40 for n in range(20)]) for task in ("s2_eli5", "s2_wiki")
        ]
        return [*rouge, scored(name, "quiz", "f1", [extra * n / 40 for n in range(20)])]

    compared = compare([*model("A", 0.0), *model("B", 1.0)], [(A, B)])
    by_table = {
        table.key: [(row.difference.p, row.adjusted, row.tests) for row in table.rows] for table in compared.tables
    }
    p = 1 / 10_001  # 19 documents, all of one sign
    assert by_table == {"s2_rouge": [(p, 2 * p, 2)] * 2, "quiz_other": [(p, p, 1)]}


def test_what_would_have_been_detected_is_at_the_level_of_the_table() -> None:
    values = {"A": [n % 5 / 10 for n in range(9)], "B": [(n + 1) % 4 / 10 for n in range(9)]}
    data = [scored(model, f"s2_{t}", "s2_rouge1", column) for t in ("eli5", "wiki", "full")
            for model, column in values.items()]  # fmt: skip
    row = rows(compare(data, [(A, B)]))["s2_eli5", "s2_rouge1"]
    assert row.detectable == stats.detectable(row.difference.estimate.stderr, alpha=0.05 / 3, freedom=8)


def test_a_large_table_can_still_show_something() -> None:
    # 15 pairs of 6 models on 3 tasks and 4 metrics: 180 tests in a table, so 10,000 patterns were not enough for
    # 180 / 10,001; as many are drawn that the smallest p is at most 0.025 / 180
    def model(number: int) -> list[Scored]:
        names = ("s2_rouge1", "s2_rouge2", "s2_rougeL", "s2_rougeLsum")
        items = tuple(
            Item(f"d{n}", str(n), "", dict.fromkeys(names, number / 10 + (n + 1) * number / 1000)) for n in range(30)
        )
        return [Scored(f"m{number}", task, items) for task in ("s2_eli5", "s2_wiki", "s2_full")]

    sides = [Side(f"m{number}", (f"m{number}",)) for number in range(6)]
    pairs = [(one, other) for at, one in enumerate(sides) for other in sides[at + 1 :]]
    found = [row for table in compare([one for n in range(6) for one in model(n)], pairs).tables for row in table.rows]
    assert {row.tests for row in found} == {180}
    assert max(row.adjusted or 0.0 for row in found) <= 0.025


def test_several_baselines_share_a_table() -> None:
    data = [scored(model, "s2_eli5", "s2_rouge1", [0.1 * n, 0.3, 0.5, 0.2]) for n, model in enumerate("ABC")]
    (table,) = compare(data, [(A, B), (A, C), (B, C)]).tables
    assert [(row.baseline, row.model) for row in table.rows] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert {row.tests for row in table.rows} == {3}


# --- what is left out and refused ------------------------------------------------------------------------------


def test_documents_that_one_lacks_are_named() -> None:
    one, other = scored("A", "quiz", "f1", [0.1, 0.2, 0.3]), scored("B", "quiz", "f1", [0.1, 0.2, 0.4, 0.9, 0.8])
    compared = compare([one, other], [(A, B)])
    row = rows(compared)["quiz", "f1"]
    assert (row.difference.estimate.n_valid, row.difference.estimate.n) == (3, 5)
    assert row.scores == pytest.approx((0.2, 0.7 / 3))
    (note,) = compared.tables[0].notes
    assert "A lacks 2 (3, 4) of 5 documents, left out" in note


def test_not_a_number_is_no_score() -> None:
    one, other = scored("A", "quiz", "f1", [0.1, math.nan, 0.3]), scored("B", "quiz", "f1", [0.1, 0.2, math.inf])
    compared = compare([one, other], [(A, B)])
    assert rows(compared)["quiz", "f1"].difference.estimate.n_valid == 1
    assert "2 (1, 2) of 3 documents have no f1" in compared.tables[0].notes[0]


def test_a_subject_that_one_lacks_leaves_no_mean_over_subjects() -> None:
    def mmlu(model: str, labels: str) -> Scored:
        items = tuple(Item(f"m{n}", str(n), "", {"acc": 1.0}, stratum=label) for n, label in enumerate(labels))
        return Scored(model, "mmlu", items)

    row = rows(compare([mmlu("A", "aab"), mmlu("B", "aa")], [(A, B)]))["mmlu", "acc"]
    assert row.difference.estimate.value is None
    assert row.verdict.startswith("cannot be told")


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({"conditions": {"task version": "1"}}, {"conditions": {"task version": "2"}}, "task version: 1 (A) and 2 (B)"),
        ({"conditions": {"template": "s2"}}, {}, "template: s2 (A) and none (B)"),
        ({"items": ()}, {"source": "x"}, "no samples of A"),
    ],
)
def test_other_conditions_are_refused(one: dict, other: dict, why: str) -> None:
    data = [scored("A", "quiz", "f1", [0.1, 0.2], **one), scored("B", "quiz", "f1", [0.1, 0.2], **other)]
    compared = compare(data, [(A, B)])
    assert compared.tables == ()
    assert len(compared.refused) == 1
    assert compared.refused[0].startswith("B against A, quiz: ")
    assert why in compared.refused[0]


def test_other_prompts_and_other_data_are_refused() -> None:
    one = scored("A", "quiz", "f1", [0.1, 0.2, 0.3])
    prompts = tuple(replace(item, prompt=item.prompt if item.name == "0" else "other") for item in one.items)
    data = tuple(replace(item, key=f"x{item.key}") for item in one.items)
    for items, why in (
        (prompts, "prompts of 2 (1, 2) of 3 documents"),
        (data, "no document in common (3 of A, 3 of B)"),
    ):
        compared = compare([one, replace(one, model="B", items=items)], [(A, B)])
        assert compared.tables == ()
        assert why in compared.refused[0]


def test_a_task_that_one_was_not_evaluated_on_is_told() -> None:
    data = [
        scored("A", "quiz", "f1", [0.1, 0.2]),
        scored("A", "more", "f1", [0.1]),
        scored("B", "quiz", "f1", [0.1, 0.3]),
    ]
    compared = compare(data, [(A, B)])
    assert list(rows(compared)) == [("quiz", "f1")]
    assert compared.refused == ("B against A, more: B not evaluated there",)
    compared = compare([*data, scored("A", "most", "f1", [0.5])], [(A, B)])
    assert compared.refused == ("B against A, more, most: B not evaluated there",)


def test_another_encoder_refuses_bertscore_alone() -> None:
    def answered(model: str, encoder: str) -> Scored:
        items = (Item("d", "0", "", {"s2_bertscore_f1": 0.5, "s2_rouge1": 0.2}),)
        return Scored(model, "s2_eli5", items, metric_conditions={"s2_bertscore_f1": encoder})

    compared = compare([answered("A", "minilm"), answered("B", "roberta-large")], [(A, B)])
    assert list(rows(compared)) == [("s2_eli5", "s2_rouge1")]
    assert "s2_bertscore_f1: by minilm (A) and roberta-large (B)" in compared.refused[0]


def test_averages_without_documents_are_told() -> None:
    data = [scored(model, "quiz", "f1", [0.1, 0.2], averages=("bleu",)) for model in "AB"]
    assert compare(data, [(A, B)]).refused == ("B against A, quiz, bleu: known as an average only",)


def test_models_asked_in_their_own_templates() -> None:
    def asked(model: str, template: str) -> Scored:
        items = tuple(
            Item(f"{template}{n}", str(n), f"{template}{n}", {"s2_rouge1": 0.1 * n}, content=f"question {n}")
            for n in range(3)
        )
        return Scored(model, "s2_eli5", items, conditions={"template": template, "task version": "1"})

    data = [asked("A", "s2"), asked("B", "chat")]
    assert "template: s2 (A) and chat (B)" in compare(data, [(A, B)]).refused[0]
    mixed = compare([ignore_prompt_hash(one) for one in data], [(A, B)])
    assert rows(mixed)["s2_eli5", "s2_rouge1"].difference.estimate.n_valid == 3
    assert {"A was asked with template s2", "B was asked with template chat"} <= set(mixed.notes)


# --- seeds -----------------------------------------------------------------------------------------------------


def test_seeds_of_a_recipe_are_one_side() -> None:
    values = {"a1": [0.1, 0.3] * 2, "a2": [0.2, 0.4] * 2, "b1": [0.5, 0.6] * 2, "b2": [0.5, 0.7] * 2}
    data = [scored(name, "s2_eli5", "s2_rouge1", list(column)) for name, column in values.items()]
    compared = compare(data, [(Side("a", ("a1", "a2")), Side("b", ("b1", "b2")))])
    row = rows(compared)["s2_eli5", "s2_rouge1"]
    assert row.seeds == (2, 2)
    assert row.scores == pytest.approx((0.25, 0.575))
    assert row.difference.test == "student"
    seeds = {one.name: one.seeds for one in compared.seeds}
    assert seeds["a"].between == pytest.approx(0.005)  # scores 0.2 and 0.3
    assert "Several training seeds (2 of a, 2 of b)" in compared.notes[0]


def test_one_seed_is_worded_as_what_it_is() -> None:
    data = [scored(model, "quiz", "f1", [0.1, 0.2]) for model in "AB"]
    (note,) = compare(data, [(A, B)]).notes
    assert note.startswith("One training seed of A, B: what is shown is about these checkpoints")


# --- words -----------------------------------------------------------------------------------------------------


def row_of(value: float | None, p: float | None, adjusted: float | None, **more: object) -> Comparison:
    estimate = Estimate(value, 1.0, -1.0, 1.0, 10, 10, "student")
    difference = stats.Difference(estimate, p, "sign-flip", 0.5)
    row = Comparison("A", "B", "quiz", "", "", "f1", "quiz", (0.0, value), difference, adjusted, tests=4)
    return replace(row, **more)  # type: ignore[arg-type]


SHOWN, NOT_SHOWN = (3.0, 0.001, 0.004), (0.1, 0.6, 1.0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (row_of(*SHOWN), "difference shown: higher"),
        (row_of(-3.0, 0.001, 0.004, better="high"), "difference shown: lower (worse)"),
        (row_of(-3.0, 0.001, 0.004, better="low"), "difference shown: lower (better)"),
        (row_of(*SHOWN, better="high"), "difference shown: higher (better)"),
        (
            row_of(*NOT_SHOWN, detectable=0.8612, unit="points"),
            "no difference shown; 0.87 points would have been detected",
        ),
        (row_of(*NOT_SHOWN, detectable=12.01), "no difference shown; 13 would have been detected"),
        (row_of(*NOT_SHOWN, detectable=0.02), "no difference shown; 0.020 would have been detected"),
        (row_of(*NOT_SHOWN, detectable=None), "no difference shown; they differ on 5 of 10 documents only"),
        (
            row_of(0.9, 0.03, 0.12, detectable=2.5),
            "no difference shown (alone p = 0.03, one of 4 tests); 2.5 would have been detected",
        ),
        (row_of(0.1, None, None), "cannot be told: too few documents"),
        (
            row_of(None, None, None),
            "cannot be told: no document with a value of both, or a part of the task without one",
        ),
    ],
)
def test_verdicts(row: Comparison, words: str) -> None:
    assert row.verdict == words


def test_models_that_say_the_same() -> None:
    data = [scored(model, "quiz", "acc", [1, 0, 1, 1]) for model in "AB"]
    assert rows(compare(data, [(A, B)]))["quiz", "acc"].verdict == "the same on every document"


@pytest.mark.parametrize(("metric", "values"), [("acc", [1, 0]), ("s2_rouge1", [0.2, 0.4]), ("s2_words", [10, 20])])
def test_two_documents_are_too_few_for_a_test_or_an_interval(metric: str, values: list[float]) -> None:
    for other in (values, [value + 0.1 for value in values] if metric != "acc" else values[::-1]):
        row = rows(compare([scored("A", "quiz", metric, values), scored("B", "quiz", metric, other)], [(A, B)]))[
            "quiz", metric
        ]
        assert row.verdict == "cannot be told: too few documents"
        assert (row.difference.estimate.ci_low, row.difference.estimate.ci_high, row.difference.p) == (None, None, None)


def test_identical_scores_have_an_interval_with_a_width() -> None:
    data = [scored(model, "quiz", "s2_rouge1", [0.2, 0.4, 0.0, 0.3]) for model in "AB"]
    one = rows(compare(data, [(A, B)]))["quiz", "s2_rouge1"].difference.estimate
    assert one.value == 0
    assert -1 < one.ci_low < 0 < one.ci_high < 1


def test_a_difference_of_percentages_lies_between_minus_and_plus_100() -> None:
    values = {"A": [0.0, 100, 0, 0], "B": [100.0, 0, 100, 100]}
    data = [scored(model, "s2_truthfulqa_mc2", "leaderboard_pct", column) for model, column in values.items()]
    one = rows(compare(data, [(A, B)]))["s2_truthfulqa_mc2", "leaderboard_pct"].difference.estimate
    assert one.value == 50
    assert -100 <= one.ci_low < 50 < one.ci_high <= 100
