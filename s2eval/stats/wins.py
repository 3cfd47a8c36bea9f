"""Win rates: how often one model's answer is preferred to another's, ties counting half."""

from __future__ import annotations

import math

from s2eval.records import MINIMUM, Estimate
from s2eval.stats.paired_shares import difference_bounds


def win_rate(wins: int, ties: int, n: int) -> Estimate:
    """(W + T/2) / N, as FastChat's "win rate adjusted", with an interval; ½ is no preference.

    It is ½ + (W - L)/2N, and (W - L)/N is the difference of the shares of contests that the one and the other wins: the
    interval is half of Tango's of that difference, moved to ½. Test against ½: `mcnemar_mid_p(wins, losses)`. Contests
    are taken as independent; where the turns of a question are judged, take `clustered_mean` of the points. Standard
    error: the sample standard deviation of the points 1, ½ and 0, over √N.

    >>> win_rate(wins=3, ties=1, n=5).value  # (3 + 1/2) / 5
    0.7

    Raises:
        ValueError: where not 0 ≤ wins, 0 ≤ ties and wins + ties ≤ n.
    """
    losses = n - wins - ties
    if min(wins, ties, losses) < 0:
        raise ValueError(f"{wins} wins and {ties} ties of {n} contests: cannot be")
    if n == 0:
        return Estimate(None, None, None, None, n=0, n_valid=0, method="none")
    value = (wins + ties / 2) / n
    squares = wins * (1 - value) ** 2 + ties * (0.5 - value) ** 2 + losses * value**2
    stderr = math.sqrt(squares / (n - 1) / n) if n > 1 else None
    if n < MINIMUM:
        return Estimate(value, stderr, None, None, n=n, n_valid=n, method="too-few")
    low, high = difference_bounds(wins, losses, n)
    return Estimate(value, stderr, (1 + float(low)) / 2, (1 + float(high)) / 2, n=n, n_valid=n, method="tango")
