"""Which differences a comparison detects, and how many questions it takes: paired, two-sided, normal approximation.

Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 5, for means; Miettinen, Biometrics 24 (1968) 339-352,
and Connor, Biometrics 43 (1987) 207-211, for shares, whose variance depends on the difference.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from s2eval.stats.distributions import student_quantile

ALPHA, POWER = 0.05, 0.8


def detectable(stderr: float, alpha: float = ALPHA, power: float = POWER, freedom: float | None = None) -> float:
    """The smallest true difference that is found with this power: (z_{1-α/2} + z_power) times its standard error.

    With `freedom`, degrees of freedom of the standard error, Student's t replaces z.
    """
    if not 0 <= stderr < math.inf:
        raise ValueError(f"{stderr} is no standard error")
    level, wanted = _quantiles(alpha, power)
    if freedom is not None:
        level, wanted = (float(student_quantile(tail, freedom)) for tail in (1 - alpha / 2, power))
    return (level + wanted) * stderr


def detectable_share(discordant: float, n: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """The same for shares, from the share of questions on which the models differ.

    The δ that solves δ√n = z_{1-α/2} √π + z_power √(π - δ²), with π the discordant share, itself at least δ:
    f max(√π, f), f = (z_{1-α/2} √n + z_power √(n + z_power² - z_{1-α/2}²)) / (n + z_power²). At most 1: these questions
    would show no difference at all.
    """
    if not 0 <= discordant <= 1 or n < 1:
        raise ValueError(f"{discordant} of {n} questions: must be a share of at least one")
    level, wanted = _quantiles(alpha, power)
    root = n + wanted**2 - level**2
    if root < 0:
        return 1.0
    factor = (level * math.sqrt(n) + wanted * math.sqrt(root)) / (n + wanted**2)
    return min(1.0, factor * max(math.sqrt(discordant), factor))


def questions_needed(difference: float, deviation: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """How many questions find a true difference δ: ((z_{1-α/2} + z_power) s / δ)², rounded up.

    Args:
        deviation: s, the standard deviation over questions of the difference of the two models' scores.
    """
    if difference == 0 or not math.isfinite(difference) or not 0 <= deviation < math.inf:
        raise ValueError(f"no number of questions finds a difference of {difference} with deviation {deviation}")
    return max(1, math.ceil((sum(_quantiles(alpha, power)) * deviation / difference) ** 2))


def questions_needed_share(difference: float, discordant: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """The same for shares: ((z_{1-α/2} √π + z_power √(π - δ²)) / δ)², rounded up.

    Args:
        discordant: π, the share of questions on which the models differ.
    """
    if not 0 < abs(difference) <= discordant <= 1:
        raise ValueError(f"a difference of {difference} with {discordant} of the questions discordant cannot be")
    level, wanted = _quantiles(alpha, power)
    reach = level * math.sqrt(discordant) + wanted * math.sqrt(discordant - difference**2)
    return max(1, math.ceil((reach / difference) ** 2))


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    if not 0 < alpha < 1 or not 0 < power < 1:
        raise ValueError(f"alpha={alpha}, power={power}: both must be between 0 and 1")
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)
