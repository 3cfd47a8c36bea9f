"""What is told of the work behind some answers."""

from __future__ import annotations

from s2eval.models.work import Work, remarks


def test_nothing_is_told_of_work_that_went_as_it_should() -> None:
    assert remarks([]) == []
    assert remarks([Work(requests=8, naive=90, unique=30, computed=30, checked=2).as_dict()]) == []


def test_several_works_are_told_as_one() -> None:
    one = Work(requests=8, truncated=3, by_hf={"a window": 8})
    two = Work(requests=4, truncated=1, rescored=2, by_hf={"a window": 1, "beams": 3})
    assert remarks(work.as_dict() for work in (one, two)) == [
        "4 of 12 requests longer than the context, cut from the left",
        "2 of 12 requests too close to call in half precision, scored again by hf's path",
        "9 of 12 requests through hf's path: a window",
        "3 of 12 requests through hf's path: beams",
    ]
