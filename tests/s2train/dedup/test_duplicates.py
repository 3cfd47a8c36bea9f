"""Near-duplicates: what banding promises, what the exact check decides, and brute force to hold both against."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2train.data.build.split import normalised
from s2train.data.dedup import duplicates
from s2train.data.dedup.duplicates import Forest, chance, jaccard, near_duplicates, near_pairs, signatures
from s2train.data.engine import Local

WORDS = [
    "air",
    "blue",
    "sky",
    "why",
    "does",
    "light",
    "water",
    "stone",
    "scatter",
    "red",
    "deep",
    "sea",
    "moon",
    "year",
    "day",
    "how",
    "come",
    "what",
    "is",
    "the",
    "of",
]

texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=12)


def shingles(text: str) -> set[str]:
    """The definition, in characters: runs of four, a blank on either side."""
    padded = f" {normalised(text)} ".ljust(4)
    return {padded[at : at + 4] for at in range(len(padded) - 3)}


def by_brute_force(distinct: Sequence[str], threshold: float) -> set[tuple[int, int]]:
    """All pairs, each compared; only those are left out of which one has too many shingles for the other."""
    order = sorted(
        ((len(found), at, found) for at, found in enumerate(map(shingles, distinct))), key=lambda one: one[0]
    )
    pairs: set[tuple[int, int]] = set()
    for place, (size, at, found) in enumerate(order):
        for other_size, other_at, other in order[place + 1 :]:
            if size < threshold * other_size - 1e-9:
                break
            shared = len(found & other)
            if shared / (size + other_size - shared) >= threshold:
                pairs.add((min(at, other_at), max(at, other_at)))
    return pairs


def components(size: int, pairs: set[tuple[int, int]]) -> list[int]:
    """The smallest number of each one's component, by going over the pairs until nothing changes."""
    label = list(range(size))
    while True:
        before = list(label)
        for one, other in pairs:
            label[one] = label[other] = min(label[one], label[other])
        if label == before:
            return label


def reworded(text: str, random: random.Random) -> str:
    """The same with one or two words replaced, dropped or added."""
    words = text.split()
    for _ in range(random.randint(1, 2)):
        at = random.randrange(len(words))
        words[at : at + random.randint(0, 1)] = [random.choice(WORDS)] * random.randint(0, 1)
        words = words or ["why"]
    return " ".join(words)


@pytest.fixture(scope="module")
def titles(shared_data: Path) -> list[str]:
    """1,200 questions that people asked, and 800 rewordings of some, all different, shuffled."""
    lines = (shared_data / "eli5" / "explainlikeimfive.jsonl").read_text(encoding="utf-8").splitlines()
    asked = list({normalised(json.loads(line)["title"]): None for line in lines})
    draw = random.Random(5)
    asked = draw.sample([title for title in asked if len(title) > 20], 1200)
    found = dict.fromkeys(asked)
    while len(found) < 2000:
        found[normalised(reworded(draw.choice(asked), draw))] = None
    mixed = [title for title in found if title]
    draw.shuffle(mixed)
    return mixed


@pytest.fixture(scope="module")
def truth(titles: list[str]) -> set[tuple[int, int]]:
    return by_brute_force(titles, 0.8)


def test_recall_and_precision_against_brute_force(titles: list[str], truth: set[tuple[int, int]]) -> None:
    found = set(near_pairs(titles))
    assert len(truth) > 400  # enough to tell 0.97 from 0.99
    assert found <= truth  # precision 1
    assert len(found & truth) >= 0.97 * len(truth)
    labels = near_duplicates(titles)
    together = sum(labels[one] == labels[other] for one, other in truth)
    assert together >= len(found)  # a chain may join what banding missed
    # and nothing is joined but by pairs that are near
    whole = components(len(titles), truth)
    assert all(whole[label] == whole[at] for at, label in enumerate(labels))


def test_signatures_estimate_jaccard_as_the_theory_says(titles: list[str], truth: set[tuple[int, int]]) -> None:
    # Broder: each minimum agrees with probability J, so the share of 126 has the variance J(1 - J)/126
    pairs = [(titles[one], titles[other]) for one, other in sorted(truth)]
    exact = np.array([jaccard(one, other) for one, other in pairs])
    minima = [signatures([pair[side] for pair in pairs]) for side in (0, 1)]
    error = (minima[0] == minima[1]).mean(axis=1) - exact
    expected = np.sqrt((exact * (1 - exact)).mean() / 126)
    assert abs(error.mean()) < 0.01
    assert 0.85 * expected < error.std() < 1.15 * expected


def test_the_curve_of_the_bands() -> None:
    # 0.8^7 = 0.2097; (1 - 0.2097)^18 = 0.0145; and 16 bands of 8 rows would give 1 - (1 - 0.1678)^16 = 0.947
    assert chance(0.8) == pytest.approx(0.9855, abs=1e-4)
    assert chance(0.8) >= 0.97
    assert (chance(0), chance(1)) == (0, 1)
    # the sketch loses next to nothing of that: P(fewer than 78 of 126 agree), each with probability 0.8
    lost = sum(comb(126, k) * 0.8**k * 0.2 ** (126 - k) for k in range(duplicates.MIN_AGREEMENT))
    assert lost < 1e-6


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("Why is the SKY blue?!", "why is the sky, blue", 1.0),
        ("abcd", "abce", 1 / 5),  # ␣abc abcd bcd␣ | ␣abc abce bce␣
        ("a", "b", 0 / 2),  # ␣a␣␣ | ␣b␣␣
        ("?", "!!", 1.0),  # no word at all: the same
        ("\U00020000\U00020001", "\U00020000\U00020002", 1 / 5),  # two units a letter: ␣HLH HLHl LHl␣ | ␣HLH HLHm LHm␣
    ],
)
def test_jaccard(one: str, other: str, similarity: float) -> None:
    assert jaccard(one, other) == pytest.approx(similarity)


@given(texts)
def test_jaccard_is_that_of_the_definition(items: list[str]) -> None:
    for one, other in combinations(items, 2):
        shared, either = shingles(one) & shingles(other), shingles(one) | shingles(other)
        assert jaccard(one, other) == jaccard(other, one) == len(shared) / len(either)


@given(texts, st.randoms(use_true_random=False))
def test_the_clusters_do_not_depend_on_the_order(items: list[str], random: random.Random) -> None:
    def partition(some: Sequence[str]) -> set[frozenset[str]]:
        labels = near_duplicates(some)
        return {
            frozenset(normalised(text) for text, label in zip(some, labels, strict=True) if label == one)
            for one in set(labels.tolist())
        }

    shuffled = list(items)
    random.shuffle(shuffled)
    assert partition(items) == partition(shuffled)


@given(texts)
def test_a_label_is_the_position_of_the_clusters_first_text(items: list[str]) -> None:
    labels = near_duplicates(items).tolist()
    assert len(labels) == len(items)
    for at, label in enumerate(labels):
        assert label <= at
        assert labels[label] == label
    same = {normalised(text): label for text, label in zip(items, labels, strict=True)}
    assert labels == [same[normalised(text)] for text in items]  # the same words, the same cluster


def test_processes_change_nothing(titles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_TEXTS_A_CHUNK", 700)  # three chunks
    alone = near_duplicates(titles)
    assert np.array_equal(near_duplicates(titles, engine=Local(2)), alone)
    monkeypatch.setattr(duplicates, "_TEXTS_A_CHUNK", 5000)
    assert np.array_equal(near_duplicates(titles), alone)


def test_a_chain_is_one_cluster_though_its_ends_are_apart() -> None:
    words = [f"word{letter}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    chain = [" ".join(words[at : at + 20]) for at in range(7)]  # each shares 19 of 20 words with the next
    assert jaccard(chain[0], chain[1]) >= 0.8
    assert jaccard(chain[0], chain[6]) < 0.8
    assert set(near_duplicates(chain).tolist()) == {0}
    assert (0, 6) not in near_pairs(chain)


def test_a_large_cluster_is_not_compared_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[float] = []
    exact = duplicates._similarity

    def counted(one: str, other: str) -> float:
        compared.append(exact(one, other))
        return compared[-1]

    monkeypatch.setattr(duplicates, "_similarity", counted)
    stem = " ".join(f"{word}{number}" for number in range(4) for word in WORDS)  # 84 words
    copies = [f"{stem} {number}" for number in range(1000)]
    assert set(near_duplicates(copies).tolist()) == {0}
    assert 999 <= len(compared) < 5000  # of 499,500 pairs


@given(st.lists(st.integers(0, 4), max_size=20))
def test_every_pair_of_a_bucket_is_proposed_once(keys: list[int]) -> None:
    proposed = [
        tuple(sorted(pair))
        for left, right in duplicates._proposed(np.array(keys, np.uint64), None)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    ]
    assert sorted(proposed) == [
        (one, other) for one, other in combinations(range(len(keys)), 2) if keys[one] == keys[other]
    ]


def test_a_bucket_that_is_one_cluster_is_left_at_once() -> None:
    keys = np.zeros(1000, np.uint64)
    forest, rounds = Forest(1000), 0
    for left, right in duplicates._proposed(keys, forest):
        rounds += 1
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            forest.join(one, other)
    assert rounds == 1  # of 999


def test_the_threshold_is_met_at_equality_and_refused_below() -> None:
    one, other = "abcdefghijklmno", "abcdefghijklmnop"
    shared = 13  # ␣abc to lmno; mno␣ | mnop nop␣
    assert jaccard(one, other) == shared / (14 + 15 - shared)  # 0.8125
    assert near_pairs([one, other], threshold=13 / 16) == [(0, 1)]
    assert near_pairs([one, other], threshold=13 / 16 + 1e-9) == []
    for threshold in (0.79, 1.01, float("nan")):
        with pytest.raises(ValueError, match=r"threshold must lie between 0\.8 and 1"):
            near_duplicates([one], threshold=threshold)


def test_nothing_and_odd_texts() -> None:
    assert near_duplicates([]).tolist() == []
    assert near_pairs([]) == []
    # no word, one letter, half a surrogate pair, letters that need two units
    odd = ["", "?!", "a", "\ud800 why", "\U00020000", "\U00020000", "a", "x" * 50_000]
    assert near_duplicates(odd).tolist() == [0, 0, 2, 3, 4, 4, 2, 7]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15))
def test_the_forest_is_the_components_of_the_joins(joins: list[tuple[int, int]]) -> None:
    forest = Forest(10)
    for one, other in joins:
        forest.join(one, other)
        assert forest.joined(one, other)
    assert forest.roots(np.arange(10)).tolist() == components(10, set(joins))
