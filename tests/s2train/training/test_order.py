"""In which order rows are learnt from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from s2eval.errors import ConfigError
from s2train.training import progress
from s2train.training.trainers import ByLength, lengths
from tests.s2train.training import tiny

BATCH = 4
SMALL = {"per_device_train_batch_size": 2}
GROUPED = {"train_sampling_strategy": "group_by_length"}


def test_lengths_are_what_a_batch_is_padded_to() -> None:
    alone = Dataset.from_dict({"input_ids": [[1, 2], [3]], "labels": [[1, 2], [3]]})
    assert lengths(alone) == [2, 1]
    pairs = {"chosen_ids": [[1], [1, 2]], "rejected_ids": [[1, 2, 3], [4]]}
    assert lengths(Dataset.from_dict({**pairs, "margin": [0.1, 0.2]})) == [3, 2]
    after_prompt = Dataset.from_dict({**pairs, "prompt_ids": [[5, 6], [7]]})
    assert lengths(after_prompt) == [2 + 3, 1 + 2]
    assert lengths(after_prompt.select([1])) == [3]


def padded(order: Sequence[int], of: Sequence[int]) -> int:
    """Tokens with padding."""
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    return sum(len(batch) * max(of[row] for row in batch) for batch in batches)


def test_less_padding_and_every_row_once() -> None:
    rows = random.Random(0).choices(range(10, 500), k=403)
    order = list(ByLength(rows, BATCH, 0))
    assert sorted(order) == list(range(403))
    assert padded(order, rows) < 1.1 * sum(rows)
    assert padded(range(403), rows) > 1.4 * sum(rows)  # in the file's order


def test_an_epoch_has_its_own_order_whenever_it_is_asked_for() -> None:
    rows = random.Random(0).choices(range(10, 500), k=403)
    sampler = ByLength(rows, BATCH, 0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    later = ByLength(rows, BATCH, 0)  # of a process that goes on in the second epoch
    later.set_epoch(1)
    assert list(later) == second
    assert list(ByLength(rows, BATCH, 1)) == second  # the seed is added to the epoch


@pytest.mark.parametrize("stage", ["sft", "reward", "dpo"])
def test_a_training_goes_through_all_rows(stage: str, base: Path, data: Path, tmp_path: Path) -> None:
    """In batches of 2: rows are sorted within parts of the epoch, and of 24 rows a part has but one batch of 4."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, more in (("random", {}), ("by length", GROUPED)):
        made = tiny.train(stage, tiny.recipe(stage, base, data, tmp_path / name, **SMALL, **more), tmp_path)
        found[name] = [line for line in progress.read(made.out / progress.METRICS) if "loss" in line]
    tokens = {name: [line["num_tokens"] for line in lines] for name, lines in found.items()}
    assert tokens["random"][-1] == tokens["by length"][-1]  # of the whole epoch
    assert tokens["random"] != tokens["by length"]


@pytest.mark.parametrize("stage", ["sft", "reward", "dpo"])
def test_an_order_that_a_resume_might_change_is_refused(stage: str, base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe(stage, base, data, tmp_path / "out", train_sampling_strategy="batch_rebalance")
    with pytest.raises(ConfigError, match=r"arguments\.train_sampling_strategy: .*use 'group_by_length'"):
        tiny.job(stage, raw, tmp_path)
