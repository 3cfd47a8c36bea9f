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
from numpy.typing import ArrayLike, NDArray

from s2eval.records import MINIMUM, Estimate, Scale
from s2eval.stats.bootstrap import RESAMPLES
from s2eval.stats.bounded import difference_weight
from s2eval.stats.clusters import clustered_stderr
from s2eval.stats.intervals import UNKNOWN, Labels, Values, ends, scale, scope_of
from s2eval.stats.mcnemar import mcnemar_mid_p
from s2eval.stats.paired_shares import difference_bounds
from s2eval.stats.permutation import sign_flip_test, swap_test
from s2eval.stats.power import ALPHA, POWER, detectable, detectable_share
from s2eval.stats.strata import Strata, joined, strata_of
from s2eval.stats.student import scaled_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second of two models is above the first.

    Attributes:
        estimate: of the difference, in the scores' unit; `n` items that should have counted, `n_valid` those for which
            both models have a value. `method` is `tango`, `bounded`, `student`, `constant` (every item has the same
            difference, of scores without bounds), `too-few` or `none`; the last three have no interval.
        p: two-sided, of no difference; None where there is no test, as of fewer than `MINIMUM` items.
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
        if one.stderr is None or one.stderr == 0:
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

    No and yes without strata or clusters: Tango's interval, McNemar's mid-p test. Anything else: the sign-flip test,
    and the interval of a mean of differences, which lie within twice the range of the scores where that is known (else
    the mean ± t standard errors): `scaled_interval`. With strata (MMLU) the unweighted mean over them, standard error
    and degrees of freedom as in `Strata`; with clusters (questions, of which both turns were judged)
    `clustered_stderr` with G - 1 degrees of freedom, and signs flipped by cluster.

    Args:
        first, second: shape (n,), item by item; None and NaN are items without a value.
        strata: shape (n,), each item's stratum. A stratum of which no item has both values leaves no difference.
        clusters: shape (n,), each item's cluster.
        shares: whether values that are all at the ends of the scale mean no and yes; by default as the scale says.
        within: what values are possible.
        resamples: sign patterns, where they are drawn; p is at least 1 / (1 + resamples).

    Raises:
        ValueError: for an infinite value, shapes that differ, or strata and clusters at once.
    """
    if strata is not None and clusters is not None:
        raise ValueError("strata and clusters at once: a question belongs to one stratum, so cluster within it")
    if clusters is None:
        return paired_average([Pairs(first, second, strata, within)], shares=shares, resamples=resamples)
    one, other, valid = _columns(first, second)
    if len(clusters) != one.size:
        raise ValueError(f"{one.size} items, but clusters of {len(clusters)}")
    _, index = np.unique(np.asarray([str(c) for c in clusters])[valid], return_inverse=True)
    differences = (other - one)[valid]
    if differences.size == 0:
        return _nothing(one.size)
    sums: Floats = np.bincount(index, weights=differences).astype(np.float64)
    sizes = np.bincount(index).astype(np.float64)
    p = sign_flip_test(sums / differences.size, resamples=resamples) if sums.size >= MINIMUM else None
    estimate = scaled_interval(
        float(differences.mean()),
        clustered_stderr(sums, sizes),
        sums.size,
        _differences(within, one[valid], other[valid], yes_no=True),
        n=one.size,
        n_valid=differences.size,
        weight=difference_weight,
        largest=float(np.abs(differences).max()),
    )
    return _tested(estimate, p, "sign-flip", differences, sums.size - 1.0)


def paired_average(parts: Sequence[Pairs], *, shares: bool | None = None, resamples: int = RESAMPLES) -> Difference:
    """The same for an unweighted mean of scores (the leaderboard's four), paired within each.

    No value where a part has none. `n` and `n_valid` are sums.

    Raises:
        ValueError: for an infinite value, shapes that differ, or no parts.
    """
    columns = [_columns(part.first, part.second) for part in parts]
    n = sum(valid.size for _, _, valid in columns)
    first = parts[0].within
    shares = not first.graded if shares is None else shares
    if len(parts) == 1 and parts[0].strata is None and shares and _are_shares(*columns[0], first):
        return _shares(*columns[0], first)
    means: list[Strata] = []
    scales: list[Scale] = []
    for part, (one, other, valid) in zip(parts, columns, strict=True):
        if part.strata is not None and len(part.strata) != one.size:
            raise ValueError(f"{one.size} items, but strata of {len(part.strata)}")
        labels = None if part.strata is None else np.asarray(part.strata)
        lost = labels is not None and np.unique(labels[valid]).size < np.unique(labels).size
        if lost or not valid.any():
            return _nothing(n, sum(int(valid.sum()) for _, _, valid in columns))
        means.append(strata_of((other - one)[valid], None if labels is None else labels[valid]))
        scales.append(_differences(part.within, one[valid], other[valid], yes_no=shares or len(parts) > 1))
    whole = joined(means)
    within = scales[0] if len(set(scales)) == 1 else Scale(graded=True)
    estimate = whole.estimate(within, n=n, n_valid=whole.values.size, weight=difference_weight)
    p = None if estimate.method == "too-few" else sign_flip_test(whole.contributions, resamples=resamples)
    return _tested(estimate, p, "sign-flip", whole.values, whole.freedom)


def paired_statistic(
    statistic: Callable[[Floats], Floats],
    first: ArrayLike,
    second: ArrayLike,
    *,
    resamples: int = RESAMPLES,
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
    p = swap_test(statistic, one, other, resamples=resamples) if n >= MINIMUM else None
    largest = float(np.abs(without).max())
    estimate = scaled_interval(value, stderr, n, n=n, n_valid=n, largest=largest)
    return _tested(estimate, p, "swap", differing, n - 1.0)


def _shares(one: Floats, other: Floats, valid: NDArray[np.bool_], within: Scale) -> Difference:
    """Of items that are right or wrong; the estimate in the unit of the scale."""
    low, high = ends(within)
    differences = ((other - one) / (high - low))[valid]
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    n = differences.size
    stderr = float(differences.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    value = (wins - losses) / n
    if n < MINIMUM:
        found = Estimate(value, stderr, None, None, n=valid.size, n_valid=n, method="too-few")
        return Difference(scale(found, high - low), None, "none", _discordant(differences))
    lower, upper = difference_bounds(wins, losses, n)
    found = Estimate(value, stderr, float(lower), float(upper), n=valid.size, n_valid=n, method="tango")
    p = float(mcnemar_mid_p(wins, losses))
    return Difference(scale(found, high - low), p, "mcnemar-mid-p", _discordant(differences))


def _are_shares(one: Floats, other: Floats, valid: NDArray[np.bool_], within: Scale) -> bool:
    return bool(valid.any() and np.isin(one[valid], ends(within)).all() and np.isin(other[valid], ends(within)).all())


def _differences(within: Scale, one: Floats, other: Floats, *, yes_no: bool) -> Scale:
    """The scale of the differences of two columns; of nothing but zeros and ones that of shares, if that is allowed."""
    both = np.concatenate([one, other])
    if not yes_no:
        within = replace(within, graded=True)
    if yes_no and within.span is None and not within.graded and np.isin(both, ends(within)).all():
        within = Scale(0.0, 1.0)
    return scope_of(both, within).differences


def _tested(estimate: Estimate, p: float | None, test: str, differences: Floats, freedom: float | None) -> Difference:
    return Difference(estimate, p, "none" if p is None else test, _discordant(differences), freedom)


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
