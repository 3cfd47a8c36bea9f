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
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2eval.records import Estimate
from s2eval.stats.bootstrap import RESAMPLES
from s2eval.stats.clusters import clustered_stderr
from s2eval.stats.intervals import Labels, Values
from s2eval.stats.mcnemar import mcnemar_mid_p
from s2eval.stats.paired_shares import tango_interval
from s2eval.stats.permutation import sign_flip_test, swap_test
from s2eval.stats.power import ALPHA, POWER, detectable, detectable_share
from s2eval.stats.strata import Strata, joined, strata_of
from s2eval.stats.student import student_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second of two models is above the first.

    Attributes:
        estimate: of the difference, in the scores' unit; `n` items that should have counted, `n_valid` those for which
            both models have a value. `method` is `tango`, `student`, `constant` (every item has the same difference, so
            no spread was seen) or `none`.
        p: two-sided, of no difference; None where there is no test.
        test: `mcnemar-mid-p`, `sign-flip`, `swap`, `student`, or `none`.
        discordant: share of the valid items on which the two differ at all; None where there are none.
        freedom: degrees of freedom of a `student` interval.
    """

    estimate: Estimate
    p: float | None
    test: str
    discordant: float | None
    freedom: float | None = None

    @property
    def differing(self) -> int:
        """How many items the two differ on."""
        return round((self.discordant or 0.0) * self.estimate.n_valid)

    def detectable(self, alpha: float = ALPHA, power: float = POWER) -> float | None:
        """The smallest true difference that these items would have shown.

        None where it cannot be told: too little spread was seen, or so few items differ that a test by their signs
        rejects nothing.
        """
        one = self.estimate
        if one.method == "tango" and self.discordant is not None:
            return detectable_share(self.discordant, one.n_valid, alpha, power)
        if one.stderr is None or one.method == "constant":
            return None
        if self.test in ("sign-flip", "swap") and 2.0 ** (1 - self.differing) > alpha:
            return None
        return detectable(one.stderr, alpha, power, self.freedom)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two models' values on the same items, one part of an average.

    Attributes:
        first, second: shape (n,), in the same order; None and NaN are items without a value.
        strata: shape (n,), each item's stratum; None = there are none.
    """

    first: Values
    second: Values
    strata: Labels | None = None


def paired_difference(
    first: Values,
    second: Values,
    *,
    strata: Labels | None = None,
    clusters: Sequence[object] | None = None,
    shares: bool = True,
    resamples: int = RESAMPLES,
) -> Difference:
    """The mean of second - first over the items for which both have a value.

    Values of 0 and 1 without strata or clusters: Tango's interval, McNemar's mid-p test. Anything else: the mean ± t
    standard errors, and the sign-flip test. With strata (MMLU) the unweighted mean over them, standard error and
    degrees of freedom as in `Strata`; with clusters (questions, of which both turns were judged) `clustered_stderr`
    with G - 1 degrees of freedom, and signs flipped by cluster.

    Args:
        first, second: shape (n,), item by item; None and NaN are items without a value.
        strata: shape (n,), each item's stratum. A stratum of which no item has both values leaves no difference.
        clusters: shape (n,), each item's cluster.
        shares: whether values of 0 and 1 only mean no and yes; False for scores in between.
        resamples: sign patterns, where they are drawn; p is at least 1 / (1 + resamples).

    Raises:
        ValueError: for an infinite value, shapes that differ, or strata and clusters at once.
    """
    if strata is not None and clusters is not None:
        raise ValueError("strata and clusters at once: a question belongs to one stratum, so cluster within it")
    if clusters is None:
        return paired_average([Pairs(first, second, strata)], shares=shares, resamples=resamples)
    one, other, valid = _columns(first, second)
    if len(clusters) != one.size:
        raise ValueError(f"{one.size} items, but clusters of {len(clusters)}")
    _, index = np.unique(np.asarray([str(c) for c in clusters])[valid], return_inverse=True)
    differences = (other - one)[valid]
    if differences.size == 0:
        return _nothing(one.size)
    sums: Floats = np.bincount(index, weights=differences).astype(np.float64)
    sizes = np.bincount(index).astype(np.float64)
    value = float(differences.mean())
    p = sign_flip_test(sums / differences.size, resamples=resamples) if sums.size > 1 else None
    return _student(value, clustered_stderr(sums, sizes), sums.size - 1.0, one.size, differences, p, "sign-flip")


def paired_average(parts: Sequence[Pairs], *, shares: bool = True, resamples: int = RESAMPLES) -> Difference:
    """The same for an unweighted mean of scores (the leaderboard's four), paired within each.

    No value where a part has none. `n` and `n_valid` are sums.

    Raises:
        ValueError: for an infinite value, shapes that differ, or no parts.
    """
    columns = [_columns(part.first, part.second) for part in parts]
    n = sum(valid.size for _, _, valid in columns)
    if len(parts) == 1 and parts[0].strata is None and shares and _are_shares(*columns[0]):
        return _shares(*columns[0])
    means: list[Strata] = []
    for part, (one, other, valid) in zip(parts, columns, strict=True):
        if part.strata is not None and len(part.strata) != one.size:
            raise ValueError(f"{one.size} items, but strata of {len(part.strata)}")
        labels = None if part.strata is None else np.asarray(part.strata)
        lost = labels is not None and np.unique(labels[valid]).size < np.unique(labels).size
        if lost or not valid.any():
            return _nothing(n, sum(int(valid.sum()) for _, _, valid in columns))
        means.append(strata_of((other - one)[valid], None if labels is None else labels[valid]))
    whole = joined(means)
    p = sign_flip_test(whole.contributions, resamples=resamples) if whole.values.size > 1 else None
    return _student(whole.value, whole.stderr, whole.freedom, n, whole.values, p, "sign-flip")


def paired_statistic(
    statistic: Callable[[Floats], Floats], first: ArrayLike, second: ArrayLike, *, resamples: int = RESAMPLES
) -> Difference:
    """The same for a function of sums over items: the readability of all answers of a model as one text.

    Interval: value ± t standard errors, which are the jackknife's: √((n-1)/n Σ (θ_(i) - θ̄)²), θ_(i) the difference
    without the i-th item; Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), equation 11.5. Test:
    `swap_test`.

    Args:
        statistic: takes sums of shape (B, k) and gives B values, shape (B,).
        first, second: shape (n, k), what each item adds to the sums of the one model and of the other.

    Raises:
        ValueError: for shapes that differ.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 2:
        raise ValueError(f"the models' rows must have one shape (n, k), not {one.shape} and {other.shape}")
    n = len(one)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float((statistic(other.sum(axis=0)[None]) - statistic(one.sum(axis=0)[None]))[0]) if n else math.nan
        without = statistic(other.sum(axis=0) - other) - statistic(one.sum(axis=0) - one) if n > 1 else np.zeros(n)
    if not math.isfinite(value):
        return _nothing(n)
    differing = (one != other).any(axis=1).astype(np.float64)
    finite = np.isfinite(without).all()
    stderr = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())) if n > 1 and finite else None
    p = swap_test(statistic, one, other, resamples=resamples) if n > 1 else None
    return _student(value, stderr, n - 1.0, n, differing, p, "swap")


def _shares(one: Floats, other: Floats, valid: NDArray[np.bool_]) -> Difference:
    """Of items that are right or wrong."""
    differences = (other - one)[valid]
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    n = differences.size
    low, high = tango_interval(wins, losses, n)
    stderr = float(differences.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    value = (wins - losses) / n
    estimate = Estimate(value, stderr, float(low), float(high), n=valid.size, n_valid=n, method="tango")
    return Difference(estimate, float(mcnemar_mid_p(wins, losses)), "mcnemar-mid-p", _discordant(differences))


def _are_shares(one: Floats, other: Floats, valid: NDArray[np.bool_]) -> bool:
    return bool(valid.any() and np.isin(one[valid], (0.0, 1.0)).all() and np.isin(other[valid], (0.0, 1.0)).all())


def _student(
    value: float,
    stderr: float | None,
    freedom: float | None,
    n: int,
    differences: Floats,
    p: float | None,
    test: str,
) -> Difference:
    largest = float(np.abs(differences).max())
    estimate = student_interval(value, stderr, freedom, n=n, n_valid=differences.size, largest=largest)
    return Difference(estimate, p, test if p is not None else "none", _discordant(differences), freedom)


def _discordant(differences: Floats) -> float:
    return float(np.count_nonzero(differences) / differences.size)


def _nothing(n: int, n_valid: int = 0) -> Difference:
    return Difference(Estimate(None, None, None, None, n=n, n_valid=n_valid, method="none"), None, "none", None)


def _columns(first: Values, second: Values) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Both as float64, and where both have a value."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"values of the same items must have one shape (n,), not {one.shape} and {other.shape}")
    if np.isinf(one).any() or np.isinf(other).any():
        raise ValueError("a value is infinite: a metric must be finite, or None")
    return one, other, ~(np.isnan(one) | np.isnan(other))
