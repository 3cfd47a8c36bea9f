"""Samples read without what was asked and answered: the same scores, whatever a line holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2eval import store
from s2eval.errors import DataError
from tests.report import lm_eval_logs as logs

PLAIN = {**logs.line(0, acc=1.0), "target": 'says "filter": "x", and "doc": {', "resps": [["\\"]], "arguments": {}}
LINES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "a document with such keys": {**PLAIN, "doc": {"doc": 1, "filter": "y", "query": "Q"}},
    "a document that holds a line": {**PLAIN, "doc": {"query": json.dumps(PLAIN)}},
    "another order": dict(reversed(PLAIN.items())),
    "a filter": {**PLAIN, "filter": "strict-match"},
    "a subject": {**PLAIN, "acc": ["virology", 1.0]},
    "whole text": {**PLAIN, "metrics": ["s2_fre_corpus"], "s2_fre_corpus": [5, 1, 7]},
    "not a number": {**PLAIN, "acc": float("nan")},
}


@pytest.mark.parametrize("name", LINES)
def test_scores_are_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(LINES[name]) + "\n")
    [whole] = store.read_samples(path)
    [bare] = store.read_samples(path, texts=False)
    assert repr(bare) == repr(replace(whole, question="", answer=None, reference=None))


def test_texts_are_not_parsed(tmp_path: Path) -> None:
    """A text that is no UTF-8 is not looked at; a broken one would be."""
    path = tmp_path / "samples.jsonl"
    path.write_bytes(json.dumps(PLAIN).encode().replace(b"Q0", b"\xff\xfe") + b"\n")
    [bare] = store.read_samples(path, texts=False)
    assert bare.values == {"acc": 1.0}
    with pytest.raises(DataError):
        list(store.read_samples(path))


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_half_a_line_is_told(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(PLAIN)[:-cut])
    with pytest.raises(DataError, match="line 1"):
        list(store.read_samples(path, texts=False))
