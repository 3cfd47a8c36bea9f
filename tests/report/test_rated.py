"""Judgments as items to compare: FastChat's files and ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import DataError, UsageError
from s2eval.report.read import judgment_reader as rated


def judged(question: int, turn: int, text: str, model: str = "vicuna", **more: Any) -> dict[str, Any]:
    """A line of FastChat's `gpt-4_single.jsonl`."""
    prompt = "single-v1" if turn == 1 else "single-v1-multi-turn"
    row = {"question_id": question, "model": model, "judge": ["gpt-4", prompt], "judgment": text, "turn": turn}
    return {**row, "score": -1, "tstamp": 1.0, **more}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_of_fastchats(tmp_path: Path) -> None:
    rows = [
        judged(81, 1, "Rating: [[7]]"),
        judged(81, 2, "Rating: [[4]]"),
        judged(82, 1, "I cannot rate this."),
        judged(82, 2, "Rating: [[9]]"),
        judged(81, 1, "Rating: [[3]]", model="llama"),
    ]
    found = {(one.model, one.turn): one for one in rated.ratings(write(tmp_path / "gpt-4_single.jsonl", rows))}
    assert set(found) == {("vicuna", "1"), ("vicuna", "2"), ("vicuna", ""), ("llama", "1"), ("llama", "")}
    first, both = found["vicuna", "1"], found["vicuna", ""]
    assert [item.values["s2_judge_score"] for item in first.items] == [7.0, None]
    assert [(item.key, item.cluster) for item in both.items] == [
        ("81, turn 1", "81"),
        ("81, turn 2", "81"),
        ("82, turn 1", "82"),
        ("82, turn 2", "82"),
    ]
    assert (first.task, first.judge, first.items[0].prompt) == ("mt_bench", "gpt-4", "single-v1")


def test_choices_and_repeats_are_averaged(tmp_path: Path) -> None:
    rows = [
        judged(81, 1, "Rating: [[7]]", choice=0),
        judged(81, 1, "Rating: [[4]]", choice=1),
        judged(81, 1, "no idea", choice=1, repeat=1),
    ]
    (first, _) = rated.ratings(write(tmp_path / "judgments.jsonl", rows), task="s2_mtsbench", judge="label")
    assert [item.values["s2_judge_score"] for item in first.items] == [5.5]
    assert (first.task, first.judge) == ("s2_mtsbench", "label")


def test_the_parser_is_a_condition(tmp_path: Path) -> None:
    path = write(tmp_path / "gpt-4_single.jsonl", [judged(81, 1, "says [[10]] but I rate [[2]]")])
    strict, fastchat = (rated.ratings(path, parser)[0] for parser in ("strict", "fastchat"))
    assert (strict.items[0].values["s2_judge_score"], fastchat.items[0].values["s2_judge_score"]) == (2.0, 10.0)
    assert strict.conditions != fastchat.conditions


def test_two_judges_are_kept_apart(tmp_path: Path) -> None:
    rows = [judged(81, 1, "[[7]]"), judged(81, 1, "[[3]]", judge=["claude", "single-v1"])]
    found = rated.ratings(write(tmp_path / "all_single.jsonl", rows))
    assert {(one.judge, one.items[0].values["s2_judge_score"]) for one in found} == {("gpt-4", 7.0), ("claude", 3.0)}


def test_what_mtbench_score_refuses_is_refused(tmp_path: Path) -> None:
    twice = [judged(81, 1, "[[7]]"), judged(81, 1, "[[8]]")]
    with pytest.raises(DataError, match=r"is in .*line 1 too"):
        rated.ratings(write(tmp_path / "a_single.jsonl", twice))
    prompts = [judged(81, 1, "[[7]]"), judged(81, 1, "[[8]]", model="llama", judge=["gpt-4", "single-math-v1"])]
    with pytest.raises(UsageError, match="different prompts of question 81"):
        rated.ratings(write(tmp_path / "b_single.jsonl", prompts))


def compared(question: int, turn: int, first: str, second: str, **more: Any) -> dict[str, Any]:
    """A line of FastChat's `gpt-4_pair.jsonl`."""
    row = {"question_id": question, "model_1": "llama", "model_2": "vicuna", "g1_winner": first, "g2_winner": second}
    return {**row, "judge": ["gpt-4", "pair-v2"], "turn": turn, **more}


def test_fastchats_pairs(tmp_path: Path) -> None:
    rows = [
        compared(81, 1, "model_2", "model_2"),
        compared(81, 2, "model_1", "model_1"),
        compared(82, 1, "model_1", "model_2"),
        compared(82, 2, "tie", "tie"),
        compared(83, 1, "error", "model_1"),
    ]
    (found,) = rated.contests(write(tmp_path / "gpt-4_pair.jsonl", rows))
    assert (found.model, found.against, found.judge) == ("vicuna", "llama", "gpt-4")
    assert found.points == (1.0, 0.0, 0.5, 0.5, None)  # both orders must say so, else a tie
    assert found.clusters == ("81", "81", "82", "82", "83")


def test_our_pairs(tmp_path: Path) -> None:
    def line(question: int, place: str, points: float | None) -> dict[str, Any]:
        row = {"question_id": question, "model": "mine", "against": "base", "place": place, "points": points}
        return {**row, "judge": ["gpt-4", "pair"], "turn": 1, "choice": 0, "repeat": 0, "judgment": "…"}

    rows = [
        line(1, "A", 1.0),
        line(1, "B", 1.0),
        line(2, "A", 1.0),
        line(2, "B", 0.0),
        line(3, "A", None),
        line(3, "B", 1.0),
    ]
    (found,) = rated.contests(write(tmp_path / "pairwise-base.jsonl", rows), "s2_mtsbench", "label")
    assert (found.points, found.judge, found.task) == ((1.0, 0.5, None), "label", "s2_mtsbench")
    with pytest.raises(DataError, match=r"line 7: question 1.* is a duplicate"):
        rated.contests(write(tmp_path / "pairwise-base.jsonl", [*rows, rows[0]]))


def test_a_pair_twice_and_a_broken_line(tmp_path: Path) -> None:
    row = compared(81, 1, "tie", "tie")
    with pytest.raises(DataError, match="line 2: question 81, turn 1 is a duplicate"):
        rated.contests(write(tmp_path / "x_pair.jsonl", [row, row]))
    with pytest.raises(DataError, match="g1_winner"):
        rated.contests(write(tmp_path / "y_pair.jsonl", [{**row, "g1_winner": "model_3"}]))


@pytest.mark.parametrize("points", [-1, 9, float("nan")])
def test_points_of_a_contest_are_from_0_to_1(tmp_path: Path, points: float) -> None:
    row = {
        "question_id": 1,
        "model": "m",
        "against": "base",
        "place": "A",
        "points": points,
        "judge": ["j", "p"],
        "turn": 1,
    }
    with pytest.raises(DataError, match="points"):
        rated.contests(write(tmp_path / "pairwise-base.jsonl", [row]))
