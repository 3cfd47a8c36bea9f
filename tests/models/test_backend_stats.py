"""Remarks on the statistics of a backend."""

from __future__ import annotations

from s2eval.models.backend.backend_stats import BackendStats, remarks


def test_nothing_is_told_of_work_that_went_as_it_should() -> None:
    assert remarks([]) == []
    assert remarks([BackendStats(requests=8, naive=90, unique=30, computed=30, checked=2).as_dict()]) == []


def test_several_works_are_told_as_one() -> None:
    first = BackendStats(requests=8, truncated=3, fallbacks={"a window": 8})
    second = BackendStats(requests=4, truncated=1, rescored=2, fallbacks={"a window": 1, "beams": 3})
    assert remarks(stats.as_dict() for stats in (first, second)) == [
        "4 of 12 requests longer than the context, cut from the left",
        "2 of 12 requests too close to call in half precision, scored again by hf's path",
        "9 of 12 requests through hf's path: a window",
        "3 of 12 requests through hf's path: beams",
    ]
