"""The distributions that tests need, by scipy, which is imported when one is evaluated. All broadcast."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike

from s2eval.stats.arrays import Floats


def fair_binomial_cdf(k: ArrayLike, n: ArrayLike) -> Floats:
    """P(X ≤ k) of n trials with ½ each; 0 where k < 0."""
    successes = np.asarray(k, dtype=np.int_)
    inside = _special().bdtr(np.maximum(successes, 0), np.asarray(n, dtype=np.int_), 0.5)
    return np.where(successes < 0, 0.0, inside)


def student_cdf(x: ArrayLike, freedom: ArrayLike) -> Floats:
    """P(T ≤ x) of Student's t."""
    return np.asarray(_special().stdtr(freedom, x), dtype=np.float64)


def student_quantile(level: float, freedom: ArrayLike) -> Floats:
    """The x with P(T ≤ x) = level."""
    return np.asarray(_special().stdtrit(freedom, level), dtype=np.float64)


def beta_cdf(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """P(B ≤ x) of a beta variable; 1 where a is 0, 0 where b is.

    Of k successes among n, `beta_cdf(q, k, n - k + 1)` is P(X ≥ k) of share q.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    inside = _special().betainc(np.maximum(first, 1e-300), np.maximum(second, 1e-300), x)
    return np.where(first <= 0, 1.0, np.where(second <= 0, 0.0, inside))


def _special() -> ModuleType:
    from scipy import special  # pyright: ignore[reportMissingTypeStubs]

    return special
