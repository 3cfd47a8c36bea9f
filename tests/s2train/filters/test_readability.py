"""The answer's reading ease and grade, by the functions of the evaluation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics import flesch_applies
from s2eval.metrics import readability as measured
from s2train.data.filters.readability import Readability, reason
from s2train.data.records import Pair

# 10 words, 1 sentence, 10 syllables: FRE 206.835 - 1.015 * 10 - 84.6 * 1 = 112.085; FKG 3.9 + 11.8 - 15.59 = 0.11
EASY = "The cat sat on the mat and ate the fish."
# 6 words, 1 sentence, 24 syllables: FRE 206.835 - 1.015 * 6 - 84.6 * 4 = -137.655; FKG 2.34 + 47.2 - 15.59 = 33.95
HARD = "Electromagnetic immunoregulatory internationalization necessitates reconsideration immediately."


def said(answer: str, **limits: float | None) -> str | None:
    return reason(Pair("1", HARD, answer, "test"), Readability.model_validate(limits))  # only the answer counts


def test_bounds_belong_to_what_is_kept() -> None:
    exact = measured(EASY)
    assert (round(exact.fre, 3), round(exact.fkg, 2)) == (112.085, 0.11)
    assert said(EASY, min_fre=exact.fre, max_fkg=exact.fkg) is None
    assert said(EASY, min_fre=112.1, max_fkg=None) == "answer's reading ease under 112.1"
    assert said(EASY, min_fre=None, max_fkg=0.1) == "answer's grade over 0.1"


def test_by_default_a_hard_answer_goes_and_an_easy_one_stays() -> None:
    assert said(HARD) == "answer's reading ease under 50"
    assert said(EASY) is None
    assert said(HARD, min_fre=None) == "answer's grade over 10"
    assert said(HARD, min_fre=None, max_fkg=None) is None


@given(st.text(alphabet="ab .\n", max_size=60), st.floats(-50, 150), st.floats(-10, 30))
def test_it_agrees_with_the_evaluation(answer: str, fre: float, fkg: float) -> None:
    value = measured(answer)
    kept = flesch_applies(answer) and value.fre >= fre and value.fkg <= fkg
    assert (said(answer, min_fre=fre, max_fkg=fkg) is None) == kept


def test_what_has_no_reading_ease_is_left_out() -> None:
    assert said("天空是蓝色的。", min_fre=50.0, max_fkg=None) == "answer not in Latin letters"  # textstat: 121
    assert said("天空是蓝色的。", min_fre=None, max_fkg=None) is None
