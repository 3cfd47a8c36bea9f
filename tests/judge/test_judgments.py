"""Stored judgments read again: FastChat's published numbers, repeats, mixtures, broken lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import DataError, UsageError
from s2eval.judge.judgments import Judgment, TurnScore, read_single, summarize
from s2eval.judge.verdicts.parsers import Rating

ROW = {
    "question_id": 81,
    "model": "m",
    "judge": ["gpt-4", "single-v1"],
    "user_prompt": "…",
    "judgment": "Good.\n\nRating: [[8]]",
    "score": 8,
    "turn": 1,
    "tstamp": 1705687844.56,
}


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def judged(*texts: str, turn: int = 1, first: int = 1, **fields: Any) -> Iterator[Judgment]:
    """Judgments of one model, question by question."""
    for number, text in enumerate(texts, first):
        one = Judgment(number, "m", "j", "p" if turn == 1 else "p-2", turn, text, None, source=f"f, line {number}")
        yield replace(one, **fields)


# -- the published judgments


@pytest.fixture(scope="module")
def published(shared_data: Path) -> list[Judgment]:
    return read_single(shared_data / "mtbench" / "model_judgment" / "gpt-4_single.jsonl")


def test_fastchats_parser_gives_every_stored_score(published: list[Judgment]):
    assert len(published) == 800
    assert [one.read("fastchat").value for one in published] == [one.score for one in published]


def test_fastchats_aggregation(published: list[Judgment]):
    found = {one.model: one for one in summarize(published, "fastchat")}
    assert len(found) == 5
    # What show_result.py of FastChat 0.2.36 prints for this file.
    chat, base = found["llama2_chat_7b"], found["llama2_7b"]
    assert (chat.first.value, chat.second.value, chat.average.value) == (6.70625, 5.675, 6.190625)
    assert (base.first.value, base.second.value, base.average.value) == (4.7625, 3.175, 3.96875)
    assert [(one.first.n_valid, one.second.n, one.average.n) for one in found.values()] == [(80, 80, 160)] * 5
    assert chat.judges == ("gpt-4",)
    assert chat.prompts == ("single-math-v1", "single-math-v1-multi-turn", "single-v1", "single-v1-multi-turn")


def test_strict_differs_by_the_one_judgment_that_it_refuses(published: list[Judgment]):
    strict, fastchat = summarize(published), summarize(published, "fastchat")
    assert [one.average.n_valid for one in strict] == [160, 160, 160, 160, 159]
    assert strict[4].model == "llama2_7b"
    # 80 · 4.7625 = 381, of which the refused one was 10: 371 / 79; 160 · 3.96875 = 635: 625 / 159
    assert strict[4].first == TurnScore(371 / 79, 80, 79, {"in a sentence": 1})
    assert strict[4].average.value == 625 / 159
    assert [one.average.value for one in strict[:4]] == [one.average.value for one in fastchat[:4]]


# -- the arithmetic


def test_refused_judgments_are_counted_and_no_part_of_the_mean():
    texts = ("[[8]]", "[[5]]", "Rating: [[100]]", "Rating: [[11]]", "no idea")
    (found,) = summarize([*judged(*texts), *judged("[[4]]", turn=2)])
    assert found.first == TurnScore(6.5, 5, 2, {"out of range": 2, "no verdict": 1})  # (8 + 5) / 2
    assert list(found.first.problems) == ["out of range", "no verdict"]
    assert found.second == TurnScore(4, 1, 1)
    assert found.average == TurnScore(17 / 3, 6, 3, {"out of range": 2, "no verdict": 1})  # (8 + 5 + 4) / 3


def test_fastchat_drops_what_it_cannot_read_and_takes_what_it_misreads():
    (found,) = summarize(judged("[[8]]", "[1] is wrong. Rating: 6", "no idea", "Rating: [[100]]"), "fastchat")
    assert found.first == TurnScore(109 / 3, 4, 3, {"no verdict": 1})  # (8 + 1 + 100) / 3


def test_one_turn_makes_no_average_of_two():
    one_turn = list(judged("[[8]]", "[[5]]"))
    (strict,) = summarize(one_turn)
    assert (strict.first.value, strict.second, strict.average.value) == (6.5, TurnScore(None, 0, 0), None)
    assert strict.average.n_valid == 2
    assert summarize(one_turn, "fastchat")[0].average.value == 6.5  # FastChat averages whatever is there


def test_models_stand_in_the_order_of_the_file():
    found = summarize([*judged("[[8]]", model="b"), *judged("[[2]]", model="a")])
    assert [(one.model, one.first.value) for one in found] == [("b", 8), ("a", 2)]


def test_choices_and_repeats_are_no_repetition():
    several = [*judged("[[8]]"), *judged("[[6]]", choice=1), *judged("[[1]]", repeat=1)]
    assert summarize(several)[0].first.value == 5


# -- repeated and mixed


def test_the_same_judgment_twice(tmp_path: Path):
    path = write(tmp_path / "gpt-4_single.jsonl", ROW, {**ROW, "turn": 2}, {**ROW, "judgment": "[[2]]"})
    with pytest.raises(DataError) as error:
        summarize(read_single(path))
    assert str(error.value).startswith(
        f"{path}, line 3: gpt-4's judgment of question 81, model 'm', turn 1 is in {path}, line 1 too."
    )
    assert "FastChat appends when it is run again" in str(error.value)
    (found,) = summarize(read_single(path), "fastchat")
    assert found.first == TurnScore(5, 2, 2)  # (8 + 2) / 2, as FastChat has it


def test_the_number_81_is_not_the_text_81():
    both = [*judged("[[8]]"), *judged("[[2]]", question_id="1")]
    assert summarize(both)[0].first.n == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"judge": "k"}, "different judges: 'j' (f, line 1), 'k' (f, line 1)"),
        ({"prompt": "q", "model": "n"}, "different prompts of question 1, turn 1: 'p' (f, line 1), 'q' (f, line 1)"),
        ({"prompt_hash": "ab", "model": "n"}, "different versions of prompt 'p': '' (f, line 1), 'ab' (f, line 1)"),
    ],
)
def test_what_does_not_share_a_table_unless_asked(fields: dict[str, Any], told: str):
    mixed = [*judged("[[8]]"), *judged("[[2]]", **fields)]
    for parser in ("strict", "fastchat"):
        with pytest.raises(UsageError) as error:
            summarize(mixed, parser)
        assert told in str(error.value)
    assert sum(one.first.n for one in summarize(mixed, mix=True)) == 2


def test_two_prompts_a_turn_are_with_and_without_a_reference_three_are_a_mixture():
    two = [*judged("[[8]]", "[[7]]"), *judged("[[2]]", first=3, prompt="p-reference")]
    assert summarize(two)[0].first.n == 3
    with pytest.raises(UsageError, match=r"of turn 1: 'p' .*, 'p-reference' .*, 'p-new'"):
        summarize([*two, *judged("[[2]]", first=4, prompt="p-new")])


# -- files


def test_a_line_of_fastchats(tmp_path: Path):
    path = write(tmp_path / "j.jsonl", ROW)
    (one,) = read_single(path)
    assert one == Judgment(81, "m", "gpt-4", "single-v1", 1, "Good.\n\nRating: [[8]]", 8.0)
    assert one.source == f"{path}, line 1"


def test_a_line_of_ours(tmp_path: Path):
    more = {"choice": 1, "repeat": 2, "category": "advice", "prompt_hash": "0f", "structured": True}
    path = write(tmp_path / "j.jsonl", {**ROW, **more, "judgment": '{"rating": 7}', "score": 7.0})
    (one,) = read_single(path)
    assert (one.choice, one.repeat, one.category, one.prompt_hash) == (1, 2, "advice", "0f")
    assert one.read() == one.read("fastchat") == Rating(7.0)


def test_fastchats_minus_one_is_no_score(tmp_path: Path):
    (one,) = read_single(write(tmp_path / "j.jsonl", {**ROW, "judgment": "$ERROR$", "score": -1}))
    assert one.score is None
    assert one.read() == Rating(None, "failed call")
    assert one.read("fastchat") == Rating(None, "no verdict")


def test_a_judge_that_could_not_be_asked(tmp_path: Path):
    row = {**ROW, "judgment": None, "score": None, "failure": "timeout"}
    (one,) = read_single(write(tmp_path / "j.jsonl", row))
    assert (one.text, one.failure) == ("", "timeout")
    assert one.read() == Rating(None, "failed call")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({key: value for key, value in ROW.items() if key != "judgment"}, "judgment: Field required"),
        ({**ROW, "judgment": None}, "judgment: is null, and no failure says why"),
        ({**ROW, "turn": 3}, "turn: Input should be 1 or 2"),
        ({**ROW, "judge": "gpt-4"}, "judge: Input should be a valid list"),
        ({**ROW, "judge": ["gpt-4"]}, "judge: List should have at least 2 items"),
        ({**ROW, "question_id": True}, "question_id: must be a number or a text"),
        ({**ROW, "score": "8"}, "score: Input should be a valid number"),
        ({**ROW, "model": " "}, "model: is empty"),
        ({**ROW, "choice": -1}, "choice: Input should be greater than or equal to 0"),
        ({**ROW, "g1_winner": "tie"}, "a pairwise judgment"),
        ("[1, 2]", "line 2: "),
        ("{", "not JSON"),
    ],
)
def test_what_is_wrong_with_a_line(tmp_path: Path, row: dict[str, Any] | str, told: str):
    path = write(tmp_path / "j.jsonl", ROW, row)
    with pytest.raises(DataError) as error:
        read_single(path)
    assert str(error.value).startswith(f"{path}: 1 error\n  line 2: ")
    assert told in str(error.value)
