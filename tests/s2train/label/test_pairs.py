"""Which answers are compared, and which of them become pairs."""

from __future__ import annotations

from s2train.label.candidates import Candidate, Groups, Selection, group, select


def answer(prompt: str, number: int, *scores: float, text: str = "", ended: bool = True) -> Candidate:
    return Candidate(prompt, number, text or f"{prompt}{number}", ended, 5, 4.0, scores)


def groups(*scores: float) -> Groups:
    return group(answer("p", number, score) for number, score in enumerate(scores))


def ordered(selection: Selection) -> list[tuple[int, int]]:
    return [(pair.chosen.number, pair.rejected.number) for pair in selection.pairs]


def test_best_against_worst() -> None:
    found = select(groups(0.5, 2.0, -1.0, 2.0))
    assert ordered(found) == [(1, 2)]  # of the two best ones the first
    assert found.pairs[0].margin == 3.0
    assert (found.ties, found.narrow) == (0, 0)


def test_all_pairs() -> None:
    found = select(groups(0.5, 2.0, -1.0, 2.0), which="all")
    assert ordered(found) == [(1, 0), (0, 2), (3, 0), (1, 2), (3, 2)]
    assert found.ties == 1  # 1 and 3
    assert [pair.margin for pair in found.pairs] == [1.5, 1.5, 1.5, 3.0, 3.0]


def test_a_tie_makes_no_pair() -> None:
    assert select(groups(1.0, 1.0, 1.0)) == Selection((), 1, 0)


def test_too_small_a_margin_makes_no_pair() -> None:
    found = select(groups(0.0, 1.0, 1.5), which="all", min_margin=1.0)
    assert ordered(found) == [(1, 0), (2, 0)]  # 1.0 is as much as is asked for
    assert found.narrow == 1


def test_another_ranking_orders_by_its_own_scores() -> None:
    both = group([answer("p", 0, 1.0, 5.0), answer("p", 1, 2.0, 4.0)])
    assert ordered(select(both, 0)) == [(1, 0)]
    assert ordered(select(both, 1)) == [(0, 1)]


def test_what_cannot_be_compared_is_counted() -> None:
    found = group(
        [
            answer("a", 0, 1.0, text="same"),
            answer("a", 1, 1.0, text="same"),
            answer("a", 2, 1.0, text="other", ended=False),
            answer("b", 0, 1.0, text="x"),
            Candidate("b", 1, "", True, 0, 0.0, (1.0,)),
        ]
    )
    assert [[one.number for one in some] for some in found.of] == [[0, 2]]
    assert found.left_out == {"identical": 1, "empty": 1, "alone": 1}  # of b one is left


def test_answers_that_did_not_end_can_be_left_out() -> None:
    some = [answer("a", 0, 1.0), answer("a", 1, 2.0, ended=False), answer("a", 2, 3.0)]
    assert [one.number for one in group(some, ended_only=True).of[0]] == [0, 2]
    assert group(some, ended_only=True).left_out["unended"] == 1
    assert len(group(some).of[0]) == 3
