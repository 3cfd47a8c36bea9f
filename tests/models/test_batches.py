"""Batches and blocks against the definition: a query sees its ancestors and itself, and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from s2eval.models.trie import batches, trie
from s2eval.models.trie.batches import Batch

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)


def all_batches(tree: trie.Trie, budget: int, rows: trie.Ints, most_rows: int) -> list[Batch]:
    found: list[Batch] = []
    start, stored = 0, np.empty(0, np.int32)
    while start < len(tree):
        batch = batches.cut(tree, start, stored, budget, rows, most_rows)
        found.append(batch)
        start, stored = batch.stop, batches.after(batch)
    return found


@given(SEQUENCES, st.integers(1, 20), st.integers(1, 5))
def test_batches_cover_the_trie_within_their_budgets(sequences: list[list[int]], budget: int, most: int) -> None:
    tree = trie.build(sequences)
    rows = np.unique(np.concatenate(tree.tails))
    found = all_batches(tree, budget, rows, most)
    assert [n for batch in found for n in range(batch.start, batch.stop)] == list(range(len(tree)))
    for batch in found:
        assert batch.stop - batch.start <= budget
        assert ((rows >= batch.start) & (rows < batch.stop)).sum() <= most


@given(SEQUENCES, st.integers(1, 20))
def test_what_is_stored_are_the_ancestors_of_the_first_token(sequences: list[list[int]], budget: int) -> None:
    tree = trie.build(sequences)
    for batch in all_batches(tree, budget, np.empty(0, np.int32), 1):
        ancestors = [j for j in range(batch.start) if tree.end[j] > batch.start]
        assert batch.stored.tolist() == ancestors
        assert tree.depth[batch.stored].tolist() == list(range(len(ancestors)))  # they lie by depth


@given(SEQUENCES, st.integers(1, 20))
def test_each_query_sees_itself_and_its_ancestors(sequences: list[list[int]], budget: int) -> None:
    tree = trie.build(sequences)
    for batch in all_batches(tree, budget, np.empty(0, np.int32), 1):
        seen: dict[int, list[int]] = {}
        for block in batches.blocks(tree, batch):
            own = np.arange(block.start, block.stop, dtype=np.int32)
            keys = np.concatenate([batch.stored[: block.stored], batch.start + block.opened, batch.start + own])
            for query, visible in zip(own, block.visible, strict=True):
                seen[batch.start + int(query)] = keys[visible].tolist()
        for query in range(batch.start, batch.stop):
            assert seen[query] == [j for j in range(query + 1) if tree.end[j] > query]


@given(SEQUENCES, st.integers(1, 20), st.data())
def test_a_path_is_a_token_with_its_ancestors(sequences: list[list[int]], budget: int, data: st.DataObject) -> None:
    tree = trie.build(sequences)
    batch = data.draw(st.sampled_from(all_batches(tree, budget, np.empty(0, np.int32), 1)))
    token = data.draw(st.integers(batch.start, batch.stop - 1))
    stored, rest = batches.path(tree, batch, token)
    expected = [j for j in range(token + 1) if tree.end[j] > token]
    assert [*batch.stored[:stored].tolist(), *(batch.start + rest).tolist()] == expected


def test_a_long_branch_is_cut_and_short_ones_are_joined() -> None:
    context = list(range(600))
    tree = trie.build([[*context, 1000 + choice, choice] for choice in range(4)])
    (batch,) = all_batches(tree, 4096, np.empty(0, np.int32), 1)
    spans = [(block.start, block.stop) for block in batches.blocks(tree, batch)]
    # 600 = 256 + 256 + 88; the 4 × 2 tokens of the choices are one call
    assert spans == [(0, 256), (256, 512), (512, 608)] or spans == [(0, 256), (256, 512), (512, 600), (600, 608)]
