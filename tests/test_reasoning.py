"""Reasoning split from answers: every form that servers and models give, and the texts that only name the tags."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.reasoning import Split, opens_reasoning, split

HARMONY = (
    "<|channel|>analysis<|message|>4 and 3<|end|><|start|>assistant<|channel|>final<|message|>The sum is 7.<|return|>"
)


@pytest.mark.parametrize(
    "text",
    [
        "<think>4 and 3</think>The sum is 7.",
        "<think>\n4 and 3\n</think>\n\nThe sum is 7.\n",
        " \ufeff\n<think>4 and 3</think> The sum is 7.",
        "<THINK>4 and 3</THINK>The sum is 7.",
        "<thinking>4 and 3</thinking>\nThe sum is 7.",
        "<think time='3s'>4 and 3</think >\nThe sum is 7.",
        "<s><think>4 and 3</think>The sum is 7.",
        "<｜Assistant｜><think>4 and 3</think>The sum is 7.",
        "<|assistant|>\n<think>4 and 3</think>The sum is 7.",
        "[think]4 and 3[/think]The sum is 7.",
        "<thought>4 and 3</thought>\nThe sum is 7.",
        "<reasoning>4 and 3</reasoning>\nThe sum is 7.",
        "[THINK]4 and 3[/THINK]The sum is 7.",
        "◁think▷4 and 3◁/think▷The sum is 7.",
        "<|begin_of_thought|>4 and 3<|end_of_thought|>\n\n<|begin_of_solution|>The sum is 7.<|end_of_solution|>",
        "<|im_start|>assistant\n<think>4 and 3</think>The sum is 7.",
        "4 and 3</think>The sum is 7.",
        "4 and 3\n</think>\n\nThe sum is 7.",
        "4 and 3\n[/THINK]\n\nThe sum is 7.",
        "4 and 3\n</thinking>\nThe sum is 7.",
        HARMONY,
        HARMONY.removesuffix("<|return|>"),
        f"<|start|>assistant{HARMONY}",
        "analysis4 and 3assistantfinalThe sum is 7.",
        "analysis\n4 and 3\nassistant final\nThe sum is 7.",
    ],
)
def test_reasoning_and_answer(text: str):
    assert split(text) == Split("The sum is 7.", "4 and 3")


@pytest.mark.parametrize(
    "text",
    [
        "<think>4 and 3",
        "<think>\n4 and 3\n",
        "[THINK]4 and 3",
        "<thinking>4 and 3",
        "<|channel|>analysis<|message|>4 and 3",
        "<|channel|>analysis<|message|>4 and 3<|end|>",
        "<|channel|>analysis<|message|>4 and 3<|end|><|start|>assistant",
    ],
)
def test_reasoning_that_never_ended_has_no_answer(text: str):
    assert split(text) == Split("", "4 and 3", closed=False)


def test_plain_channels_that_never_ended():
    assert split("analysisWe add 4 and 3") == Split("", "We add 4 and 3", closed=False)


@pytest.mark.parametrize(
    "text",
    [
        "The sum is 7.",
        "",
        " leading space stays ",
        "Use `<think>` and `</think>` around it.",
        "`<think>` opens it.",
        "The tags <think> and </think> mark reasoning.",
        "Write this:\n\n```\n<think>\nhm\n</think>\n7\n```\n",
        "An example:\n<think>\nhm\n</think>\nThat is all.",
        "I think that 7 is right. Thinking is hard.",
        "Close it with </think>, then answer.",
        "1. <think> opens it.\n2. </think> closes it.",
        "2. </think> closes it.",
        "analysis of variance compares means.",
        "analysis: the sum is 7.",
        "Reasoning: 4 and 3. Answer: 7.",
        "The word [THINK] is in capitals.",
        "```html\n<think>\n</think>\n```",
    ],
)
def test_texts_that_only_name_the_tags_stay_as_they_are(text: str):
    assert split(text) == Split(text)


def test_tags_within_the_reasoning_and_within_the_answer():
    assert split("<think>a `</think>` tag?</think>Yes, `</think>` ends it.") == Split(
        "Yes, `</think>` ends it.", "a `</think>` tag?"
    )
    assert split("Is <think> meant?\n</think>\n\nYes.") == Split("Yes.", "Is <think> meant?")
    assert split("<think>one <think>two</think> three</think>Four") == Split("Four", "one <think>two</think> three")
    assert split("<think></think>\n<think>b</think>Four") == Split("Four", "b")
    assert split("<think>```py\nx = 1</think>One") == Split("One", "```py\nx = 1")
    assert split("<think>\n\n</think>\n\nFour") == Split("Four", "")  # a model that was told not to think


def test_the_end_that_the_user_names():
    assert split("hm <|stop|> hm ### Seven", end="###") == Split("Seven", "hm <|stop|> hm")
    assert split("<think>hm</think>Seven", end="###") == Split("Seven", "hm")
    assert split("Seven", end="###") == Split("Seven")


def test_reasoning_that_the_prompt_opened():
    assert opens_reasoning("User: 4 + 3?\nAssistant: <think>\n")
    assert not opens_reasoning("Use <think> and write on")
    assert split("4 and 3", opened=True) == Split("", "4 and 3", closed=False)
    assert split("4 and 3 </think> 7", opened=True) == Split("7", "4 and 3")
    assert split("", opened=True) == Split("")


def test_gpt_oss_with_a_tool_call_and_commentary():
    text = (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.add "
        "<|constrain|>json<|message|>{}<|call|><|start|>assistant<|channel|>final<|message|>Seven"
    )
    assert split(text) == Split("Seven", "hm\n\n{}")


@given(st.text("a b\n.", max_size=30), st.text("c d\n.", min_size=1, max_size=30))
def test_what_is_joined_is_split_again(answer: str, reasoning: str):
    if reasoning.strip():
        assert split(f"<think>\n{reasoning}\n</think>\n\n{answer}") == Split(answer.strip(), reasoning.strip())


@given(st.lists(st.sampled_from([*"ab \n`.<>", "<think>", "</think>", "[THINK]", "<|channel|>", "final", "analysis"])))
def test_any_text_is_split(pieces: list[str]):
    found = split("".join(pieces))
    assert found.closed or not found.answer


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "`</think>", "<|channel|>", "analysis", "assistantfinal", "```"]
)
def test_time_is_linear(piece: str):
    start = time.perf_counter()
    split(piece * (200_000 // len(piece)))
    split("<think>" + piece * (200_000 // len(piece)) + "x")
    assert time.perf_counter() - start < 10
