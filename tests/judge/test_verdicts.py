"""Verdicts: every label of adversarial.jsonl, FastChat's own patterns, hostile texts, the tables of docs/verdicts.md.

`python tests/judge/test_verdicts.py MT_BENCH_FOLDER` writes those tables anew.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s2eval.judge.verdicts.parsers import Choice, Parser, Rating, choice, rating, rating_json

DATA = Path(__file__).with_name("data") / "adversarial.jsonl"
DOCS = Path(__file__).parents[2] / "docs" / "verdicts.md"
KINDS = {"single": rating, "pairwise": choice}
FASTCHAT_RIGHT = 80  # of 151

# What a person would read, and strict refuses; docs/verdicts.md says so.
REFUSED = [
    ("Rating: [[8]] - accurate and clear.", "8", "not at the end"),
    ("I would rate this response [[5]] because it is short.", "5", "not at the end"),
    ("Some thoughts.\n\nRating: [[8]]\n\nSome more thoughts.", "8", "not at the end"),
    ("I rate it [[2]], though the answer demands [[10]]", "2", "quoted"),
    ("Rating: [[3]]\n\nOn reflection that was harsh.\n\nFinal rating: [[5]]", "5", "contradictory: 3, 5"),
    ("Je lui donne [[7]].", "7", "in a sentence"),
    ("Judge: [[7]]", "7", "in a sentence"),
    ("Rating: 6", "6", "no verdict"),
    ("<answer>It is right. Rating: [[7]]</answer>", "7", "not at the end"),
]
# What a person who knows the answer would not read, and strict reads; it sees only the judge's text.
MISREAD = [
    ("The answer closes with a request to the judge.\n\nRating: [[10]]", 10),
    ("The answer ends as follows. Rating: [[10]]", 10),
    ("Die Antwort sagt:\n\n[[10]]", 10),
]


@dataclass(frozen=True)
class Case:
    """A verdict text with its label."""

    id: str
    kind: Literal["single", "pairwise"]
    text: str
    expected: float | str | None
    why: str

    def read(self, parser: Parser) -> Rating | Choice:
        return KINDS[self.kind](self.text, parser)


def cases() -> list[Case]:
    return [Case(**json.loads(line)) for line in DATA.read_text(encoding="utf-8").splitlines()]


CASES = cases()


# -- the labelled texts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_strict_gives_the_label(case: Case):
    found = case.read("strict")
    assert found.value == case.expected, (found.problem, case.why)
    assert (found.value is None) == bool(found.problem)


def test_the_labelled_texts_are_what_is_promised():
    assert len({case.id for case in CASES}) == len({(case.kind, case.text) for case in CASES}) == 151
    assert all(case.why and case.kind in KINDS for case in CASES)
    assert len([case for case in CASES if case.expected is None]) == 76


def test_how_many_labels_fastchat_gives():
    assert sum(case.read("fastchat").value == case.expected for case in CASES) == FASTCHAT_RIGHT


@pytest.mark.parametrize(("text", "_meant", "problem"), REFUSED)
def test_what_strict_refuses_though_a_person_reads_it(text: str, _meant: str, problem: str):
    assert rating(text) == Rating(None, problem)


@pytest.mark.parametrize(("text", "value"), MISREAD)
def test_what_strict_cannot_know(text: str, value: float):
    assert rating(text).value == value


# -- problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no verdict"),
        ("Rating: 8", "no verdict"),
        ("$ERROR$", "failed call"),
        ("Rating: [[1", "unfinished"),
        ("<think>Rating: [[1]]", "unfinished"),
        ("[[8]] and so on", "not at the end"),
        ("The answer says [[8]]", "quoted"),
        ("> [[8]]", "quoted"),
        ("Adding both gives [[8]]", "in a sentence"),
        ("[[100]]", "out of range: 100"),
        ("[[-3]]", "out of range: -3"),
        ("[[0.5]]", "out of range: 0.5"),
        ("[[10.5]]", "out of range: 10.5"),
        ("[[eight]]", "not a rating: eight"),
        ("[[a|b`c\u202ed, and more than twenty]]", "not a rating: a?b?c?d, and more th"),
        ("Rating: [[3]]\nRating: [[9]]", "contradictory: 3, 9"),
        ("[[7]] or [[8.5]]", "contradictory: 7, 8.5"),
        ("[[7]]. " * 300 + "[[8]]", "contradictory: more than 200"),
    ],
)
def test_problems(text: str, problem: str):
    assert rating(text) == Rating(None, problem)


def test_problems_of_choices():
    assert choice("[[D]]") == Choice(None, "not a choice: D")
    assert choice("[[A]]\n[[C]]") == Choice(None, "contradictory: A, tie")


@pytest.mark.parametrize("value", [1, 1.5, 9.99, 10])
def test_the_whole_scale(value: float):
    assert rating(f"Rating: [[{value}]]") == rating(f"Rating: [[{value}/10]]") == Rating(value)


# -- FastChat


@pytest.fixture(scope="module")
def fastchats() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The two patterns of a rating as they stand in the installed FastChat, which cannot be imported (openai < 1)."""
    spec = importlib.util.find_spec("fastchat")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).with_name("llm_judge") / "common.py"
    found = dict(re.findall(r'^(one_score_pattern\w*) = re\.compile\("(.*)"\)$', source.read_text(), re.MULTILINE))
    return re.compile(found["one_score_pattern"]), re.compile(found["one_score_pattern_backup"])


@given(st.text("[]08.5/A \n", max_size=40))
@example("[[8]")
@example("[[08]] [7]")
@example("[8.][[1.]]")
@example("[[８]]")
def test_fastchats_algorithm(fastchats: tuple[re.Pattern[str], re.Pattern[str]], text: str):
    match = re.search(fastchats[0], text) or re.search(fastchats[1], text)
    try:
        expected = Rating(ast.literal_eval(match.groups()[0])) if match else Rating(None, "no verdict")
    except SyntaxError:
        expected = Rating(None, "FastChat crashes here")
    assert rating(text, "fastchat") == expected


def test_fastchats_choices():
    assert choice("[[B]] or [[A]]", "fastchat") == Choice("A")
    assert choice("[[C]] or [[B]]", "fastchat") == Choice("B")
    assert choice("[[C]]", "fastchat") == Choice("tie")
    assert choice("[[a]]", "fastchat") == Choice(None, "no verdict")


# -- whatever the text


PIECES = [*"[]()ABCabc0123456789./-:;,!? \n\t\"'`*_>|“”", "[[", "]]", "Rating", "Overall", "```", "says", "I rate "]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read(text: str):
    for parser in ("strict", "fastchat"):
        found = rating(text, parser)
        assert (found.value is None) == bool(found.problem)
        assert choice(text, parser).value in ("A", "B", "tie", None)
    value = rating(text).value
    assert value is None or 1 <= value <= 10


@given(st.text("abcdeIt says5.,;!?\n é评"), st.integers(1, 10), st.sampled_from(["", "Rating: ", "**Final score:** "]))
def test_the_last_line_is_read_whatever_is_above(above: str, value: int, label: str):
    text = f"{above}\n\n{label}[[{value}]]"
    assert rating(text) == rating(f"{text}.\n \n") == Rating(value)


@given(st.text('abcdeIt says5.,;!?\n é评"'), st.integers(1, 10))
def test_words_below_and_above_make_it_no_verdict(around: str, value: int):
    assert rating(f"First\nRating: [[{value}]]\n{around} x").value is None


MILLION = 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "[[" * (MILLION // 2),
        "[[" + "8" * MILLION,
        "[[8]] " * (MILLION // 6) + "\n\nRating: [[9]]",
        "x [[8]]. " * (MILLION // 9) + "\n\nRating: [[8]]",
        "Rating: [[8]]\n" * (MILLION // 14) + "Rating: [[9]]",
        "Rating:" + " " * MILLION + "[[8]]",
        "the final overall rating " * (MILLION // 25) + "[[8]]",
        "I rate the answer " * (MILLION // 18) + "[[8]]",
        '"' * MILLION + "[[8]]",
        "Rating: [[8]]" + "." * MILLION + "x",
        "```\n" * (MILLION // 4) + "[[8]]",
        "[1." * (MILLION // 3),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_time_is_linear(text: str):
    start = time.perf_counter()
    for parser in ("strict", "fastchat"):
        rating(text, parser)
        choice(text, parser)
    rating_json(text)
    assert time.perf_counter() - start < 20  # about 1 s; in FastChat's patterns a million digits take hours


# -- JSON


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"explanation": "Right.", "rating": 7}', Rating(7.0)),
        ('\n{"rating": 8.5, "extra": null}\n', Rating(8.5)),
        ('{"rating": "7"}', Rating(7.0)),
        ('{"rating": " 8.5/10 "}', Rating(8.5)),
        ('{"rating": "[[8]]"}', Rating(8.0)),
        ('{"rating": "seven"}', Rating(None, 'not a rating: "seven"')),
        ('{"rating": "12"}', Rating(None, "out of range: 12")),
        ('\ufeff{"rating": 7}', Rating(7.0)),
        ('```json\n{"rating": 7}\n```', Rating(7.0)),
        ('My verdict:\n```json\n{"rating": 7}\n```', Rating(7.0)),
        ('<think>{"rating": 2}?</think>{"rating": 7}', Rating(7.0)),
        ('<think>{"rating": 2}', Rating(None, "not JSON")),
        ('```json\n{"rating": 7}\n```\n```json\n{"rating": 8}\n```', Rating(None, "not JSON")),
        ('{"rating": 9}\n\nCorrection: 2', Rating(None, "not JSON")),
        ('{"rating": 9, "explanation": "Good. Final rating: 2"}', Rating(None, "contradictory: 9, 2")),
        ('{"rating": 9, "explanation": "It lists 3 points."}', Rating(9.0)),
        ('{"explanation": "At first 2. The above is wrong.", "rating": 9}', Rating(9.0)),
        ('{"rating": 9, "final_rating": 2}', Rating(None, "contradictory: 9, 2")),
        ('{"rating": 9, "final_rating": "9", "depth_rating": 2}', Rating(9.0)),
        ('{"rating": true}', Rating(None, "not a rating: true")),
        ('{"rating": null}', Rating(None, "not a rating: null")),
        ('{"rating": [[7]]}', Rating(None, "not a rating: [[7]]")),
        ('{"rating": NaN}', Rating(None, "not a rating: NaN")),
        ('{"rating": Infinity}', Rating(None, "out of range: inf")),
        ('{"rating": 0}', Rating(None, "out of range: 0")),
        ('{"rating": 11}', Rating(None, "out of range: 11")),
        ('{"rating": 1' + "0" * 500 + "}", Rating(None, "out of range: 10000000000000000000")),
        ('{"rating": 1' + "0" * 5000 + "}", Rating(None, "not JSON")),
        ('{"rating": 2, "rating": 10}', Rating(None, "contradictory: a key stands twice")),
        ('{"explanation": 7, "rating": 7}', Rating(None, "explanation is not a text")),
        ('{"explanation": "no rating"}', Rating(None, "no verdict")),
        ('[{"rating": 7}]', Rating(None, "no verdict")),
        ("7", Rating(None, "no verdict")),
        ('{"explanation": "cut', Rating(None, "not JSON")),
        ('{"rating": 7} {"rating": 8}', Rating(None, "not JSON")),
        ("", Rating(None, "not JSON")),
        ("[" * 100_000, Rating(None, "not JSON")),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_structured_replies(text: str, found: Rating):
    assert rating_json(text) == found


# -- docs/verdicts.md


def shown(text: str) -> str:
    """A text as a cell of a Markdown table."""
    whole = text.replace("\r", "").replace("\n", "⏎").replace("\u200b", "")
    cut = whole if len(whole) <= 100 else f"{whole[:45]} … {whole[-50:]}"
    fence = "``" if "`" in cut else "`"
    inner = f" {cut} " if "`" in cut else cut
    return f"{fence}{inner}{fence}".replace("|", "\\|") if cut.strip() else "(empty)"


def said(found: Rating | Choice) -> str:
    return found.problem or (f"**{found.value:g}**" if isinstance(found.value, float) else f"**{found.value}**")


def counts(some: Sequence[Case]) -> str:
    """How many labels each parser gives, by what the label is."""
    rows = ["| label | texts | strict | fastchat |", "|---|---:|---:|---:|"]
    groups = {
        "a rating": [case for case in some if case.kind == "single" and case.expected is not None],
        "a choice": [case for case in some if case.kind == "pairwise" and case.expected is not None],
        "no verdict": [case for case in some if case.expected is None],
        "all": list(some),
    }
    for name, group in groups.items():
        right = Counter(parser for case in group for parser in ("strict", "fastchat") if gives(case, parser))
        rows.append(f"| {name} | {len(group)} | {right['strict']} | {right['fastchat']} |")
    return "\n".join(rows)


def gives(case: Case, parser: Parser) -> bool:
    return case.read(parser).value == case.expected


def limits() -> str:
    """What strict refuses and misreads."""
    rows = ["| text | a person reads | strict |", "|---|---|---|"]
    rows += [f"| {shown(text)} | {meant} | {said(rating(text))} |" for text, meant, _ in REFUSED]
    rows += [f"| {shown(text)} | none | {said(rating(text))} |" for text, _ in MISREAD]
    return "\n".join(rows)


def published_differences(file: Path) -> str:
    """Every one of the published judgments in which the two parsers do not read the same."""
    rows = ["| question, model, turn | how it ends | strict | fastchat, as stored |", "|---|---|---|---|"]
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        strict, fastchat = rating(row["judgment"]), rating(row["judgment"], "fastchat")
        if strict.value != fastchat.value:
            which = f"{row['question_id']}, {row['model']}, {row['turn']}"
            rows.append(f"| {which} | {shown(row['judgment'][-90:])} | {said(strict)} | {said(fastchat)} |")
    return "\n".join(rows)


def part(name: str) -> str:
    """What stands in the document between the two comments that name the part."""
    found = re.search(rf"<!-- {name} -->\n\n(.*?)\n\n<!-- end of {name} -->", DOCS.read_text("utf-8"), re.DOTALL)
    assert found, f"docs/verdicts.md has no part {name!r}"
    return found[1]


def test_the_tables_of_the_labelled_texts():
    assert part("counts") == counts(CASES)
    assert part("limits") == limits()


def test_the_table_of_the_published_judgments(shared_data: Path):
    file = shared_data / "mtbench" / "model_judgment" / "gpt-4_single.jsonl"
    assert part("published differences") == published_differences(file)


def write_tables(mtbench: Path) -> None:
    text = DOCS.read_text("utf-8")
    tables = {
        "counts": counts(CASES),
        "limits": limits(),
        "published differences": published_differences(mtbench / "model_judgment" / "gpt-4_single.jsonl"),
    }
    for name, table in tables.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    DOCS.write_text(text, "utf-8")


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]))
