"""Requests dealt to several ranks: every one once, hardly a prefix twice, the same results as one process."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from s2eval.models.trie import sharing, trie
from tests import processes

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), max_size=20)


@given(SEQUENCES, st.integers(1, 5))
def test_every_sequence_is_dealt_once(sequences: list[list[int]], parts: int) -> None:
    dealt = sharing.shard(sequences, parts)
    assert len(dealt) == parts
    assert sorted(chain.from_iterable(dealt)) == list(range(len(sequences)))


@given(SEQUENCES, st.integers(1, 5))
def test_only_the_path_to_a_part_is_computed_twice(sequences: list[list[int]], parts: int) -> None:
    """At most the longest sequence anew for each part after the first."""
    dealt = sharing.shard(sequences, parts)
    computed = sum(trie.count([sequences[number] for number in part]) for part in dealt)
    longest = max(map(len, sequences), default=0)
    assert computed <= trie.count(sequences) + (parts - 1) * longest


def test_subjects_with_shots_of_their_own_stay_together() -> None:
    shots = [[subject] * 50 for subject in range(4)]
    sequences = [shots[number % 4] + [100 + number] * 5 for number in range(40)]  # dealt like cards they come mixed
    dealt = sharing.shard(sequences, 2)
    computed = sum(trie.count([sequences[number] for number in part]) for part in dealt)
    assert computed == trie.count(sequences) == 4 * 50 + 40 * 5
    in_turn = sum(trie.count(sequences[rank::2]) for rank in range(2))
    assert in_turn == computed  # here each card player holds two subjects whole: 0, 2 and 1, 3
    assert sum(trie.count(sequences[rank::3]) for rank in range(3)) == 3 * 4 * 50 + 40 * 5
    assert sum(trie.count([sequences[n] for n in part]) for part in sharing.shard(sequences, 3)) <= 6 * 50 + 40 * 5


def run(command: list[str], data_dir: Path, number: int, **more: str) -> list[subprocess.CompletedProcess[str]]:
    environment = {"S2_DATA_DIR": str(data_dir), "S2_BERTSCORE_ENCODER": "minilm", **more}
    return processes.ranks([sys.executable, "-m", "lm_eval", "--model", "s2", *command], number, **environment)


def results(model: Path, data_dir: Path, out: Path, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """lm-eval's results and the sums of a run of two tasks with the tiny model, in that many processes."""
    command = [
        *("--model_args", f"pretrained={model}", "--tasks", "s2_truthfulqa_mc2,s2_eli5", "--limit", "5"),
        *("--output_path", str(out)),
    ]
    done = run(command, data_dir, number, ACCELERATE_USE_CPU="true")
    assert not any(rank.returncode for rank in done), "".join(rank.stderr[-3000:] for rank in done)
    (found,) = out.rglob("results_*.json")
    whole = json.loads(found.read_text())
    return whole["results"], whole["config"]["s2_work"]


def test_two_processes_give_the_results_of_one(tiny_model: Path, data_dir: Path, tmp_path: Path) -> None:
    one, alone = results(tiny_model, data_dir, tmp_path / "one", 1)
    two, first = results(tiny_model, data_dir, tmp_path / "two", 2)
    for task, scores in one.items():
        for name, value in scores.items():
            if isinstance(value, float):
                # a bootstrap depends on the order of the documents, which come rank by rank
                tolerance = 0.1 * abs(value) if "stderr" in name else 1e-4
                assert abs(two[task][name] - value) <= tolerance, (task, name)
    assert first["requests"] < alone["requests"]  # the first rank did its share, not everything


def test_processes_that_do_not_know_of_one_another_are_refused(tiny_model: Path, data_dir: Path) -> None:
    """Without ACCELERATE_USE_CPU, accelerate gives every process of a machine without a GPU the rank 0 of 1."""
    command = ["--tasks", "s2_eli5", "--limit", "1", "--model_args", f"pretrained={tiny_model}", "--device", "cpu"]
    ranks = run(command, data_dir, 2)
    assert any(rank.returncode for rank in ranks)
    assert any("2 processes were started, and each would evaluate everything" in rank.stderr for rank in ranks)
