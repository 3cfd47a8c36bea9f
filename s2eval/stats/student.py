"""A value with a standard error of so many degrees of freedom: Student's interval and test."""

from __future__ import annotations

from s2eval.records import Estimate
from s2eval.stats.bootstrap import ROUNDING
from s2eval.stats.distributions import student_cdf, student_quantile


def student_interval(
    value: float, stderr: float | None, freedom: float | None, *, n: int, n_valid: int, largest: float = 0.0
) -> Estimate:
    """value ± t(0.975) standard errors; "Student", Biometrika 6 (1908) 1-25.

    Args:
        stderr: None = cannot be told: no interval, method `none`.
        freedom: degrees of freedom; None = nothing varied.
        n, n_valid: see `Estimate`.
        largest: absolute value of the largest item, beside which a standard error may be mere rounding: then no spread
            was seen, method `constant`.
    """
    if stderr is None or n_valid < 2 or (freedom is not None and freedom <= 0):
        return Estimate(value, None, None, None, n=n, n_valid=n_valid, method="none")
    if freedom is None or stderr <= ROUNDING * max(abs(value), largest):
        return Estimate(value, 0.0, value, value, n=n, n_valid=n_valid, method="constant")
    reach = float(student_quantile(0.975, freedom)) * stderr
    return Estimate(value, stderr, value - reach, value + reach, n=n, n_valid=n_valid, method="student")


def student_p(value: float, stderr: float, freedom: float) -> float:
    """Two-sided p of a true value of 0; of a standard error of 0 it is 1 where the value is 0, else 0."""
    if stderr == 0:
        return 1.0 if value == 0 else 0.0
    return min(1.0, 2 * float(student_cdf(-abs(value) / stderr, freedom)))
