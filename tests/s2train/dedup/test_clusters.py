"""No question, nor a near-duplicate of it, falls on both sides, whichever set it is in."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2train.data.build import split
from s2train.data.build.split import normalised
from s2train.data.dedup.clusters import QuestionClusters, cluster_questions
from s2train.data.dedup.duplicates import jaccard, near_pairs
from s2train.data.eli5.pairs import question_of

WORDS = ["why", "is", "the", "sky", "blue", "at", "night", "and", "sea", "not", "so"]

questions = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join),
        st.sampled_from(["", "\n\nso why", "\n\nand the sea?", "\n\n?!"]),
    ).map("".join),
    max_size=12,
)


@pytest.fixture(scope="module")
def asked(shared_data: Path) -> list[str]:
    """5,411 questions of ELI5, title and body, with the 500 most popular of r/askscience."""
    lines = (shared_data / "eli5" / "explainlikeimfive.jsonl").read_text(encoding="utf-8").splitlines()
    posts = [json.loads(line) for line in lines]
    science = (shared_data / "eli5" / "questions_only_askscience.jsonl").read_text(encoding="utf-8").splitlines()
    titles = [json.loads(line)["title"] for line in science]
    return [question_of(post["title"], post["selftext"]) for post in posts] + titles


def test_the_key_is_the_smallest_normalised_question_of_the_cluster() -> None:
    one, other = "Why do wind turbines always have 3 blades?", "why wind turbines always have 3 blades"
    assert jaccard(one, other) >= 0.8
    clusters = cluster_questions([other, "Why is the sky blue?", one])
    # "why do…" < "why wind…"
    assert clusters.key(one) == clusters.key(other) == "why do wind turbines always have 3 blades"
    assert clusters.key("Why is the SKY blue?") == "why is the sky blue"  # alone: itself
    assert Counter(clusters.keys.values()) == {"why do wind turbines always have 3 blades": 2}
    # printf '0\0why do wind turbines always have 3 blades' | sha256sum → 562bf41a71794268…
    # 0x562bf41a71794268 / 2^64 = 0.33661
    for question in (one, other):
        assert clusters.side(question, share=0.33661 + 1e-4) == "validation"
        assert clusters.side(question, share=0.33661 - 1e-4) == "train"


def test_a_longer_explanation_does_not_make_another_question() -> None:
    bare, explained = (
        "What does premium gasoline do?",
        "What does premium gasoline do?\n\nMy car asks for it. Is it worth it?",
    )
    elsewhere = "Is it worth it?\n\nMy car asks for premium gasoline, but I have never used it."
    assert jaccard(bare, explained) < 0.8
    clusters = cluster_questions([explained, bare, elsewhere])
    assert clusters.key(bare) == clusters.key(explained) == normalised(bare)
    assert clusters.key(elsewhere) == normalised(elsewhere)
    # two bodies are joined by the title though nobody asked it alone
    other = "What does premium gasoline do??\n\nI read that it cleans the engine"
    assert clusters_of(explained, other) == {frozenset((explained, other))}
    # of two that are the same but for the paragraph, the one with the paragraph is not forgotten
    joined = explained.replace("\n\n", " ")
    assert clusters_of(explained, joined, bare) == {frozenset((explained, joined, bare))}


def clusters_of(*items: str) -> set[frozenset[str]]:
    clusters = cluster_questions(items)
    keys = {clusters.key(item) for item in items}
    return {frozenset(item for item in items if clusters.key(item) == key) for key in keys}


@given(questions, st.randoms(use_true_random=False))
def test_the_clusters_depend_on_the_set_of_questions_only(items: list[str], random: object) -> None:
    shuffled = [*items, *items[:2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cluster_questions(shuffled) == cluster_questions(items)


@given(questions, st.integers(0, 3))
def test_no_pair_is_on_both_sides(items: list[str], seed: int) -> None:
    clusters = cluster_questions(items)
    side = {item: clusters.side(item, share=0.5, seed=seed) for item in items}
    for one, other in near_pairs(items):
        assert side[items[one]] == side[items[other]]
    for one, other in combinations(items, 2):
        if normalised(one) == normalised(other):
            assert side[one] == side[other]


@given(questions)
def test_a_key_is_a_question_of_its_own_cluster_and_the_smallest(items: list[str]) -> None:
    clusters = cluster_questions(items)
    for item in items:
        key = clusters.key(item)
        members = [normalised(other) for other in items if clusters.key(other) == key]
        assert key == min(members)
    assert all(size > 1 for size in Counter(clusters.keys.values()).values())


def test_real_questions(asked: list[str]) -> None:
    clusters = cluster_questions(asked)
    side = {question: clusters.side(question, share=0.5) for question in asked}
    pairs = near_pairs(asked)
    assert pairs
    assert all(side[asked[one]] == side[asked[other]] for one, other in pairs)
    # the hash of the question alone, as `split.side` draws it, parts some of the near-duplicates
    assert any(split.side(asked[one], share=0.5) != split.side(asked[other], share=0.5) for one, other in pairs)
    assert max(Counter(clusters.keys.values()).values()) < 20  # titles do not chain everything together
    held_out = sum(where == "validation" for where in side.values())
    assert abs(held_out - len(side) / 2) < 4 * (len(side) / 4) ** 0.5 + 20  # binomial, and a cluster may move as one


def test_nothing() -> None:
    assert cluster_questions([]) == QuestionClusters({})
