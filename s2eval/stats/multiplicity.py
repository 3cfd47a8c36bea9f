"""Many tests in one table: p-values that keep the chance of a single false claim in all of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values: rejecting at α gives a table with any false claim at most α of the time.

    With p₍₁₎ ≤ … ≤ p₍ₘ₎: the i-th becomes max_{j ≤ i} min(1, (m - j + 1) p₍ⱼ₎); Holm, Scandinavian Journal of
    Statistics 6 (1979) 65-70. None (no test) stays None and does not count in m.
    """
    known = np.array([p for p in p_values if p is not None], dtype=np.float64)
    if not ((known >= 0) & (known <= 1)).all():
        raise ValueError("a p-value must be between 0 and 1")
    order = np.argsort(known, kind="stable")
    steps = known[order] * np.arange(known.size, 0, -1)
    adjusted = np.empty_like(known)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    numbers = iter(adjusted.tolist())
    return [None if p is None else next(numbers) for p in p_values]
