"""Values of items as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from s2eval.records import Estimate

Floats = NDArray[np.float64]
Values = Sequence[float | None] | NDArray[np.generic]
Labels = Sequence[object] | NDArray[np.generic]

ROUNDING = 1e-12  # relative: values nearer than this are ties, not different values


def column(values: Values) -> Floats:
    """The values as float64, None as NaN; ValueError for infinity and for any shape but (n,)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values must have one dimension, not {array.ndim}")
    infinite = np.flatnonzero(np.isinf(array))
    if infinite.size:
        raise ValueError(f"value {array[infinite[0]]} of item {infinite[0]}: a metric must be finite, or None")
    return array


def without_interval(
    n: int, n_valid: int, method: str = "none", value: float | None = None, stderr: float | None = None
) -> Estimate:
    return Estimate(value, stderr, None, None, n=n, n_valid=n_valid, method=method)
