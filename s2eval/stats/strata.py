"""Means over strata (MMLU over its subjects), with formulas and by the bootstrap within each stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2eval.records import Estimate, Scale
from s2eval.stats.arrays import Floats, Labels, without_interval
from s2eval.stats.bootstrap import CELLS, RESAMPLES, SEED, bca_estimate
from s2eval.stats.bounded import Weight, mean_weight
from s2eval.stats.student import scaled_interval

_FEW = 8  # items a distinct value, from which on it is drawn how often each value comes, not each item


@dataclass(frozen=True, slots=True)
class Strata:
    """Values in their strata, each stratum with its weight in the mean.

    Attributes:
        values: shape (n,), finite.
        index: shape (n,), the stratum of each, from 0 to K - 1; none is empty.
        weights: shape (K,), the sum of which is 1.
    """

    values: Floats
    index: NDArray[np.intp]
    weights: Floats

    @property
    def sizes(self) -> Floats:
        """Shape (K,), values of each stratum."""
        return np.bincount(self.index, minlength=self.weights.size).astype(np.float64)

    @property
    def means(self) -> Floats:
        """Shape (K,), of each stratum."""
        return np.bincount(self.index, weights=self.values, minlength=self.weights.size) / self.sizes

    @property
    def value(self) -> float:
        """Σ w_k · mean_k."""
        return float(self.weights @ self.means)

    @property
    def stderr(self) -> float | None:
        """√(Σ w_k² s_k² / n_k), s_k the sample standard deviation of a stratum; None of a single value.

        A stratum with one value gets the variance of all values together: too wide rather than too narrow (collapsed
        strata, Cochran, "Sampling Techniques" (1977), §5A.12).
        """
        return float(np.sqrt(self._variances.sum())) if self.values.size > 1 else None

    @property
    def freedom(self) -> float | None:
        """Degrees of freedom of `stderr`: (Σ v_k)² / Σ (v_k² / (n_k - 1)), v_k a stratum's part of the variance.

        Satterthwaite, Biometrics Bulletin 2 (1946) 110-114; Cochran (1977), equation 5.16. None where nothing varies.
        """
        parts = self._variances if self.values.size > 1 else np.zeros(1)
        if not parts.any():
            return None
        own = np.where(self.sizes > 1, self.sizes - 1, self.values.size - 1)
        shares = parts / parts.max()  # keeps the squares from underflow
        return float(shares.sum() ** 2 / (shares**2 / own).sum())

    @property
    def items(self) -> float:
        """As many items of one stratum as the mean is worth: 1 / Σ (w_k² / n_k)."""
        return float(1 / (self.weights**2 / self.sizes).sum())

    @property
    def pooled_variance(self) -> float:
        """The squared standard error with K - 1 of n - 1 parts of that of all items together.

        Of few items in many strata the variance within them says little; see docs/statistics.md.
        """
        n, strata = self.values.size, self.weights.size
        squares = (self.values - self.value) ** 2
        pooled = float((squares * (self.weights / self.sizes)[self.index]).sum()) * n / (n - 1) / self.items
        within = float(self._variances.sum())
        return ((n - strata) * within + (strata - 1) * pooled) / (n - 1)

    def estimate(self, within: Scale, *, n: int, n_valid: int, weight: Weight = mean_weight) -> Estimate:
        """The mean with `stderr` and the interval of `scaled_interval` on a scale."""
        if self.values.size < 2:
            return without_interval(n, n_valid, "too-few", self.value)
        return scaled_interval(
            self.value,
            self.stderr,
            self.items,
            within,
            n=n,
            n_valid=n_valid,
            freedom=self.freedom,
            variance=self.pooled_variance,
            weight=weight,
            largest=float(np.abs(self.values).max()),
        )

    @property
    def _variances(self) -> Floats:
        """Shape (K,), w_k² s_k² / n_k."""
        sizes = self.sizes
        squares = np.bincount(
            self.index, weights=(self.values - self.means[self.index]) ** 2, minlength=self.weights.size
        )
        own = np.where(sizes > 1, squares / np.maximum(sizes - 1, 1), self.values.var(ddof=1))
        return self.weights**2 * own / sizes

    @property
    def contributions(self) -> Floats:
        """Shape (n,), what each item adds to `value`: w_k x_i / n_k."""
        return self.values * (self.weights / self.sizes)[self.index]


def strata_of(values: Floats, labels: Labels | None) -> Strata:
    """Values with the labels of their strata, each stratum with equal weight; None for one stratum."""
    if labels is None:
        return Strata(values, np.zeros(values.size, dtype=np.intp), np.ones(1))
    names, index = np.unique(np.asarray(labels), return_inverse=True)
    return Strata(values, index.astype(np.intp), np.full(names.size, 1 / names.size))


def joined(parts: Sequence[Strata]) -> Strata:
    """The unweighted mean of several such means (the leaderboard's average of four), as one."""
    starts = np.cumsum([0, *(part.weights.size for part in parts)])
    return Strata(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.index + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate([part.weights for part in parts]) / len(parts),
    )


def stratified_bootstrap(
    strata: Strata, *, resamples: int = RESAMPLES, seed: int = SEED, confidence: float = 0.95
) -> Estimate:
    """The weighted mean over strata with bootstrap standard error and BCa interval; `method` as of `bootstrap`.

    A resample draws n_k items of the k-th stratum; their mean's distance from the stratum's is stretched by
    √(n_k / (n_k - 1)) (Rao & Wu, JASA 83 (1988) 231-241, with m = n). A stratum of one item borrows the spread of all,
    as in `Strata.stderr`. Acceleration: Σ l³ / (6 (Σ l²)^1.5) with l_i = w_k (x_i - mean_k) / n_k; Davison & Hinkley,
    "Bootstrap Methods and their Application" (1997), §5.3.2.
    """
    n = strata.values.size
    if n < 2:
        return without_interval(n, n, "none", strata.value if n else None)
    rng = np.random.default_rng(seed)
    centred = strata.values - strata.means[strata.index]
    pooled = strata.values - strata.values.mean()
    drawn = np.full(resamples, strata.value)
    for k, (size, weight) in enumerate(zip(strata.sizes.astype(int), strata.weights, strict=True)):
        own = centred[strata.index == k] if size > 1 else pooled
        stretch = np.sqrt(own.size / (own.size - 1))
        drawn += weight * stretch * _means(own, int(size), resamples, rng)
    influence = centred * (strata.weights / strata.sizes)[strata.index]
    return bca_estimate(strata.value, drawn, -influence, n, confidence)


def _means(values: Floats, draws: int, resamples: int, rng: np.random.Generator) -> Floats:
    """The means of `draws` values drawn with replacement, shape (resamples,)."""
    distinct, counts = np.unique(values, return_counts=True)
    if _FEW * distinct.size <= values.size:
        times = rng.multinomial(draws, counts / values.size, size=resamples)
        return np.einsum("bv,v->b", times, distinct) / draws
    means = np.empty(resamples)
    height = max(1, CELLS // draws)
    for first in range(0, resamples, height):
        rows = min(height, resamples - first)
        picked = rng.integers(0, values.size, size=(rows, draws), dtype=np.int32)
        means[first : first + rows] = values[picked].mean(axis=1)
    return means
