"""Two models on the same items: the difference of their scores, with interval and p-value. What differs between
questions cancels, so the difference is known better than either score (Miller, "Adding Error Bars to Evals", arXiv
2411.00640, section 4).

>>> difference = paired_difference([1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 0])
>>> difference.estimate.value, difference.test  # 5/6 - 2/6; only the second model is right on three
(0.5, 'mcnemar-mid-p')

Which interval and which test a kind of score gets is what simulation supports: docs/statistics.md,
`benchmarks/coverage.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from s2eval.records import MINIMUM, Estimate, Scale
from s2eval.stats.arrays import Floats, Labels, Values, column, without_interval
from s2eval.stats.bootstrap import RESAMPLES, jackknife_stderr
from s2eval.stats.bounded import difference_weight
from s2eval.stats.clusters import clustered_stderr
from s2eval.stats.intervals import ends, scale
from s2eval.stats.paired_shares import difference_bounds, mcnemar_mid_p
from s2eval.stats.permutation import rows_of_sums, sign_flip_test, swap_test
from s2eval.stats.power import ALPHA, POWER, detectable, detectable_share
from s2eval.stats.strata import Strata, joined, strata_of
from s2eval.stats.student import UNKNOWN, scaled_interval, scope_of


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second of two models is above the first.

    Attributes:
        estimate: of the difference, in the scores' unit; `n` items that should have counted, `n_valid` those for which
            both models have a value. `method` is `tango`, `bounded`, `student`, `constant` (every item has the same
            difference, of scores without bounds), `too-few` or `none`; the last three have no interval.
        p: two-sided, of no difference; None without a test, as of fewer than `MINIMUM` items.
        test: `mcnemar-mid-p`, `sign-flip`, `swap`, `student`, or `none`.
        discordant: share of the valid items on which the two differ at all; None of no items.
        freedom: degrees of freedom of a `student` interval.
    """

    estimate: Estimate
    p: float | None
    test: str
    discordant: float | None
    freedom: float | None = None

    @property
    def differing(self) -> int:
        """Number of items on which the two differ."""
        return round((self.discordant or 0.0) * self.estimate.n_valid)

    def detectable(self, alpha: float = ALPHA, power: float = POWER) -> float | None:
        """The smallest true difference that these items would have shown.

        None where the spread is unknown or 0, or so few items differ that a test by their signs rejects nothing.
        """
        stderr = self.estimate.stderr
        if self.estimate.method == "tango" and self.discordant is not None:
            return detectable_share(self.discordant, self.estimate.n_valid, alpha, power)
        if stderr is None or stderr == 0:
            return None
        if self.test in ("sign-flip", "swap") and 2.0 ** (1 - self.differing) > alpha:
            return None
        return detectable(stderr, alpha, power, self.freedom)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two models' values on the same items, one part of an average.

    Attributes:
        first, second: shape (n,), in the same order; None and NaN are items without a value.
        strata: shape (n,), each item's stratum.
        within: what values are possible.
    """

    first: Values
    second: Values
    strata: Labels | None = None
    within: Scale = UNKNOWN


def paired_difference(
    first: Values,
    second: Values,
    *,
    strata: Labels | None = None,
    clusters: Sequence[object] | None = None,
    shares: bool | None = None,
    within: Scale = UNKNOWN,
    resamples: int = RESAMPLES,
) -> Difference:
    """The mean of second - first over the items for which both have a value.

    No and yes without strata or clusters: Tango's interval, McNemar's mid-p test. Else the sign-flip test, and
    `scaled_interval` of the differences, which lie within twice the range of the scores. With strata (MMLU) the
    unweighted mean over them, as in `Strata`; with clusters (questions, of which both turns were judged)
    `clustered_stderr` with G - 1 degrees of freedom, and signs flipped by cluster.

    Args:
        first, second: shape (n,), item by item; None and NaN are items without a value.
        strata: shape (n,), each item's stratum. A stratum of which no item has both values leaves no difference.
        clusters: shape (n,), each item's cluster.
        shares: whether values that are all at the ends of the scale mean no and yes; by default as the scale says.
        within: what values are possible.
        resamples: sign patterns, where they are drawn; p is at least 1 / (1 + resamples).
    """
    if strata is not None and clusters is not None:
        raise ValueError("strata and clusters at once: a question belongs to one stratum, so cluster within it")
    if clusters is None:
        return paired_average([Pairs(first, second, strata, within)], shares=shares, resamples=resamples)
    columns = _Columns(Pairs(first, second, within=within))
    n = columns.valid.size
    if len(clusters) != n:
        raise ValueError(f"{n} items, but clusters of {len(clusters)}")
    differences = columns.differences
    if differences.size == 0:
        return _unknown(n)
    _, index = np.unique(np.asarray([str(c) for c in clusters])[columns.valid], return_inverse=True)
    sums: Floats = np.bincount(index, weights=differences).astype(np.float64)
    sizes = np.bincount(index).astype(np.float64)
    p = sign_flip_test(sums / differences.size, resamples=resamples) if sums.size >= MINIMUM else None
    estimate = scaled_interval(
        float(differences.mean()),
        clustered_stderr(sums, sizes),
        sums.size,
        columns.difference_scale(yes_no=True),
        n=n,
        n_valid=differences.size,
        weight=difference_weight,
        largest=float(np.abs(differences).max()),
    )
    return _tested(estimate, p, "sign-flip", differences, sums.size - 1.0)


def paired_average(parts: Sequence[Pairs], *, shares: bool | None = None, resamples: int = RESAMPLES) -> Difference:
    """The same for an unweighted mean of scores (the leaderboard's four), paired within each.

    No value where a part has none. `n` and `n_valid` are sums.
    """
    columns = [_Columns(part) for part in parts]
    n = sum(part.valid.size for part in columns)
    shares = not parts[0].within.graded if shares is None else shares
    if len(parts) == 1 and parts[0].strata is None and shares and columns[0].are_shares():
        return _shares(columns[0])
    means: list[Strata] = []
    scales: list[Scale] = []
    for part, pair in zip(parts, columns, strict=True):
        valid, labels = pair.valid, None if part.strata is None else np.asarray(part.strata)
        if labels is not None and len(labels) != valid.size:
            raise ValueError(f"{valid.size} items, but strata of {len(labels)}")
        lost = labels is not None and np.unique(labels[valid]).size < np.unique(labels).size
        if lost or not valid.any():
            return _unknown(n, sum(int(part.valid.sum()) for part in columns))
        means.append(strata_of(pair.differences, None if labels is None else labels[valid]))
        scales.append(pair.difference_scale(yes_no=shares or len(parts) > 1))
    strata = joined(means)
    within = scales[0] if len(set(scales)) == 1 else Scale(graded=True)
    estimate = strata.estimate(within, n=n, n_valid=strata.values.size, weight=difference_weight)
    p = None if estimate.method == "too-few" else sign_flip_test(strata.contributions, resamples=resamples)
    return _tested(estimate, p, "sign-flip", strata.values, strata.freedom)


def paired_statistic(
    statistic: Callable[[Floats], Floats],
    first: ArrayLike,
    second: ArrayLike,
    *,
    resamples: int = RESAMPLES,
) -> Difference:
    """The same for a function of sums over items: the readability of all answers of a model as one text.

    Interval: value ± t standard errors, `jackknife_stderr` of the difference. Test: `swap_test`.

    Args:
        statistic: takes sums of shape (B, k) and gives B values, shape (B,).
        first, second: shape (n, k), what each item adds to the sums of the one model and of the other.
    """
    rows, others = rows_of_sums(first, second)
    n = len(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float((statistic(others.sum(axis=0)[None]) - statistic(rows.sum(axis=0)[None]))[0]) if n else math.nan
        without = statistic(others.sum(axis=0) - others) - statistic(rows.sum(axis=0) - rows) if n > 1 else np.zeros(n)
    if not math.isfinite(value):
        return _unknown(n)
    differing = (rows != others).any(axis=1).astype(np.float64)
    stderr = jackknife_stderr(without) if n > 1 and np.isfinite(without).all() else None
    p = swap_test(statistic, rows, others, resamples=resamples) if n >= MINIMUM else None
    estimate = scaled_interval(value, stderr, n, n=n, n_valid=n, largest=float(np.abs(without).max()))
    return _tested(estimate, p, "swap", differing, n - 1.0)


class _Columns:
    """Both models' values as float64, and which items have both."""

    def __init__(self, pairs: Pairs) -> None:
        self.first, self.second, self.within = column(pairs.first), column(pairs.second), pairs.within
        if self.first.shape != self.second.shape:
            raise ValueError(
                f"values of the same items must have one shape (n,), not {self.first.shape} and {self.second.shape}"
            )
        self.valid = ~(np.isnan(self.first) | np.isnan(self.second))
        self.differences: Floats = (self.second - self.first)[self.valid]

    @property
    def values(self) -> Floats:
        return np.concatenate([self.first[self.valid], self.second[self.valid]])

    def are_shares(self) -> bool:
        return bool(self.valid.any() and np.isin(self.values, ends(self.within)).all())

    def difference_scale(self, *, yes_no: bool) -> Scale:
        """That of shares where all are zeros and ones, if `yes_no`."""
        within = self.within if yes_no else replace(self.within, graded=True)
        if within.span is None and not within.graded and self.are_shares():
            within = Scale(0.0, 1.0)
        return scope_of(self.values, within).differences


def _shares(columns: _Columns) -> Difference:
    """Of items that are right or wrong; the estimate in the unit of the scale."""
    low, high = ends(columns.within)
    differences = ((columns.second - columns.first) / (high - low))[columns.valid]
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    n, n_valid = columns.valid.size, differences.size
    stderr = float(differences.std(ddof=1)) / math.sqrt(n_valid) if n_valid > 1 else None
    value = (wins - losses) / n_valid
    if n_valid < MINIMUM:
        estimate = without_interval(n, n_valid, "too-few", value, stderr)
        return _tested(scale(estimate, high - low), None, "none", differences, None)
    lower, upper = (float(bound) for bound in difference_bounds(wins, losses, n_valid))
    estimate = Estimate(value, stderr, lower, upper, n=n, n_valid=n_valid, method="tango")
    return _tested(scale(estimate, high - low), float(mcnemar_mid_p(wins, losses)), "mcnemar-mid-p", differences, None)


def _tested(estimate: Estimate, p: float | None, test: str, differences: Floats, freedom: float | None) -> Difference:
    discordant = float(np.count_nonzero(differences) / differences.size)
    return Difference(estimate, p, "none" if p is None else test, discordant, freedom)


def _unknown(n: int, n_valid: int = 0) -> Difference:
    return Difference(without_interval(n, n_valid), None, "none", None)
