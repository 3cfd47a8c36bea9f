"""Simulated: the intervals of few items, 4 to 100, which must stay within a score's range and yet hold the truth.

The methods are the library's own, which take thousands of experiments at once; beside each what it replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import batched
from benchmarks.batched import Bounds
from benchmarks.findings import Finding, Floats, covered
from benchmarks.scores import COUNTS, PAIRED, UNIT
from s2eval.metrics import flesch
from s2eval.records import Estimate, Scale
from s2eval.stats import average, cohen_kappa, jackknife, mean_bounds, scaled_interval, share_bounds, strata_of
from s2eval.stats.bounded import Z, difference_weight

METHOD = "now"
SIZES = (4, 5, 8, 12, 20, 40, 60, 100)
TEXT_ANSWERS = 1_000_000  # of which the true reading ease is taken
MOST = 4000  # experiments; of what is computed one by one, 1,000


def bounded_means(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Means of scores from 0 to 1, of which many kinds are far from normal; beside them Student's interval."""
    for n in SIZES:
        for kind in UNIT:
            data = kind.draw(rng, (min(experiments, MOST), n))
            mean, variance = data.mean(axis=1), data.var(axis=1, ddof=1) / n
            bounds = {METHOD: mean_bounds(mean, variance, n), "t": _t(mean, variance, n)}
            yield from _found("bounded means", {"n": n, "scores": kind.name}, bounds, kind.mean)


def bounded_differences(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Differences of two models' scores; of some kinds only a few documents differ."""
    for n in SIZES:
        for kind in PAIRED:
            data = kind.draw(rng, (min(experiments, MOST), n))
            mean, variance = data.mean(axis=1), data.var(axis=1, ddof=1) / n
            low, high = mean_bounds((mean + 1) / 2, variance / 4, n, difference_weight(n))
            bounds = {METHOD: (2 * low - 1, 2 * high - 1), "t": _t(mean, variance, n)}
            yield from _found("bounded differences", {"n": n, "differences": kind.name}, bounds, kind.mean, unit=2.0)


def counts(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Words of an answer and the like: at least 0, without an upper bound."""
    scale = Scale(0.0, None, graded=True)
    for n in SIZES:
        for kind in COUNTS:
            data = kind.draw(rng, (min(experiments, 1000), n))
            mean, stderr = data.mean(axis=1), data.std(axis=1, ddof=1) / np.sqrt(n)
            pairs = zip(mean.tolist(), stderr.tolist(), strict=True)
            found = _bounds([scaled_interval(value, error, n, scale, n=n, n_valid=n) for value, error in pairs])
            bounds = {METHOD: found, "t": _t(mean, stderr**2, n)}
            yield from _found("counts", {"n": n, "counts": kind.name}, bounds, kind.mean, unit=kind.mean, middle=True)


def strata(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """MMLU of few questions: subjects of equal or unlike difficulty, of one question each up to a hundred."""
    designs = ((1, 4), (1, 8), (1, 57), (2, 3), (2, 12), (2, 57), (4, 3), (5, 12), (5, 57), (100, 57))
    for size, subjects in designs:
        for truth, spread in ((0.1, 0.0), (0.3, 0.0), (0.55, 0.3), (0.8, 0.0)):
            shares = truth + spread * np.linspace(-1, 1, subjects)
            labels = np.repeat(np.arange(subjects), size)
            right = rng.random((min(experiments, 1000), labels.size)) < shares[labels]
            parts = [strata_of(row.astype(np.float64), labels) for row in right]
            found = _bounds([one.estimate(Scale(0.0, 1.0), n=labels.size, n_valid=labels.size) for one in parts])
            value = np.array([one.value for one in parts])
            reach = Z * np.array([one.stderr or 0.0 for one in parts])
            bounds = {METHOD: found, "normal": (value - reach, value + reach)}
            setting = {"subjects": subjects, "questions each": size, "right": truth, "spread": spread}
            yield from _found("means over strata", setting, bounds, truth)


def judged(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Two turns of a question, alike in half of the cases; some have no verdict."""
    kinds: dict[str, tuple[Floats, Floats]] = {
        "ratings 1 to 10": (np.arange(10) / 9, np.array([3, 5, 7, 9, 12, 13, 14, 17, 14, 6]) / 100),
        "ratings, mostly 1": (np.arange(10) / 9, np.array([70, 15, 10, 0, 0, 0, 0, 0, 5, 0]) / 100),
        "wins, 30% ties, even": (np.array([0, 0.5, 1]), np.array([0.35, 0.3, 0.35])),
        "wins, 60% ties": (np.array([0, 0.5, 1]), np.array([0.1, 0.6, 0.3])),
        "wins, 95% won": (np.array([0, 0.5, 1]), np.array([0.05, 0.0, 0.95])),
    }
    for questions in (4, 8, 20, 60, 80):
        for name, (values, shares) in kinds.items():
            first = rng.choice(values, p=shares, size=(min(experiments, MOST), questions, 1))
            second = rng.choice(values, p=shares, size=(*first.shape[:2], 2))
            data = np.where(rng.random(second.shape) < 0.5, first, second)
            rated = rng.random(data.shape) >= 0.1
            rated[:, :, 0] |= ~rated.any(axis=2)
            sums, sizes = (data * rated).sum(axis=2), rated.sum(axis=2).astype(np.float64)
            n = sizes.sum(axis=1)
            mean = sums.sum(axis=1) / n
            squares = ((sums - sizes * mean[:, None]) ** 2).sum(axis=1)
            variance = questions / (questions - 1) * squares / n**2
            bounds = {METHOD: mean_bounds(mean, variance, questions), "t": _t(mean, variance, questions)}
            yield from _found("judged", {"questions": questions, "verdicts": name}, bounds, float(values @ shares))


def averages(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """The leaderboard's average of four from the intervals of its parts."""
    for n in SIZES:
        for shares in ((0.25, 0.3, 0.25), (0.5, 0.7, 0.6), (0.05, 0.1, 0.9), (0.8, 0.9, 0.95)):
            size = min(experiments, 1000)
            mc2 = rng.beta(0.9, 1.3, (size, n))
            values = [*(rng.binomial(n, p, size) / n for p in shares), mc2.mean(axis=1)]
            errors = [*(np.sqrt(v * (1 - v) / (n - 1)) for v in values[:3]), mc2.std(axis=1, ddof=1) / np.sqrt(n)]
            bounds = [*(share_bounds(v, n) for v in values[:3]), mean_bounds(values[3], errors[3] ** 2, n)]
            rows = [
                average(
                    Estimate(float(v[at]), float(e[at]), float(low[at]), float(high[at]), n, n)
                    for v, e, (low, high) in zip(values, errors, bounds, strict=True)
                )
                for at in range(size)
            ]
            value, stderr = np.mean(values, axis=0), np.sqrt(np.square(errors).sum(axis=0)) / 4
            both = {METHOD: _bounds(rows), "normal": (value - Z * stderr, value + Z * stderr)}
            truth = (sum(shares) + 0.9 / 2.2) / 4
            yield from _found("averages", {"n": n, "shares": ", ".join(map(str, shares))}, both, truth)


def whole_texts(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Reading ease of all answers of one model as one text."""
    words, sentences, syllables = _answers(rng, TEXT_ANSWERS)
    truth = float(flesch(words.sum()[None], sentences.sum()[None], syllables.sum()[None])[0][0])
    for n in (4, 8, 20, 60):
        rows = [jackknife(_ease(np.stack(_answers(rng, n), axis=1)), n) for _ in range(min(experiments, 1000))]
        yield from _found("whole texts, one model", {"n": n}, {METHOD: _bounds(rows)}, truth, unit=100)


def kappa(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Two raters who agree by chance but for a share of the items."""
    for n in (4, 8, 20, 60, 100):
        for shares in ((0.5, 0.5), (0.8, 0.2), (0.45, 0.45, 0.1)):
            for truth in (0.0, 0.6, 0.9):
                own = np.array(shares)
                cells = truth * np.diag(own) + (1 - truth) * np.outer(own, own)
                drawn = rng.multinomial(n, cells.ravel(), size=min(experiments, 1000))
                rows = [cohen_kappa(table.reshape(own.size, own.size)) for table in drawn]
                known = [one for one in rows if one.value is not None]
                value = np.array([one.value for one in known])
                reach = Z * np.array([one.stderr for one in known])
                bounds = {METHOD: _bounds(known), "normal": (value - reach, value + reach)}
                yield from _found("kappa", {"n": n, "categories": str(shares), "kappa": truth}, bounds, truth)


STUDIES: dict[str, Callable[[int, np.random.Generator], Iterator[Finding]]] = {
    "bounded means": bounded_means,
    "bounded differences": bounded_differences,
    "counts": counts,
    "means over strata": strata,
    "judged": judged,
    "averages": averages,
    "whole texts, one model": whole_texts,
    "kappa": kappa,
}


def _found(
    study: str,
    setting: Mapping[str, Any],
    bounds: Mapping[str, Bounds],
    truth: float,
    *,
    unit: float = 1.0,
    middle: bool = False,
) -> Iterator[Finding]:
    """Coverage and width of each method; the width over `unit`, its median where some are very long."""
    for method, (low, high) in bounds.items():
        width = float((np.nanmedian if middle else np.nanmean)(high - low)) / unit
        yield Finding(study, setting, "coverage", method, float(covered((low, high), truth).mean()))
        yield Finding(study, setting, "width", method, width)


def _bounds(rows: list[Estimate]) -> Bounds:
    """Of estimates; one without an interval, of counts that are all 0, holds nothing."""
    table = np.array([(one.ci_low, one.ci_high) for one in rows], dtype=np.float64)
    return table[:, 0], table[:, 1]


def _t(mean: Floats, variance: Floats, n: int) -> Bounds:
    return batched.around(mean, np.sqrt(variance), n - 1)["t"]


def _answers(rng: np.random.Generator, n: int) -> tuple[Floats, Floats, Floats]:
    """Words, sentences, syllables: log-normal lengths, 15 words a sentence, 1.45 syllables a word."""
    words = np.maximum(1, np.round(rng.lognormal(4.3, 0.8, n)))
    sentences = np.maximum(1, np.round(words / rng.lognormal(2.7, 0.4, n)))
    return words, sentences, np.round(words * rng.normal(1.45, 0.12, n).clip(1.0))


def _ease(table: Floats) -> Callable[[Floats], Floats]:
    return lambda weights: flesch(*(weights @ table).T)[0]
