"""Answers are on the disk as soon as they are added, and a torn line is no harm."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s2eval.errors import DataError, PrerequisiteError
from s2train.label.ledger import AnswerLine, Ledger

_KILLED = """
import os, signal, sys
from pathlib import Path
from s2train.label.ledger import AnswerLine, Ledger
with Ledger.open(Path(sys.argv[1])) as ledger:
    for number in range(3):
        ledger.add(AnswerLine(prompt="p", number=number, sampling="s", answer="a", ended=True))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def line(number: int, **scores: float) -> AnswerLine:
    return AnswerLine(prompt="p", number=number, sampling="s", answer=f"a{number}", ended=True, scores=scores)


def test_a_killed_process_loses_nothing(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "x.answers.jsonl"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)], cwd=repository, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with path.open("a") as file:
        file.write('{"prompt": "p", "num')  # and one was being written
    with Ledger.open(path) as ledger:  # its lock is nobody's now
        assert ledger.get(("s", "p", 2)) is not None
        ledger.add(line(3))
    with Ledger.open(path) as ledger:
        assert [ledger.get(("s", "p", number)) is not None for number in range(5)] == [True] * 4 + [False]


def test_a_last_line_without_its_end_and_separators_in_a_text_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.answers.jsonl"
    answers = [line(0).model_copy(update={"answer": "a\u2028b\u0085c"}), line(1)]
    path.write_text("\n".join(one.model_dump_json() for one in answers), encoding="utf-8")  # killed before the line end
    with Ledger.open(path) as ledger:
        ledger.add(line(2))
    with Ledger.open(path) as ledger:
        assert [ledger.get(one.key) for one in (*answers, line(2))] == [*answers, line(2)]


def test_the_last_line_of_an_answer_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.answers.jsonl"
    with Ledger.open(path) as ledger:
        for one in (line(1), line(0), line(1, r=2.0)):
            ledger.add(one)
    assert len(path.read_text().splitlines()) == 3
    with Ledger.open(path) as ledger:
        assert ledger.get(("s", "p", 1)) == line(1, r=2.0)
        ledger.tidy([("s", "p", 0)])
    assert [AnswerLine.model_validate_json(row) for row in path.read_text().splitlines()] == [line(0), line(1, r=2.0)]


def test_reasoning_is_no_part_of_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "x.answers.jsonl"
    old = line(0, r=2.0).model_copy(update={"answer": "<think>Hm.</think>Rain."})  # as an earlier version wrote it
    unended = line(1).model_copy(update={"answer": "<think>Hm."})
    new = line(2, r=1.0).model_copy(update={"answer": "Rain.", "reasoning": "Hm."})
    path.write_text("".join(one.to_json() + "\n" for one in (old, unended, new)))
    with Ledger.open(path) as ledger:
        first, second, third = (ledger.get(("s", "p", number)) for number in range(3))
    assert first == old.model_copy(update={"answer": "Rain.", "reasoning": "Hm.", "scores": {}})  # to be scored anew
    assert second == unended.model_copy(update={"answer": "", "reasoning": "Hm.", "ended": False})
    assert third == new
    assert "reasoning" not in line(3).to_json()


def test_a_broken_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.answers.jsonl"
    path.write_text(line(0).model_dump_json() + '\n{"prompt": 3}\n')
    with pytest.raises(DataError, match=r"x\.answers\.jsonl:2: field 'prompt'"), Ledger.open(path):
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.answers.jsonl"
    with (
        Ledger.open(path),
        pytest.raises(PrerequisiteError, match="another process labels there"),
        Ledger.open(path),
    ):
        pass
