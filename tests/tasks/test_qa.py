"""The question-answering tasks: which questions are asked, and what is measured on one answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval import prompts
from s2eval.metrics import METRICS, Counts, flesch_applies, rouge_applies
from s2eval.metrics import answers as qa
from s2eval.metrics.rouge import ROUGE
from s2eval.metrics.size import MEASURED
from s2eval.tasks import lm_eval
from s2eval.tasks.qa import documents
from s2eval.tasks.qa.documents import PairRow

ROWS = [
    PairRow(id=str(number), question=f"Why {number}?", answer=f"So {number}.", source="me") for number in range(500)
]


# --- the sample ------------------------------------------------------------------------------------------------


def test_a_hundred_different_rows_are_drawn_the_same_each_time() -> None:
    drawn = documents.sample(ROWS)
    assert drawn == documents.sample(list(ROWS))
    assert len({row.id for row in drawn}) == len(drawn) == 100
    # golden: random.Random(42).sample(range(500), 100) of CPython 3.11 and 3.12
    assert [row.id for row in drawn[:5]] == ["327", "57", "12", "379", "140"]


def test_another_seed_draws_others() -> None:
    assert {row.id for row in documents.sample(ROWS, seed=1)} != {row.id for row in documents.sample(ROWS, seed=2)}


def test_of_fewer_rows_all_are_drawn_shuffled() -> None:
    drawn = documents.sample(ROWS[:40])
    assert sorted(drawn, key=lambda row: int(row.id)) == ROWS[:40]
    assert drawn != ROWS[:40]
    assert documents.sample([]) == []


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(0, 80), st.integers(0, 2**32))
def test_a_sample_is_without_replacement(n: int, size: int, seed: int) -> None:
    drawn = [row.id for row in documents.sample(ROWS[:n], size, seed)]
    assert len(drawn) == len(set(drawn)) == min(n, size)


def test_the_rows_stay_as_they_are() -> None:
    rows = list(ROWS)
    documents.sample(rows)
    assert rows == ROWS


# --- the document ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["What does {x} mean in {{python}}?", "100 % of %s", "Why?\n### Human: no", "\\n"])
def test_a_question_is_asked_as_it_is(question: str) -> None:
    template = prompts.get("s2")
    row = PairRow(id="7", question=question, answer="{}", source="me")
    assert documents.document(row) | lm_eval.prompt_fields(question, template, {}) == {
        "id": "7",
        "question": question,
        "answer": "{}",
        "source": "me",
        "prompt": f"### Human: {question} ###Assistant:",
        "template": "s2",
        "template_hash": template.hash,
    }


# --- the score of one answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["", " \n\t "])
def test_an_empty_answer_scores_0_by_rule_and_is_counted(answer: str) -> None:
    values = qa.score(answer, "The sky is blue.")
    assert values.pop("s2_empty") == 1.0
    assert set(values) == {*ROUGE.names, *qa.PER_ANSWER, "s2_words"}
    assert set(values.values()) == {0.0}
    assert qa.counts(answer) == Counts(0, 0, 0)


def test_the_arithmetic_of_one_answer() -> None:
    values = qa.score(" The cat sat. ", "The cat sat on the mat.")
    # ROUGE-1: 3 words of 3 and of 6, F = 2 (1 x 1/2) / (1 + 1/2) = 2/3; -2: 2 pairs of 2 and of 5, F = 4/7
    assert values["s2_rouge1"] == values["s2_rougeL"] == values["s2_rougeLsum"] == pytest.approx(2 / 3)
    assert values["s2_rouge2"] == pytest.approx(4 / 7)
    # 3 words, 1 sentence, 3 syllables: 206.835 - 1.015 x 3 - 84.6 = 119.19; 0.39 x 3 + 11.8 - 15.59 = -2.62
    assert qa.counts(" The cat sat. ") == Counts(3, 1, 3)
    assert values["s2_fre_unrounded"] == pytest.approx(119.19)
    assert values["s2_fkg_unrounded"] == pytest.approx(-2.62)
    assert values["s2_fre"] == 119.19
    assert values["s2_fkg"] == -2.6
    assert values["s2_words"] == 3.0
    assert values["s2_empty"] == 0.0


ANSWER = "Sunlight is made of every colour. Air scatters the blue part of it most, and so it comes from everywhere."


def test_reading_ease_is_rounded_to_2_decimals_and_grade_to_1() -> None:
    values = qa.score(ANSWER, "")
    for name, digits in (("s2_fre", 2), ("s2_fkg", 1)):
        unrounded = values[f"{name}_unrounded"]
        assert values[name] == round(unrounded, digits) != unrounded


def test_white_space_around_an_answer_does_not_count() -> None:
    assert qa.score(f"\n  {ANSWER} \n\n", ANSWER) == qa.score(ANSWER, ANSWER)


def test_an_answer_without_words_is_not_empty() -> None:
    values = qa.score("...", "The sky is blue.")
    assert values.pop("s2_empty") == 0.0  # the model did write something
    assert set(values.values()) == {0.0}


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_answer_has_finite_scores_and_every_name_that_applies(answer: str, reference: str) -> None:
    values = qa.score(answer, reference)
    expected = {*MEASURED, *(ROUGE.names if rouge_applies(answer.strip(), reference) else ())}
    assert set(values) == {*expected, *(qa.PER_ANSWER if flesch_applies(answer.strip()) else ())}
    assert all(abs(value) < float("inf") for value in values.values())
    assert all(0 <= values.get(name, 0) <= 1 for name in ROUGE.names)
    counted = qa.counts(answer)
    assert counted is None or values["s2_words"] == counted.words


def test_every_measured_value_belongs_to_a_family_or_to_the_size() -> None:
    named = [name for family in METRICS.values() for name in family.names]
    assert len(named) == len(set(named))
    assert set(qa.score("a", "b")) <= {*named}
