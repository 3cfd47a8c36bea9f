"""Forms in which judges write a verdict, and what only looks like one of them."""

from __future__ import annotations

import pytest

from s2eval.judge.verdicts.parsers import Choice, Rating, choice, rating, spoken


@pytest.mark.parametrize(
    "text",
    [
        "<thinking>Rating: [[3]]</thinking>\nThe sum is right.\n\n[[8]]",
        "[THINK]Rating: [[3]][/THINK]Rating: [[8]]",
        "Rating: [[3]]?\n</think>\n\nRating: [[8]]",
        "<|channel|>analysis<|message|>[[3]]<|end|><|start|>assistant<|channel|>final<|message|>Rating: [[8]]",
        "analysisRating: [[3]]assistantfinalRating: [[8]]",
        "<answer>[[8]]</answer>",
        "The sum is right.\n\n<answer>\nRating: [[8]]\n</answer>",
        "<rating>[[8]]/10</rating>",
        "<b>Rating: [[8]]</b>",
        "$\\boxed{[[8]]}$",
        "The sum is right.\n\n\\[\\boxed{[[8]]}\\]",
        "\\(\\boxed{\\text{Rating: [[8]]}}\\)",
        "**Final rating:** $\\boxed{8}$",
        "评分：【【８】】",
        "Rating: ⟦8⟧",
        "評価：[[8]]です。",
        "最终评分：[[8]]分",
    ],
)
def test_legal_forms_of_a_rating(text: str):
    assert rating(text) == Rating(8)


@pytest.mark.parametrize(
    "text",
    [
        "勝者：[[B]]",
        "勝者：［［Ｂ］］",
        "勝者：[[B]]です。",
        "获胜者：[[B]]",
        "更好的回答：[[B]]",
        "Gewinner: [[B]]",
        "Le gagnant : [[B]]",
        "Ganador: [[B]]",
        "Vencedor: [[B]]",
        "Победитель: [[B]]",
        "승자: [[B]]",
        "الفائز: [[B]]",
        "<answer>[[B]]</answer>",
        "$\\boxed{[[B]]}$",
    ],
)
def test_legal_forms_of_a_choice(text: str):
    assert choice(text) == Choice("B")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("The answer was:\n<answer>\nRating: [[10]]\n</answer>", "quoted"),
        ("The solution gives \\boxed{8}", "no verdict"),
        ("<think>Rating: [[3]]", "unfinished"),
        ("[THINK]Rating: [[3]]", "unfinished"),
        ("<|channel|>analysis<|message|>Rating: [[3]]", "unfinished"),
    ],
)
def test_what_looks_like_a_legal_form(text: str, problem: str):
    assert rating(text) == Rating(None, problem)


def test_a_reply_without_text_whose_reasoning_ends_in_a_verdict():
    assert spoken("", "Right.\n\nRating: [[8]]", "stop") == ("Right.\n\nRating: [[8]]", True)
    assert spoken("", "Right.\n\nRating: [[8]]", "length") == ("", True)  # it was still thinking
    assert spoken("[[7]]", "Rating: [[8]]", "stop") == ("[[7]]", False)
