"""The rules of JSON Lines, and every reader held against the same awkward file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2eval.errors import DataError
from s2eval.files import jsonl

SEPARATORS = "\u2028 \u2029 \u0085 \x0b \x0c \x1c \x1d \x1e"
"""What `str.splitlines` splits at besides `\\n` and `\\r`; JSON writes the first three as they are."""


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1}\n{"a": 2}\n',
        b'{"a": 1}\n{"a": 2}',
        b'{"a": 1}\r\n{"a": 2}\r\n',
        b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n',
        b'\xef\xbb\xbf{"a": 1}\n\xef\xbb\xbf{"a": 2}\n',  # two files, one after the other
        b' {"a": 1} \n\t{"a": 2}',
    ],
)
def test_line_ends_and_byte_order_marks(tmp_path: Path, content: bytes) -> None:
    assert list(jsonl.records(put(tmp_path / "a.jsonl", content))) == [(1, {"a": 1}), (2, {"a": 2})]


def test_blank_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", b'\xef\xbb\xbf\r\n\n{"a": 1}\n  \n\r\n{"a": 2}\n\n')
    assert list(jsonl.records(path)) == [(3, {"a": 1}), (6, {"a": 2})]


def test_other_separators_are_text(tmp_path: Path) -> None:
    line = json.dumps({"a": SEPARATORS}, ensure_ascii=False)
    assert "\u2028" in line
    path = put(tmp_path / "a.jsonl", f"{line}\n{line}\n".encode())
    assert list(jsonl.records(path)) == [(1, {"a": SEPARATORS}), (2, {"a": SEPARATORS})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"a": ', "not JSON (Expecting value, column 7)"),
        (b'{"a": "\xff"}', "not UTF-8 text ('utf-8' codec can't decode byte 0xff in position 7: invalid start byte)"),
        (b"[" * 100_000, "not JSON (maximum recursion depth exceeded"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    path = put(tmp_path / "a.jsonl", b'{"a": 1}\n\n' + line + b"\n")
    with pytest.raises(DataError) as caught:
        list(jsonl.records(path))
    assert str(caught.value).startswith(f"{path}, line 3: {problem}")


@pytest.mark.parametrize(
    ("content", "name"),
    [("{}".encode("utf-16"), "UTF-16"), (b"\x1f\x8b\x08\x00", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")],
)
def test_a_file_that_is_not_plain_text(tmp_path: Path, content: bytes, name: str) -> None:
    with pytest.raises(DataError, match=f"a.jsonl: {name}, where plain UTF-8 is expected; convert it first"):
        list(jsonl.records(put(tmp_path / "a.jsonl", content)))


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.jsonl: cannot be read \(No such file or directory\)"):
        list(jsonl.records(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        list(jsonl.records(tmp_path))


# --- the readers -----------------------------------------------------------------------------------------------

AWKWARD = "first\u2028second\u0085third\u2029fourth"


def awkward(path: Path, *rows: dict[str, object]) -> Path:
    """A file as Windows has it: byte order mark, CRLF, a blank line, no line end at the end."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return put(path, b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode())


def test_score(tmp_path: Path) -> None:
    from s2eval.cli.score import read

    path = awkward(tmp_path / "texts.jsonl", *[{"prediction": AWKWARD, "reference": "r"}] * 2)
    assert read(path, needs_reference=True) == [(AWKWARD, "r")] * 2


def test_judge_files(tmp_path: Path) -> None:
    from s2eval.judge.suite.questions import read_questions

    rows = [{"question_id": number, "category": "writing", "turns": [AWKWARD]} for number in (1, 2)]
    assert [one.turns for one in read_questions(awkward(tmp_path / "q.jsonl", *rows))] == [(AWKWARD,)] * 2


def test_task_data(tmp_path: Path) -> None:
    from s2eval import data
    from s2eval.tasks.qa.documents import PAIRS

    (tmp_path / "wiki").mkdir()
    rows = [{"id": str(number), "question": AWKWARD, "answer": AWKWARD, "source": "s"} for number in (1, 2)]
    awkward(tmp_path / "wiki" / "validation.jsonl", *rows)
    assert [row.answer for row in data.load(PAIRS["wiki"], "validation", tmp_path)] == [AWKWARD] * 2


@pytest.mark.parametrize("texts", [True, False])
def test_samples(tmp_path: Path, texts: bool) -> None:
    from s2eval import store

    rows = [
        {
            "doc_id": number,
            "doc": {"question": AWKWARD},
            "target": "t",
            "filtered_resps": [AWKWARD],
            "filter": "none",
            "metrics": ["acc"],
            "doc_hash": "d",
            "prompt_hash": "p",
            "acc": 1.0,
        }
        for number in (0, 1)
    ]
    samples = list(store.read_samples(awkward(tmp_path / "samples.jsonl", *rows), texts=texts))
    assert [sample.values for sample in samples] == [{"acc": 1.0}] * 2
    assert [sample.answer for sample in samples] == [AWKWARD if texts else None] * 2


def test_training_data(tmp_path: Path) -> None:
    from s2train.data.files.jsonl import Source
    from s2train.data.records import QuestionLine

    path = awkward(tmp_path / "a.jsonl", {"question": AWKWARD}, {"question": AWKWARD})
    assert [line.text for line in Source(path, QuestionLine)] == [AWKWARD] * 2


def test_scores_that_a_spreadsheet_saved(tmp_path: Path) -> None:
    from s2eval import store
    from s2eval.records import Row

    row = Row("m", "m", None, "t", "", "", "", "acc", 50.0, 1.0, 48.0, 52.0, 4, 4, "0" * 16)
    store.write_scores(tmp_path / "scores.csv", [row])
    content = (tmp_path / "scores.csv").read_bytes().replace(b"\n", b"\r\n")
    assert store.read_scores(put(tmp_path / "scores.csv", b"\xef\xbb\xbf" + content)) == [row]
