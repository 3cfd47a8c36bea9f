"""Inspect's logs: the JSON form is read, the binary one refused with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import DataError, UsageError
from s2eval.report.read import inspect_log as inspect_logs


def sample(number: int, value: Any, epoch: int = 1, **more: Any) -> dict[str, Any]:
    row = {"id": number, "epoch": epoch, "input": f"question {number}", "target": "Yes", "messages": [], "store": {}}
    return {**row, "scores": {"match": {"value": value, "answer": "No"}}, **more}


def log(samples: list[dict[str, Any]] | None, **more: Any) -> dict[str, Any]:
    """Of the shape of Inspect's own tests/log/test_eval_log/log_formats.json."""
    content = {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "popularity",
            "task_id": "x",
            "task_version": 0,
            "dataset": {"name": "popularity", "location": "example://popularity", "samples": 100},
            "model": "ollama/llama3.1",
            "config": {"limit": 1},
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {"temperature": 1.0}},
        "results": {"total_samples": 1},
        **more,
    }
    return content if samples is None else {**content, "samples": samples}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_letters_numbers_and_their_lack(tmp_path: Path) -> None:
    values = ["C", "I", "P", "N", 0.25, True, "maybe", None]
    path = write(tmp_path / "log.json", log([sample(n, value) for n, value in enumerate(values)]))
    assert len(inspect_logs.read_scored(tmp_path, "strict").scored) == 1
    found = inspect_logs.read(path)
    assert [item.values["match"] for item in found.items] == [1.0, 0.0, 0.5, 0.0, 0.25, 1.0, None, None]
    assert (found.model, found.task, found.conditions["data set"]) == ("ollama/llama3.1", "popularity", "popularity")
    assert found.items[3].cluster == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("yes", 1.0),
        ("No", 0.0),
        ("TRUE", 1.0),
        ("false", 0.0),
        ("0.75", 0.75),
        ("-2", -2.0),
        ("1e-1", 0.1),
        (False, 0.0),
    ],
)
def test_text_is_read_as_inspect_reads_it(tmp_path: Path, value: Any, expected: float) -> None:
    """As its `value_to_float`."""
    found = inspect_logs.read(write(tmp_path / "log.json", log([sample(1, value)])))
    assert dict(found.items[0].values) == {"match": expected}
    assert found.remarks == ()


@pytest.mark.parametrize("value", ["maybe", "c", "", "nan", "inf", "1_0", float("nan"), float("inf"), [1.0], None])
def test_what_is_no_number_is_counted_and_named(tmp_path: Path, value: Any) -> None:
    """Inspect itself counts 0 here, with a warning."""
    found = inspect_logs.read(write(tmp_path / "log.json", log([sample(1, "C"), sample(2, value)])))
    assert [item.values["match"] for item in found.items] == [1.0, None]
    shown = "null" if value is None else str(value)
    assert found.remarks == (
        f"ollama/llama3.1, popularity: 1 of 2 values of match is no number and not counted ({shown!r})",
    )


def test_scores_of_several_parts(tmp_path: Path) -> None:
    found = inspect_logs.read(
        write(tmp_path / "log.json", log([sample(1, {"a": 1, "b": "I"}), sample(2, "C", scores=None)]))
    )
    assert dict(found.items[0].values) == {"match/a": 1.0, "match/b": 0.0}
    assert dict(found.items[1].values) == {}


def test_epochs_of_a_sample_are_a_cluster(tmp_path: Path) -> None:
    found = inspect_logs.read(
        write(tmp_path / "log.json", log([sample(1, "C"), sample(1, "I", epoch=2), sample(2, "C")]))
    )
    one, again, other = found.items
    assert one.key != again.key
    assert one.cluster == again.cluster != other.cluster


def test_what_was_asked_joins_and_what_was_done_is_a_condition(tmp_path: Path) -> None:
    base = inspect_logs.read(write(tmp_path / "a.json", log([sample(1, "C")])))
    asked = inspect_logs.read(write(tmp_path / "b.json", log([sample(1, "C", input="another question")])))
    assert base.items[0].key != asked.items[0].key
    solved = inspect_logs.read(write(tmp_path / "c.json", log([sample(1, "C")], plan={"steps": [{"solver": "cot"}]})))
    assert base.conditions["solver"] != solved.conditions["solver"]


def test_a_log_that_did_not_end(tmp_path: Path) -> None:
    found = inspect_logs.read(write(tmp_path / "log.json", log([sample(1, "C")], status="cancelled")))
    assert found.remarks == ("ollama/llama3.1: the log's status is cancelled",)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.eval").write_bytes(b"PK")
    with pytest.raises(UsageError, match="inspect log convert"):
        inspect_logs.read(tmp_path / "x.eval")
    with pytest.raises(UsageError, match="without samples"):
        inspect_logs.read(write(tmp_path / "header.json", log(None)))
    with pytest.raises(DataError, match=r"not a log of Inspect: .*eval"):
        inspect_logs.read(write(tmp_path / "other.json", {"version": 2}))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match="not a log of Inspect"):
        inspect_logs.read(tmp_path / "broken.json")
