"""The simulation study computes what the functions compute that users call, and finds what is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import batched, coverage, simulated_scores, simulated_shares, simulated_small
from benchmarks.coverage_tables import render
from benchmarks.findings import Finding
from s2eval.stats import bootstrap, mean, paired_difference, sign_flip_test, strata_of, stratified_bootstrap


def test_the_intervals_are_those_of_mean_and_paired_difference():
    data = np.random.default_rng(1).exponential(size=(3, 25))
    bounds = batched.mean_bounds(data)
    for number, values in enumerate(data):
        ordered = np.sort(values)
        bca = bootstrap(lambda weights, items=ordered: np.einsum("bn,n->b", weights, items) / weights.sum(axis=1), 25)
        t, one = paired_difference(np.zeros(25), values, shares=False).estimate, mean(values)
        assert (one.ci_low, one.ci_high) == pytest.approx((t.ci_low, t.ci_high))
        assert (bounds["BCa"][0][number], bounds["BCa"][1][number]) == pytest.approx((bca.ci_low, bca.ci_high))
        assert (bounds["t"][0][number], bounds["t"][1][number]) == pytest.approx((t.ci_low, t.ci_high))


def test_the_sign_flips_are_those_of_the_test():
    data = np.random.default_rng(2).normal(0.2, 1, (4, 30))
    assert batched.flip_p(data) == pytest.approx([sign_flip_test(row) for row in data])


def test_the_intervals_over_strata_are_those_that_users_call(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(6), 20)
    data = rng.normal(size=(2, 120))
    bounds: dict[str, batched.Bounds] = {}
    monkeypatch.setattr(simulated_scores, "coverage", lambda study, setting, found: bounds.update(found) or iter(()))
    list(simulated_scores._strata({}, data, labels))
    for number, values in enumerate(data):
        t = paired_difference(np.zeros(120), values, strata=labels).estimate
        assert (bounds["t"][0][number], bounds["t"][1][number]) == pytest.approx((t.ci_low, t.ci_high))
        # other random numbers, so equal but for what 10,000 resamples leave open
        bca = stratified_bootstrap(strata_of(values, labels))
        assert bounds["BCa"][0][number] == pytest.approx(bca.ci_low, abs=0.08 * bca.stderr)


def test_what_is_known_exactly():
    # n = 60, p = 0.05, by enumeration with another program: Wilson 97.0%, value ± 1.96 standard errors 80.6%
    found = {(one.setting["n"], one.setting["p"], one.method, one.exact): one.share
             for one in simulated_shares.shares(10, np.random.default_rng(0)) if one.what == "coverage"}  # fmt: skip
    assert found[60, 0.05, "Wilson", True] == pytest.approx(0.970, abs=5e-4)
    assert found[60, 0.05, "normal", True] == pytest.approx(0.806, abs=5e-4)


def test_every_study_runs_and_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulated_shares, "SIZES", (20,))
    monkeypatch.setattr(simulated_shares, "SHARES", (0.1, 0.5))
    monkeypatch.setattr(simulated_scores, "SIZES", (8,))
    monkeypatch.setattr(simulated_small, "SIZES", (8,))
    monkeypatch.setattr(simulated_small, "TEXT_ANSWERS", 1000)
    for study in coverage.STUDIES:
        if study == "strata":
            continue  # above
        findings = coverage.run(study, 4)
        assert findings
        assert all(one.share >= 0 and (one.share <= 1 or one.what == "width") for one in findings)
        assert {one.study for one in findings} == {study}
        records = coverage.summed_up(findings)
        assert findings[0].method in render(records, 4)
        for row in coverage.promises(records, 4):
            assert 0 <= row.ours <= 100


def test_shares_over_p_are_summed_up():
    settings = [({"n": 60, "p": p}, share) for p, share in ((0.1, 0.93), (0.2, 0.95), (0.3, 0.97))]
    findings = [Finding("shares", setting, "coverage", "corrected", share, exact=True) for setting, share in settings]
    (record,) = coverage.summed_up(findings)
    assert (record["share"], record["least"], record["most"], record["over_p"]) == (0.95, 0.93, 0.97, 3)
    rows = {row.name: row for row in coverage.promises([record], 10)}
    assert rows["corrected, n = 60: mean coverage"].ours == pytest.approx(95)
    assert rows["corrected, n = 60: least coverage"].reached()
