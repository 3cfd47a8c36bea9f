"""The flat token trie against sets of prefixes, which say the same in one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from s2eval.models.trie import trie

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=12)


def prefixes(sequences: list[list[int]]) -> set[tuple[int, ...]]:
    return {tuple(sequence[:length]) for sequence in sequences for length in range(1, len(sequence) + 1)}


def spelled(tree: trie.Trie) -> list[tuple[int, ...]]:
    """The prefix that each token ends, read off the three arrays."""
    return [
        tuple(int(tree.tokens[j]) for j in range(i + 1) if tree.end[j] > i)  # j is an ancestor of i, or i
        for i in range(len(tree))
    ]


@given(SEQUENCES)
def test_every_distinct_prefix_is_one_token(sequences: list[list[int]]) -> None:
    tree = trie.build(sequences)
    assert sorted(spelled(tree)) == sorted(prefixes(sequences))
    assert len(tree) == trie.count(sequences) == len(prefixes(sequences))


@given(SEQUENCES, st.data())
def test_the_order_can_begin_with_any_sequence(sequences: list[list[int]], data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(sequences))
    tree = trie.build(sequences, first=first)
    assert sorted(spelled(tree)) == sorted(prefixes(sequences))
    assert tree.tokens[: len(first)].tolist() == first


@given(SEQUENCES)
def test_depth_is_the_number_of_ancestors(sequences: list[list[int]]) -> None:
    tree = trie.build(sequences)
    assert [len(prefix) - 1 for prefix in spelled(tree)] == tree.depth.tolist()


@given(SEQUENCES, st.data())
def test_tails_spell_the_ends_of_their_sequences(sequences: list[list[int]], data: st.DataObject) -> None:
    wanted = [data.draw(st.integers(1, len(sequence))) for sequence in sequences]
    tree = trie.build(sequences, wanted)
    words = spelled(tree)
    for sequence, length, tail in zip(sequences, wanted, tree.tails, strict=True):
        expected = [tuple(sequence[:size]) for size in range(len(sequence) - length + 1, len(sequence) + 1)]
        assert [words[place] for place in tail] == expected


def test_two_choices_share_their_context() -> None:
    tree = trie.build([[7, 8, 9, 1], [7, 8, 9, 2, 3], [7, 8, 9, 1]])
    assert tree.tokens.tolist() == [7, 8, 9, 1, 2, 3]  # 3 shared + 1 + 2; the repeated one adds nothing
    assert tree.depth.tolist() == [0, 1, 2, 3, 3, 4]
    assert tree.end.tolist() == [6, 6, 6, 4, 6, 6]
    assert [tail.tolist() for tail in tree.tails] == [[3], [5], [3]]


def test_ids_beyond_a_byte_sort_as_numbers() -> None:
    assert trie.build([[256], [255], [128_000]]).tokens.tolist() == [255, 256, 128_000]


def test_no_sequences_are_an_empty_trie() -> None:
    assert len(trie.build([])) == trie.count([]) == 0
