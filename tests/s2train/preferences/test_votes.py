"""Which of two answers readers found more helpful, and which of two that they found equally good is simpler."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s2eval.metrics import readability
from s2train.data.eli5.pairs import NO_QUESTION
from s2train.data.preferences import EqualVoteSettings, Outcome, VotedRecord, VoteSettings, equal_votes, votes
from s2train.data.preferences.records import BEYOND, SAME, SHORT
from s2train.data.preferences.votes import CLOSE, EARLIER, FEW, GRADES, LENGTHS, UNEQUAL, UNKNOWN_TIME
from tests.s2train.preferences.posts import EASY, HARD, TEN, helpful, record, refused


def test_the_clearly_better_voted_answer_is_chosen() -> None:
    outcome = votes(helpful(10, 40, ids="12", selftext="And red at night? [see](https://a.org)"), VoteSettings())
    (pair,) = outcome.pairs
    assert pair.row() == {
        "prompt": "Why is the sky blue?\n\nAnd red at night? see",
        "chosen": f"{TEN} b.",
        "rejected": f"{TEN} a.",
        "aspect": "helpfulness",
        "margin": 1.3863,  # ln(40 / 10)
        "source": "reddit/explainlikeimfive",
    }
    assert refused(outcome) == {}


@pytest.mark.parametrize(
    ("scores", "margin"),
    [
        ((10, 19), None),  # 1.9 times
        ((10, 20), math.log(2)),  # 2 times, 10 apart
        ((4, 8), None),  # only 4 apart
        ((-30, 5), math.log(5)),  # 5 / 1
        ((-30, 1), None),  # 1 / 1
        ((0, 0), None),
    ],
)
def test_votes_must_differ_by_ratio_and_difference(scores: tuple[int, int], margin: float | None) -> None:
    outcome = votes(helpful(*scores), VoteSettings(min_ratio=2, min_difference=5))
    assert [pair.margin for pair in outcome.pairs] == ([] if margin is None else [pytest.approx(margin)])
    assert refused(outcome) == ({CLOSE: 1} if margin is None else {})


def test_who_was_first_gathers_votes_so_only_the_later_answer_counts_as_better() -> None:
    assert refused(votes(helpful(40, 10, ids="12"), VoteSettings())) == {EARLIER: 1}
    assert len(votes(helpful(40, 10, ids="21"), VoteSettings()).pairs) == 1
    assert len(votes(helpful(40, 10, ids="12"), VoteSettings(time="any")).pairs) == 1
    assert len(votes(helpful(10, 40, ids="z1"), VoteSettings()).pairs) == 0  # in base 36 z is after 1


def test_times_are_believed_before_ids_and_may_allow_a_head_start() -> None:
    post = helpful(40, 10, ids="21", created_utc=[1000.0, 1060.0])
    assert refused(votes(post, VoteSettings())) == {EARLIER: 1}
    assert refused(votes(post, VoteSettings(max_head_start=59))) == {EARLIER: 1}
    assert len(votes(post, VoteSettings(max_head_start=60)).pairs) == 1
    assert len(votes(helpful(40, 10, created_utc=[1000.0, 1000.0]), VoteSettings()).pairs) == 1  # at the same second
    assert votes(helpful(40, 10, ids="12"), VoteSettings(max_head_start=1e12)).pairs == ()  # ids are no seconds


@pytest.mark.parametrize("ids", [None, "1%"])
def test_where_nobody_knows_who_was_first(ids: str | None) -> None:
    assert len(votes(helpful(40, 10, ids=ids), VoteSettings()).pairs) == 1
    dropped = votes(helpful(40, 10, ids=ids), VoteSettings(unknown_time="drop"))
    assert refused(dropped) == {UNKNOWN_TIME: 1}


def test_one_discussion_gives_its_widest_pairs_only() -> None:
    outcome = votes(helpful(10, 100, 1000), VoteSettings(pairs_per_question=2))
    assert [(pair.chosen[-2], pair.rejected[-2]) for pair in outcome.pairs] == [("c", "a"), ("b", "a")]  # 100×, 10×
    assert refused(outcome) == {BEYOND: 1}  # c against b, 10× as well, but after it


@pytest.mark.parametrize(
    ("post", "reason"),
    [
        (helpful(40), FEW),
        (record((f"{TEN} a.", 40), ("[deleted]", 1)), FEW),
        (helpful(40, 10, title="[removed]"), NO_QUESTION),
        (record((f"{TEN} a.", 40), (f"{TEN}  a.", 1)), SAME),
        (record((f"{TEN} a.", 40), ("No.", 1)), SHORT),
    ],
)
def test_posts_without_a_pair(post: VotedRecord, reason: str) -> None:
    assert votes(post, VoteSettings()) == Outcome((), {reason: 1})


def test_lists_that_are_not_parallel() -> None:
    with pytest.raises(ValidationError, match="2 texts, but 1 of a_id"):
        helpful(1, 2, ids="1")


@given(st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 35)), max_size=8))
def test_every_two_answers_are_a_pair_or_refused_once(answers: list[tuple[int, int]]) -> None:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    post = helpful(*(score for score, _ in answers), ids="".join(digits[place] for _, place in answers) or None)
    outcome = votes(post, VoteSettings())
    candidates = math.comb(len(answers), 2) if len(answers) > 1 else 1
    assert len(outcome.pairs) + sum(outcome.refused.values()) == candidates
    score = {f"{TEN} {chr(97 + n)}.": answer for n, answer in enumerate(answers)}
    for pair in outcome.pairs:
        (better, later), (worse, earlier) = score[pair.chosen], score[pair.rejected]
        assert better >= 2 * max(worse, 1)
        assert later >= earlier


# --- equal votes ---


def test_of_equally_voted_answers_the_simpler_is_chosen() -> None:
    (pair,) = equal_votes(record((HARD, 7), (EASY, 7)), EqualVoteSettings()).pairs
    assert (pair.chosen, pair.rejected, pair.aspect) == (EASY, HARD, "simplicity")
    assert pair.margin == readability(HARD).fkg - readability(EASY).fkg > 10


@pytest.mark.parametrize(
    ("answers", "settings", "reason"),
    [
        (((HARD, 7), (EASY, 8)), {}, UNEQUAL),
        (((HARD, 1), (EASY, 1)), {}, UNEQUAL),  # nobody voted
        (((HARD, 7), ("The sun is hot.", 7)), {}, SHORT),
        (((HARD, 7), (EASY * 2, 7)), {}, LENGTHS),
        (((EASY, 7), (EASY + " Yes.", 7)), {}, GRADES),
        (((HARD, 7), (EASY, 7)), {"min_grades": 100}, GRADES),
    ],
)
def test_pairs_that_say_nothing_about_simplicity(answers: Any, settings: dict[str, Any], reason: str) -> None:
    assert equal_votes(record(*answers), EqualVoteSettings.model_validate(settings)) == Outcome((), {reason: 1})


def test_nearly_equal_votes_can_count_as_equal() -> None:
    assert len(equal_votes(record((HARD, 10), (EASY, 9)), EqualVoteSettings(max_ratio=1.12)).pairs) == 1  # 10/9
