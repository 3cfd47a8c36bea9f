"""Simulated: two models that are right or wrong on the same questions, and one alone.

The outcomes can be listed, so the exact share stands beside the simulated one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from benchmarks.batched import Bounds
from benchmarks.findings import Finding, Floats, covered, rejected
from s2eval.stats import (
    detectable_share,
    mcnemar_exact,
    mcnemar_mid_p,
    newcombe_interval,
    proportion,
    tango_interval,
)
from s2eval.stats.bounded import Z

SIZES = (60, 100, 817)  # MT(S)-Bench's questions, the question-answering tasks', TruthfulQA's
SHARES = tuple(round(0.03 + 0.01 * step, 2) for step in range(95))  # 0.03 to 0.97
TESTS = {"McNemar, exact": mcnemar_exact, "McNemar, mid-p": mcnemar_mid_p}


def shares(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """The interval of one share, of the demonstration's few answers too; beside it Wilson's own and the normal one."""
    from scipy.stats import binom

    for n in (4, 5, 6, 8, 12, 20, *SIZES):
        estimates = [proportion(k, n) for k in range(n + 1)]
        bounds = np.array([(one.ci_low, one.ci_high) for one in estimates], dtype=np.float64).T
        wilson = np.array([_wilson(k / n, n) for k in range(n + 1)]).T
        p_hat = np.arange(n + 1) / n
        half = Z * np.sqrt(p_hat * (1 - p_hat) / n)
        for p in SHARES:
            drawn, exact = rng.binomial(n, p, experiments), binom.pmf(np.arange(n + 1), n, p)
            methods = {"corrected": bounds, "Wilson": wilson, "normal": (p_hat - half, p_hat + half)}
            for method, (low, high) in methods.items():
                holds = covered((low, high), p)
                setting = {"n": n, "p": p}
                yield Finding("shares", setting, "coverage", method, float(holds[drawn].mean()))
                yield Finding("shares", setting, "coverage", method, float(holds @ exact), exact=True)
                yield Finding("shares", setting, "width", method, float((high - low) @ exact), exact=True)


def _wilson(p: float, n: int) -> tuple[float, float]:
    centre, half = p + Z**2 / (2 * n), Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return max(0.0, (centre - half) / (1 + Z**2 / n)), min(1.0, (centre + half) / (1 + Z**2 / n))


def paired_shares(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Two models right or wrong on the same questions: intervals of the difference, tests where there is none.

    Both right with a correlation φ of 0.2, 0.5 and 0.8, as far as the shares allow; differences of 0, 2 and 10 points.
    """
    for n in SIZES:
        for gap in (0.0, 0.02, 0.1):
            for p in SHARES:
                for phi in (0.2, 0.5, 0.8):
                    cells = _cells(p, p - gap, phi)
                    if cells is None:
                        continue
                    setting = {"n": n, "p": p, "gap": gap, "phi": phi}
                    yield from _intervals(setting, rng.multinomial(n, cells, size=experiments), cells)
                    if gap == 0.0:
                        yield from _tests(setting, rng.binomial(n, 2 * cells[1], experiments), cells, rng)


def _cells(first: float, second: float, phi: float) -> list[float] | None:
    """Probabilities of both, only the first, only the second, none right; None where no such table exists."""
    if second < min(SHARES):
        return None
    both = first * second + phi * np.sqrt(first * (1 - first) * second * (1 - second))
    cells = [both, first - both, second - both, 1 - first - second + both]
    return cells if min(cells) >= 0 else None


def _intervals(setting: Mapping[str, Any], counts: Any, cells: list[float]) -> Iterator[Finding]:
    n, gap = setting["n"], setting["gap"]
    a, b, c, d = counts.T
    value, stderr = (b - c) / n, np.sqrt(((b + c) / n - ((b - c) / n) ** 2) / n)
    holds = covered(_tango(n), gap)
    shares = {
        "Tango": holds[b, c].mean(),
        "Newcombe": covered(newcombe_interval(a, b, c, d), gap).mean(),
        "normal": covered((value - Z * stderr, value + Z * stderr), gap).mean(),
    }
    for method, share in shares.items():
        yield Finding("paired shares", setting, "coverage", method, float(share))
    yield Finding("paired shares", setting, "coverage", "Tango", _expected(holds, cells[1], cells[2]), exact=True)


@cache
def _tango(n: int) -> Bounds:
    """Both bounds for every (wins, losses), shape (n + 1, n + 1); NaN where these are more than n."""
    wins, losses = np.indices((n + 1, n + 1))
    possible = wins + losses <= n
    found = np.full((2, n + 1, n + 1), np.nan)
    found[:, possible] = tango_interval(wins[possible], losses[possible], n)
    return found[0], found[1]


def _expected(holds: Floats, win: float, loss: float) -> float:
    """The mean of a table over (wins, losses) of n questions, of which a share is won and a share lost."""
    from scipy.stats import binom

    n = len(holds) - 1
    wins = np.arange(n + 1)
    of_wins = binom.pmf(wins, n, win)
    rows = np.flatnonzero(of_wins > 1e-13)
    remaining = loss / (1 - win)
    each = [float(binom.pmf(np.arange(n - row + 1), n - row, remaining) @ holds[row, : n - row + 1]) for row in rows]
    return float(of_wins[rows] @ np.array(each))


def _tests(
    setting: Mapping[str, Any], differing: Any, cells: list[float], rng: np.random.Generator
) -> Iterator[Finding]:
    from scipy.stats import binom

    n = setting["n"]
    wins = rng.binomial(differing, 0.5)
    of_size = binom.pmf(np.arange(n + 1), n, 2 * cells[1])
    for method, test in TESTS.items():
        share = float(rejected(test(wins, differing - wins)).mean())
        yield Finding("paired shares", setting, "rejections", method, share)
        exact = float(of_size @ _rejections_of(method, n))
        yield Finding("paired shares", setting, "rejections", method, exact, exact=True)


@cache
def _rejections_of(method: str, n: int) -> Floats:
    """Shape (n + 1,), how often equal models are told apart that differ on so many questions."""
    from scipy.stats import binom

    test = TESTS[method]
    wins = [np.arange(differing + 1) for differing in range(n + 1)]
    return np.array([float(binom.pmf(w, w.size - 1, 0.5) @ rejected(test(w, w.size - 1 - w))) for w in wins])


def win_rates(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """(W + T/2) / N of independent contests, 10, 30 and 60% of them ties."""
    for n in (60, 100):
        for ties in (0.1, 0.3, 0.6):
            for lead in (0.0, 0.2, 0.35):
                win, loss = (1 - ties + lead) / 2, (1 - ties - lead) / 2
                drawn = rng.multinomial(n, [win, loss, ties], size=experiments)
                setting = {"n": n, "ties": ties, "true rate": 0.5 + lead / 2}
                holds = covered(_tango(n), lead)
                yield Finding(
                    "win rates", setting, "coverage", "Tango / 2", float(holds[drawn[:, 0], drawn[:, 1]].mean())
                )
                if lead == 0:
                    share = float(rejected(mcnemar_mid_p(drawn[:, 0], drawn[:, 1])).mean())
                    yield Finding("win rates", setting, "rejections", "McNemar, mid-p", share)


def power(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """How often a true difference is found that is as large as what is called detectable."""
    for n in SIZES:
        for discordant in (0.02, 0.1, 0.28):
            true = detectable_share(discordant, n)
            differing = max(discordant, true)
            drawn = rng.multinomial(n, [(differing + true) / 2, (differing - true) / 2, 1 - differing], experiments)
            setting = {"n": n, "differing": discordant, "true difference": round(true, 3)}
            share = float(rejected(mcnemar_mid_p(drawn[:, 0], drawn[:, 1])).mean())
            yield Finding("power", setting, "found", "McNemar, mid-p", share)
