"""Lines are told by their bytes: no spelling of a name is missed, and what is called a reply is one."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from s2train.data.eli5 import reddit
from tests.s2train.dumps import comment, line, submission


def spelled(text: str, choices: list[int]) -> str:
    """A JSON string in which each character stands in one of the spellings that JSON has for it."""
    spellings = [
        (char, f"\\u{ord(char):04x}", f"\\u{ord(char):04X}", char.swapcase())[choice]
        for char, choice in zip(text, choices, strict=True)
    ]
    return f'"{"".join(spellings)}"'


@given(st.sampled_from(reddit.SUBREDDITS), st.data(), st.text(), st.booleans())
def test_no_spelling_of_a_name_is_missed(name: str, data: st.DataObject, noise: str, before: bool) -> None:
    value = spelled(name, data.draw(st.lists(st.integers(0, 3), min_size=len(name), max_size=len(name))))
    other = f'"title": {json.dumps(noise)}'
    text = f'{{{other}, "subreddit": {value}}}' if before else f'{{"subreddit": {value}, {other}}}'
    assert json.loads(text)["subreddit"].lower() == name.lower()
    block = b'{"subreddit":"aww"}\n' + text.encode() + b'\n{"subreddit":"pics"}\n'
    found = [block[start:end] for start, end in reddit.candidates(block, [name.lower().encode() for name in (name,)])]
    assert found == [text.encode() + b"\n"]


def test_lines_without_a_name_are_not_looked_at() -> None:
    block = b'{"subreddit":"aww","body":"caf\\u00e9 \\u0026amp; \\u2019"}\n\n{"subreddit":"explainlikeimfiv"}\n'
    assert list(reddit.candidates(block, [b"explainlikeimfive"])) == []
    assert list(reddit.candidates(b"", [b"askscience"])) == []
    both = b'{"a":"askscience AskHistorians askscience"}\n'
    assert list(reddit.candidates(both * 2, [b"askscience", b"askhistorians"])) == [(0, 44), (44, 88)]


@given(
    st.sampled_from(["t1_a", "t3_p"]),
    st.text(alphabet='"\\:_,{}parent_id t1', max_size=30) | st.just('"parent_id":"t1_x"'),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_what_bytes_call_a_reply_is_one(parent: str, body: str, first: bool, separators: tuple[str, str]) -> None:
    fields = {"body": body, "flair": "parent_id", "parent_id": parent, "more": {"parent_id": "t1_b"} if first else {}}
    text = json.dumps(fields, separators=separators).encode()
    if reddit.is_reply(text):
        assert parent == "t1_a"


def test_a_plain_reply_is_seen_by_its_bytes_and_an_answer_is_not() -> None:
    assert reddit.is_reply(line(comment("c", "p", parent_id="t1_b")))
    assert not reddit.is_reply(line(comment("c", "p")))
    assert not reddit.is_reply(line(submission("p")))
