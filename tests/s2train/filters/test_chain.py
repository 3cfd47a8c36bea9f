"""Filters one after the other, in batches and in processes: the same verdicts in the same order."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.errors import PrerequisiteError
from s2train.data.eli5 import pairs as eli5
from s2train.data.engine import AHEAD, Local
from s2train.data.filters import Filter, Step, Tally, Verdict, judged, verdicts
from s2train.data.filters.chain import BATCH
from s2train.data.filters.config import Filters, chosen
from s2train.data.records import Kept, Pair

# What other processes run must be importable there, which a test's own functions are not.
IMPORTABLE = """
import os, signal
from s2eval.errors import PrerequisiteError

def containing(letter, pairs):
    return [f"has {letter}" if letter in pair.answer else None for pair in pairs]

def failing(pairs):
    raise PrerequisiteError("pip install it")

def dying(pairs):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "filters_of_a_test.py").write_text(IMPORTABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "filters_of_a_test", raising=False)
    return import_module("filters_of_a_test")


def without(letter: str) -> Filter:
    def reasons(pairs: Sequence[Pair]) -> list[str | None]:
        return [f"has {letter}" if letter in pair.answer else None for pair in pairs]

    return Filter(f"no {letter}", reasons)


def pair(answer: str, number: int = 0) -> Pair:
    return Pair(f"p{number}", "Why?", answer, "test")


def test_the_first_filter_that_drops_a_pair_gives_the_reason() -> None:
    pairs = [pair(answer) for answer in ("ab", "b", "c", "a")]
    a, b = Verdict("no a", "has a"), Verdict("no b", "has b")
    assert verdicts(pairs, [without("a"), without("b")]) == [a, b, None, a]
    assert verdicts(pairs, [without("b"), without("a")]) == [b, b, None, a]
    assert verdicts(pairs, []) == [None] * 4
    assert verdicts([], [without("a")]) == []


def test_a_filter_sees_only_what_those_before_it_kept() -> None:
    seen: list[str] = []

    def watching(pairs: Sequence[Pair]) -> list[str | None]:
        seen.extend(one.answer for one in pairs)
        return [None] * len(pairs)

    verdicts([pair("a"), pair("b"), pair("ca"), pair("d")], [without("a"), Filter("watch", watching)])
    assert seen == ["b", "d"]


def test_a_filter_that_forgets_a_pair_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        verdicts([pair("a"), pair("b")], [Filter("one", lambda pairs: [None])])


@given(st.lists(st.text("abc", max_size=3), max_size=30), st.integers(0, 30))
def test_a_verdict_does_not_depend_on_the_batch(answers: list[str], cut: int) -> None:
    pairs, filters = [pair(answer) for answer in answers], [without("a"), without("b")]
    assert verdicts(pairs[:cut], filters) + verdicts(pairs[cut:], filters) == verdicts(pairs, filters)


def test_pairs_are_read_as_they_are_worked_off(importable: Any) -> None:
    read = 0

    def endless() -> Iterator[Pair]:
        nonlocal read
        for number in count():
            read += 1
            yield pair("b", number)

    found = list(islice(judged(endless(), [without("a")]), 3))
    assert [(one.id, verdict) for one, verdict in found] == [("p0", None), ("p1", None), ("p2", None)]
    assert read == BATCH
    read = 0
    stream = judged(endless(), [Filter("no a", partial(importable.containing, "a"))], Local(2))
    assert [one.id for one, _ in islice(stream, 2 * BATCH)] == [f"p{n}" for n in range(2 * BATCH)]
    assert read == (2 + 2 * AHEAD) * BATCH  # two given out, and what waits for two processes
    stream.close()  # ends the processes


def test_processes_change_nothing(shared_data: Path) -> None:
    lines = (shared_data / "eli5" / "explainlikeimfive.jsonl").read_text(encoding="utf-8").splitlines()
    outcomes = [eli5.pair(eli5.Eli5Record.model_validate_json(line)) for line in lines[:1100]]  # three batches
    pairs = [outcome.pair for outcome in outcomes if isinstance(outcome, Kept)]
    filters = chosen(Filters())
    results = list[tuple[Step, ...]]()
    for processes in (1, 2):
        tally = Tally([one.name for one in filters])
        for one, verdict in judged(pairs, filters, Local(processes)):
            tally.add(one, verdict)
        results.append(tally.steps())
    assert results[0] == results[1]
    dropped = {step.name: step.dropped / len(pairs) for step in results[0]}
    assert 0.25 < dropped["readability"] < 0.45
    assert 0.001 < dropped["toxicity"] < 0.04
    assert dropped["language"] < 0.001


def test_an_error_of_a_filter_comes_through(importable: Any) -> None:
    for processes in (1, 2):
        filters = [Filter("fails", importable.failing)]
        with pytest.raises(PrerequisiteError, match="pip install it"):
            list(judged([pair("a")], filters, Local(processes)))


def test_a_process_that_dies_is_told(importable: Any) -> None:
    with pytest.raises(PrerequisiteError, match="was killed"):
        list(judged([pair("a")] * (3 * BATCH), [Filter("dies", importable.dying)], Local(2)))
