from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.llm import secrets
from s2eval.llm.calls import Reply
from s2eval.llm.problems import Problem, refusal
from s2eval.llm.responses import read, read_document
from s2eval.llm.secrets import redact, register, shown
from tests.llm.asked import call
from tests.llm.faults import completion

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["id", "choices", "error", "message", "content", "finish_reason", "refusal", "usage", "code", "type"]
)
documents = st.recursive(
    values, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


@given(st.integers(200, 599), documents)
def test_any_document_is_a_reply_or_a_problem(status, document):
    body = json.dumps(document).encode()
    outcome = read(call(schema="{}"), status, {}, body)
    if isinstance(outcome, Reply):
        assert status < 300
        assert outcome.text
        assert json.loads(outcome.text) is not NotImplemented  # it is JSON, as was asked
    else:
        assert outcome.message
        assert outcome.then in ("retry", "give up", "end")


def read_message(message, finish="stop", **changes):
    return read_document(call(**changes), completion() | {"choices": [{"message": message, "finish_reason": finish}]})


THOUGHT = [
    {"content": "[[8]]", "reasoning_content": "Hm."},
    {"content": "[[8]]", "reasoning": "Hm."},
    {"content": "[[8]]", "reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
    {"content": "[[8]]", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
    {"content": "<think>Hm.</think>[[8]]"},
    {"content": "[THINK]Hm.[/THINK][[8]]"},
    {"content": "Hm.\n</think>\n\n[[8]]"},
    {"content": "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>[[8]]"},
    {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "[[8]]"}]},
    {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
            {"type": "text", "text": "[[8]]"},
        ]
    },
    {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, "[[8]]"]},
    {"content": [{"type": "text", "text": "[["}, {"type": "text", "text": "8]]"}], "reasoning_content": "Hm."},
]


@pytest.mark.parametrize("message", THOUGHT)
def test_reasoning_is_split_off_in_every_form(message):
    outcome = read_message(message)
    assert (outcome.text, outcome.reasoning, outcome.finish, outcome.cut) == ("[[8]]", "Hm.", "stop", False)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": [{"type": "output_text", "text": "[[8]]", "annotations": []}]}, "[[8]]"),
        ({"content": {"type": "text", "text": "[[8]]"}}, "[[8]]"),
        ({"content": ["[[", "8]]"]}, "[[8]]"),
        ({"content": [{"type": "text", "text": "[[8]]"}, {"type": "tool_use", "name": "add"}]}, "[[8]]"),
        ({"content": [{"type": "redacted_thinking", "data": "xyz"}, {"type": "text", "text": "[[8]]"}]}, "[[8]]"),
    ],
)
def test_content_in_parts(message, text):
    assert (read_message(message).text, read_message(message).reasoning) == (text, "")


@pytest.mark.parametrize("finish", ["stop", "length"])
@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "reasoning_content": "Hm."},
        {"content": "", "reasoning": "Hm."},
        {"content": "<think>Hm."},
        {"content": [{"type": "thinking", "thinking": "Hm."}]},
    ],
)
def test_reasoning_without_an_answer_is_a_reply_that_was_cut(message, finish):
    outcome = read_message(message, finish)
    assert (outcome.text, outcome.reasoning, outcome.cut) == ("", "Hm.", True)


def test_a_key_cut_into_parts_is_taken_out(nothing_known):
    register("canary-key-0123")
    parts = [{"type": "text", "text": "canary-"}, {"type": "text", "text": "key-0123"}]
    assert read_message({"content": parts}).text == "***"


def test_a_call_of_a_tool_is_why_the_reply_ended():
    assert read_message({"content": "[[8]] and", "tool_calls": [{"id": "1"}]}).finish == "tool_calls"


JSON = '{"explanation": "Right.", "rating": 8}'


@pytest.mark.parametrize(
    "content",
    [
        JSON,
        f"\ufeff{JSON}\n",
        f"```json\n{JSON}\n```",
        f"```\n{JSON}\n```\n",
        f"Here is my verdict:\n\n```json\n{JSON}\n```",
        f"Here is my verdict:\n{JSON}",
        f"<think>8 or {{9}}?</think>\n{JSON}",
        f"Hm.\n</think>\n\n```json\n{JSON}\n```",
    ],
)
def test_json_is_read_whatever_stands_around_it(content):
    assert read_message({"content": content}, schema="{}").text == JSON


def test_json_that_a_server_left_beside_an_empty_content():
    outcome = read_message({"content": None, "reasoning_content": JSON}, schema="{}")
    assert (outcome.text, outcome.reasoning) == (JSON, "")


@pytest.mark.parametrize(
    "content",
    [f"{JSON}\n{JSON}", f"```json\n{JSON}\n```\n```json\n{JSON}\n```", f"{JSON}\nOr rather 2.", "8 of 10", "{"],
)
def test_what_is_not_one_json_is_none(content):
    outcome = read_message({"content": content}, schema="{}")
    assert (outcome.kind, outcome.content) == ("malformed", True)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (8, "`content` is a number"),
        ([8], "`content[0]` is a number"),
        ([{"type": "text", "text": None}], "`content[0].text` is null"),
        ([{"type": "text", "text": "8"}, {"type": "image_url"}], "`content[1].type` is 'image_url'"),
    ],
)
def test_the_message_names_the_field(content, field):
    assert field in read_message({"content": content}).message


@given(st.integers(200, 599), st.binary())
def test_any_bytes_are_no_reply(status, body):
    assert isinstance(read(call(), status, {}, body), Problem)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_text_comes_through_as_it_is(text):
    assert read_document(call(), completion(text)).text == text


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_body_that_is_cut_anywhere_is_no_reply(cut):
    body = json.dumps(completion("[[10]]")).encode()
    outcome = read(call(), 200, {}, body[: -cut * 5])
    assert (outcome.kind, outcome.then) == ("malformed", "retry")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"error": {"message": "one"}}, "HTTP 418: one"),
        ({"error": "two"}, "HTTP 418: two"),
        ({"message": "three"}, "HTTP 418: three"),
        ({"detail": [{"msg": "four"}]}, 'HTTP 418: [{"msg": "four"}]'),
        ([{"error": {"message": "five"}}], "HTTP 418: five"),
        ("<p>six</p>", "HTTP 418: six"),
        ("", "HTTP 418"),
        (None, "HTTP 418"),
        ({"error": {}}, 'HTTP 418: {"error": {}}'),
    ],
)
def test_the_words_of_a_refusal_in_any_form(document, message):
    assert refusal(418, document).message == message


@pytest.fixture
def nothing_known(monkeypatch):
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_in_replies", {})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key sk-abc123def456 refused", "key *** refused"),
        ("sk-proj-abc_DEF-123, sk-****wxyz.", "***, ***."),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("{'authorization': 'bearer abc'}", "{'authorization': 'bearer ***'}"),
        ("(b'authorization', b'Basic YTpi')", "(b'authorization', b'Basic ***')"),
        ('"api-key": "0123"', '"api-key": "***"'),
        ("https://me:secret@example.org/v1", "https://***@example.org/v1"),
        ("a risk-averse desk-bound task-force", "a risk-averse desk-bound task-force"),
        ("authorization failed, api-key missing", "authorization failed, api-key missing"),
        ("mail me@example.org; a: b", "mail me@example.org; a: b"),
    ],
)
def test_what_looks_like_a_key_is_taken_out(nothing_known, text, clean):
    assert redact(text) == clean


@given(st.text(min_size=4).filter(lambda key: key.casefold() != "none"), st.text(), st.text())
def test_a_registered_key_is_in_no_text(key, before, after):
    known = secrets._known.copy()
    try:
        register(key)
        if "*" not in key:  # the mask's own
            assert key not in redact(before + key + after)
    finally:
        secrets._known = known


def test_a_placeholder_is_no_secret(nothing_known):
    register("none")
    register("abc")
    assert redact("none of abc") == "none of abc"


def test_a_key_is_taken_out_before_a_message_is_cut(nothing_known):
    register("canary-key-0123")
    assert "canary" not in shown("x" * (secrets.SHOWN - 8) + "canary-key-0123")
