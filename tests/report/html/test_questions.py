"""What a reader sees of a question: apart from its shots, its target in words, the task's own metric first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2eval.report import sources
from s2eval.report.html import logs
from s2eval.report.html.samples import sample_sets
from tests.report.lm_eval_logs import line, write

MMLU = "What is the colour of the hottest stars?\nA. Orange\nB. Blue\nAnswer:"
CHOICES = {"query": MMLU, "choices": ["A", "B"]}


def question(tmp_path: Path, doc: dict[str, Any], target: Any, context: str, continuations: list[str]) -> Any:
    calls = {f"gen_args_{n}": {"arg_0": context, "arg_1": text} for n, text in enumerate(continuations)}
    pairs = [["-1.0", "False"] for _ in continuations]
    sample = {"doc_id": 0, "doc": doc, "target": target, "arguments": calls, "filtered_resps": pairs, "resps": pairs}
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(sample) + "\n")
    (read,) = logs.read(path, lambda _: True)
    assert read.question is not None
    return json.loads(read.question)


def test_shots_stand_apart(tmp_path: Path) -> None:
    shots = "Instructions.\n\nWhat is far?\nA. x\nB. y\nAnswer: A\n\n"
    asked = question(tmp_path, CHOICES, 1, shots + MMLU, [" A", " B"])
    assert asked["x"][0][asked["s"][0] :] == MMLU


@pytest.mark.parametrize("context", [MMLU, f"### Human: {MMLU} ###Assistant:", "Something else.\n\nEntirely."])
def test_without_shots_the_prompt_is_whole(tmp_path: Path, context: str) -> None:
    assert "s" not in question(tmp_path, CHOICES, 1, context, [" A", " B"])


@pytest.mark.parametrize(
    ("doc", "target", "right", "words"),
    [
        (CHOICES, 1, [1], "B. Blue"),
        (CHOICES, "1", [1], "B. Blue"),
        ({"question": "Why?", "choices": {"text": ["yes", "no"]}}, 0, [0], "yes"),
        ({"query": "Q: Why?", "choices": ["it is", "it was"], "labels": [1, 1]}, 0, [0, 1], "it is\nit was"),
        ({"question": "Why?"}, 0, [0], ""),
    ],
)
def test_targets_are_words(tmp_path: Path, doc: dict[str, Any], target: Any, right: list[int], words: str) -> None:
    asked = question(tmp_path, doc, target, "Why?", [" a", " b"])
    assert (asked["k"], asked["w"]) == (right, words)


@pytest.mark.parametrize("target", [7, -1, "A", "because", None])
def test_a_target_that_is_no_position_stays_as_it_is(tmp_path: Path, target: Any) -> None:
    assert "k" not in question(tmp_path, CHOICES, target, MMLU, [" A", " B"])


def test_the_tasks_own_metric_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "a", {"s2_arc_challenge": [line(at, acc=1.0, acc_norm=0.0) for at in range(5)]})
    (samples,) = sample_sets(sources.read(tmp_path).scored)
    assert samples.metrics[0] == "acc_norm"
