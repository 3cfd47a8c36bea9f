"""FlexAttention over a batch gives what scaled_dot_product_attention gives: on a CPU, where it runs uncompiled."""

from __future__ import annotations

import random
from typing import Any

import pytest

from s2eval.models.backend.likelihood import Request, Scoring
from s2eval.models.trie.engine import Engine
from tests.models.architectures import make

VOCABULARY = 50


def requests() -> list[Request]:
    source = random.Random(1)
    shared = [source.randrange(VOCABULARY) for _ in range(25)]
    found: list[Request] = []
    for _ in range(4):
        context = shared + [source.randrange(VOCABULARY) for _ in range(source.randrange(1, 30))]
        for _ in range(3):
            continuation = [source.randrange(VOCABULARY) for _ in range(source.randrange(1, 6))]
            found.append(Request((context + continuation)[:-1], continuation))
    return found


def scores(model: Any, budget: int, *, flex: bool) -> dict[int, tuple[float, bool]]:
    engine = Engine(model, budget, budget, flex=flex)
    return {number: (total, greedy) for done in Scoring(requests()).run(engine) for number, total, greedy in done}


@pytest.mark.parametrize("name", ["llama", "qwen3", "gpt2", "opt"])  # grouped, normed and plain heads
@pytest.mark.parametrize("budget", [19, 4096])  # the path is stored between batches; all in one batch
def test_flex_attention_scores_like_sdpa(name: str, budget: int) -> None:
    model = make(name, VOCABULARY)
    by_flex, by_sdpa = scores(model, budget, flex=True), scores(model, budget, flex=False)
    assert by_flex.keys() == by_sdpa.keys()
    for number, (total, greedy) in by_sdpa.items():
        assert by_flex[number] == (pytest.approx(total, abs=1e-4), greedy)
