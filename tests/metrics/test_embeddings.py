"""Which texts share a forward pass, and which embeddings stay."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from s2eval.metrics.embeddings import FULL, Embedding, Embeddings, _batches


def embedding(tokens: int) -> Embedding:
    """20 bytes a token: 4 floats of a state and a weight."""
    return Embedding(torch.zeros(tokens, 4), torch.ones(tokens))


# What stays


def test_size_is_that_of_the_numbers() -> None:
    assert embedding(3).size == 3 * (4 + 1) * 4
    kept = Embeddings(1000)
    kept.keep({"a": embedding(3), "b": embedding(2)})
    assert kept.size == 100


def test_the_least_recently_used_leave() -> None:
    kept = Embeddings(100)  # five tokens
    kept.keep({"a": embedding(2), "b": embedding(2)})
    kept.keep({"a": embedding(2)})  # asked for again
    kept.keep({"c": embedding(2)})
    assert list(kept.find("abc")) == ["a", "c"]
    assert kept.size == 80


def test_what_does_not_fit_at_all_is_not_kept() -> None:
    kept = Embeddings(100)
    kept.keep({"a": embedding(2)})
    kept.keep({"long": embedding(6)})
    assert (kept.find(["a", "long"]), kept.size) == ({}, 0)


def test_found_are_those_that_are_there() -> None:
    kept, one = Embeddings(100), embedding(1)
    kept.keep({"a": one})
    assert kept.find(["b", "a"]) == {"a": one}


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 6), max_size=4), max_size=12),
    st.integers(0, 200),
)
def test_size_is_the_sum_and_never_beyond_the_limit(sets: list[dict[str, int]], memory: int) -> None:
    kept = Embeddings(memory)
    for tokens in sets:
        kept.keep({text: embedding(length) for text, length in tokens.items()})
        assert kept.size == sum(one.size for one in kept.find("abcdef").values()) <= memory


# What goes through the encoder together


def test_batches_by_hand() -> None:
    lengths = {"a": 10, "b": 100, "c": 81, "d": 79, "e": 9, "f": 8}
    # 81 ≥ 0.8 * 100 > 79; 10, 9 and 8 are within 0.8 * 10, but three are too many for a batch of two
    assert list(_batches(lengths, 2)) == [["b", "c"], ["d"], ["a", "e"], ["f"]]
    assert list(_batches(lengths, 64)) == [["b", "c"], ["d"], ["a", "e", "f"]]
    assert list(_batches({}, 64)) == []


@given(st.lists(st.integers(3, 512), max_size=200), st.integers(1, 64))
def test_batches_are_full_and_hold_every_text_once(lengths: list[int], size: int) -> None:
    of = {f"text {number}": length for number, length in enumerate(lengths)}
    batches = list(_batches(of, size))
    assert sorted(text for batch in batches for text in batch) == sorted(of)
    for batch in batches:
        longest = max(of[text] for text in batch)
        assert len(batch) <= size
        assert sum(of[text] for text in batch) >= FULL * longest * len(batch)  # a fifth of padding at most
