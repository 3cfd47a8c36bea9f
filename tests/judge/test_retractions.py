"""A verdict in the first line, and what stands below it: the same again, another one, or a retraction."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from s2eval.judge.verdicts.parsers import Choice, Rating, choice, rating

DATA = Path(__file__).with_name("data") / "retractions.jsonl"
KINDS = {"single": rating, "pairwise": choice}
RETRACTIONS = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


def test_a_first_line_counts_unless_a_later_one_takes_it_back():
    wrong = [
        (row["text"], found)
        for row in RETRACTIONS
        if (found := KINDS[row["kind"]](row["text"])).value != row["expected"]
    ]
    assert not wrong
    assert len({row["text"] for row in RETRACTIONS}) == len(RETRACTIONS) > 480
    assert len([row for row in RETRACTIONS if row["expected"] is None]) > 280


@pytest.mark.parametrize(
    ("below", "problem"),
    [
        ("The answer is short.\n\nFinal rating: 2", "contradictory: 9, 2"),
        ("word " * 200 + "and so my final rating is 2", "contradictory: 9, 2"),  # a sentence without end
        ("Good.\n" * 600, "not at the end"),  # nobody reads so much
        ("The above is wrong; ignore it.", "taken back"),
        ("I would rather say [[2]] here", "contradictory: 2, 9"),
        ("I hope this helps, but ignore the above.", "taken back"),
    ],
)
def test_why_a_first_line_does_not_count(below: str, problem: str):
    assert rating(f"Rating: [[9]]\n\n{below}") == Rating(None, problem)


def test_what_stands_above_the_last_verdict_takes_nothing_back():
    assert rating("Rating: [[9]]\n\nWait, that is wrong. Or is it?\n\nRating: [[9]]") == Rating(9)
    assert rating("At first I would give it a 2. The above is wrong.\n\nRating: [[9]]") == Rating(9)


def test_a_text_that_was_cut_has_a_verdict_only_at_its_end():
    assert rating("The answer is right.\n\nRating: [[8]]", cut=True) == Rating(8)
    assert rating("Rating: [[8]]\n\nThe answer is right, and", cut=True) == Rating(None, "unfinished")
    assert rating("The answer is right.\n\nRating: [[8", cut=True) == Rating(None, "unfinished")
    assert rating("The answer is right.\n\nRating: [[8]]/1", cut=True) == Rating(None, "unfinished")
    assert choice("[[A]]\n\nAssistant A is right, and", cut=True) == Choice(None, "unfinished")
    assert rating("Rating: [[8]]\n\nThe answer is right, and", "fastchat", cut=True) == Rating(8)


def test_gpt_4s_reasons_below_its_verdict_do_not_take_it_back(shared_data: Path):
    """Published judgments with the rating moved to the first line; then with another one, or a retraction, below."""
    file = shared_data / "mtbench" / "model_judgment" / "gpt-4_single.jsonl"
    marked = re.compile(r'["“*]*(?:Rating|Overall rating|Score)?:?\s*["*]*\[\[([^\]]*)\]\]["”*.]*')
    for row in file.read_text(encoding="utf-8").splitlines()[::4]:
        text = json.loads(row)["judgment"]
        value = float(marked.search(text)[1])  # pyright: ignore[reportOptionalSubscript]
        moved = f"Rating: [[{value:g}]]\n\n{marked.sub('', text).strip()}"
        assert rating(moved) == Rating(value), text
        for below in ("Final rating: 5.5", "Correction: 5.5.", "The above is wrong; ignore it."):
            assert rating(f"{moved}\n\n{below}").value is None, text
