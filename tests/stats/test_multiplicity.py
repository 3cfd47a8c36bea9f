"""Holm's adjusted p-values against R's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval.stats import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_multtest():
    # R, multtest's mt.rawp2adjp, as statsmodels keeps it: statsmodels/stats/tests/test_multi.py, res_multtest1 and 2
    raw = [
        5.23656777208e-05,
        2.8140506198e-04,
        1.49877310796e-02,
        2.02732688798e-02,
        1.77096952723e-01,
        6.42193923795e-01,
        6.80845947633e-01,
        7.1626938238e-01,
        8.38541367553e-01,
        9.67833824309e-01,
    ]
    adjusted = [5.2365677720800005e-04, 2.5326455578199999e-03, 1.1990184863680001e-01, 1.4191288215860001e-01]
    assert holm(raw) == pytest.approx([*adjusted, *[1.0] * 6])
    assert holm([0.002, 0.004, 0.006, 0.008, 0.01, 0.012]) == pytest.approx([0.012, 0.02, 0.024, 0.024, 0.024, 0.024])


def test_by_hand():
    # sorted 0.01, 0.03, 0.04: times 3, 2, 1 = 0.03, 0.06, 0.04; never less than the one before: 0.03, 0.06, 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_what_was_not_tested_does_not_count():
    assert holm([0.02, None, 0.03]) == pytest.approx([0.04, None, 0.04])
    assert holm([None]) == [None]
    assert holm([]) == []


@given(p_values)
def test_order_is_kept_and_nothing_gets_smaller(p: list[float]):
    adjusted = holm(p)
    assert all(one is not None and one >= raw for raw, one in zip(p, adjusted, strict=True))
    by_p = [adjusted[at] for at in np.argsort(p, kind="stable")]
    assert by_p == sorted(by_p)
    assert min(adjusted) == min(1.0, len(p) * min(p))  # the first step is Bonferroni's


def test_no_p():
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.2])
