"""The folder of `s2eval mtbench` without --out: each model's own, and 0.1.0's shared one where a model began there."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.judge.default_folder import default_folder
from s2eval.llm.calls import Call, Message, Reply
from s2eval.llm.ledger import Ledger

SHARED = Path("runs/mtsbench")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(model: str) -> Call:
    return Call("openai:x@http://127.0.0.1", model, (Message("user", "Why?"),), 0.0, 10)


@pytest.mark.parametrize(
    ("models", "suite", "name"),
    [
        (["smollm2"], "mtsbench", "mtsbench-smollm2"),
        (["openai:gpt-4"], "mtsbench", "mtsbench-gpt-4"),
        (["./runs/my model/"], "mtsbench", "mtsbench-my_model"),
        (["adapter:a/b@c"], "mtsbench", "mtsbench-b"),
        (["baseline:constant"], "mtsbench", "mtsbench-constant"),
        (["answers:deep/alpaca.jsonl"], "mtsbench", "mtsbench-alpaca.jsonl"),
        (["a", "openai:b"], "mtsbench", "mtsbench-a+b"),
        (["a"], "judges/own/", "own-a"),
        (["../.."], "mtsbench", "mtsbench-model"),
        (["m" * 300], "mtsbench", "mtsbench-" + "m" * 91),
    ],
)
def test_each_model_has_its_own(models: list[str], suite: str, name: str) -> None:
    assert default_folder(models, suite) == Path("runs") / name


def test_a_model_that_began_in_the_shared_folder_goes_on_there() -> None:
    SHARED.mkdir(parents=True)
    with Ledger.open(SHARED / "calls.sqlite") as ledger:
        ledger.record(call("begun"), Reply("Because."))
    (SHARED / "finished" / "mtbench").mkdir(parents=True)
    assert default_folder(["openai:begun"], "mtsbench") == SHARED  # stopped before its results were written
    assert default_folder(["finished"], "mtsbench") == SHARED
    assert default_folder(["openai:begun", "finished"], "mtsbench") == SHARED
    assert default_folder(["other"], "mtsbench") == Path("runs/mtsbench-other")
    assert default_folder(["openai:begu"], "mtsbench") == Path("runs/mtsbench-begu")
    Path("runs/mtsbench-finished").mkdir()
    assert default_folder(["finished"], "mtsbench") == Path("runs/mtsbench-finished")


def test_a_shared_folder_that_cannot_be_read_is_left_alone() -> None:
    SHARED.mkdir(parents=True)
    (SHARED / "calls.sqlite").write_text("no database")
    assert default_folder(["a"], "mtsbench") == Path("runs/mtsbench-a")
