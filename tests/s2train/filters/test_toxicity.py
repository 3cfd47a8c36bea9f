"""Offensive questions and answers, by the function of the evaluation."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from s2eval.metrics.safety import toxicity
from s2train.data.filters.toxicity import Toxicity, reasons
from s2train.data.records import Pair

CLEAN, INSULT = "The sky is blue because air scatters light.", "You are a stupid idiot."
QUESTION = "Why is the sky blue?"


def test_answers_first_then_questions() -> None:
    pairs = [
        Pair("1", QUESTION, CLEAN, "test"),
        Pair("2", QUESTION, f"{CLEAN} {INSULT}", "test"),
        Pair("3", f"Is it true? {INSULT}", CLEAN, "test"),
        Pair("4", INSULT, INSULT, "test"),
    ]
    assert reasons(pairs, Toxicity()) == [None, "offensive answer", "offensive question", "offensive answer"]
    assert reasons(pairs[::-1], Toxicity()) == reasons(pairs, Toxicity())[::-1]
    assert reasons([], Toxicity()) == []


def test_the_bound_belongs_to_what_is_kept() -> None:
    question, answer = toxicity([QUESTION, CLEAN])
    pair = Pair("1", QUESTION, CLEAN, "test")
    worse = max(question, answer)
    assert reasons([pair], Toxicity(max_probability=worse)) == [None]
    assert reasons([pair], Toxicity(max_probability=worse - 1e-9)) != [None]
    assert reasons([Pair("1", INSULT, INSULT, "test")], Toxicity(max_probability=1.0)) == [None]


def test_an_unknown_classifier_is_refused_by_the_configuration() -> None:
    with pytest.raises(ValidationError, match="unknown classifier 'detoxfy'; did you mean 'detoxify'"):
        Toxicity(classifier="detoxfy")
