"""Simulated: scores in between, over strata, in clusters, of whole texts, of several seeds, in tables of many tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import batched
from benchmarks.findings import Finding, Floats, coverage, rejected, rejections
from benchmarks.scores import DIFFERENCES, SCORES
from s2eval.metrics import flesch
from s2eval.stats import Difference, group_difference, holm, paired_statistic, strata_of

SIZES = (8, 20, 60, 100, 500, 817)  # the demonstration's answers; MT(S)-Bench; a task; TruthfulQA


def means(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Intervals of the mean of one model's scores."""
    for n in SIZES:
        for kind in SCORES:
            data = kind.draw(rng, (experiments, n))
            yield from coverage("means", {"n": n, "scores": kind.name}, batched.mean_bounds(data), kind.mean, kind)


def paired_means(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Differences of two models with the same mean."""
    for n in SIZES:
        for kind in DIFFERENCES:
            data = kind.draw(rng, (experiments, n))
            setting = {"n": n, "differences": kind.name}
            yield from coverage("paired means", setting, batched.mean_bounds(data), kind.mean, kind)
            t = batched.t_p(data.mean(axis=1), data.std(axis=1, ddof=1) / np.sqrt(n), n - 1)
            yield from rejections("paired means", setting, {"sign flips": batched.flip_p(data), "t": t}, kind)


def strata(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """MMLU's mean over 57 subjects, of 2, 5 and 20 questions each, and the average of four tasks of unlike sizes.

    The subjects' true differences vary by 5 points around 0; the models differ on 28% of the questions, or on 4%.
    """
    designs = {f"57 subjects of {size}": np.full(57, size) for size in (2, 5, 20)}
    designs["4 tasks of 8, 8, 12, 20"] = np.array([8, 8, 12, 20])
    designs["4 tasks of 60, 100, 200, 817"] = np.array([60, 100, 200, 817])
    for name, sizes in designs.items():
        labels = np.repeat(np.arange(sizes.size), sizes)
        for discordant in (0.28, 0.04):
            true = rng.normal(0, 0.05 if discordant > 0.1 else 0.01, sizes.size)
            true -= true.mean()
            win = (discordant + true[labels]) / 2
            draw = rng.random((experiments, labels.size))
            data = np.where(draw < win, 1.0, np.where(draw < discordant, -1.0, 0.0))
            yield from _strata({"design": name, "differing": discordant}, data, labels)


def _strata(setting: Mapping[str, Any], data: Floats, labels: NDArray[np.int_]) -> Iterator[Finding]:
    sample = strata_of(data[0], labels)
    scale = (sample.weights / sample.sizes)[sample.index]
    spots = [np.flatnonzero(labels == k) for k in range(sample.weights.size)]
    means = np.stack([data[:, spot].mean(axis=1) for spot in spots], axis=1)
    squares = np.stack([data[:, spot].var(axis=1, ddof=1) for spot in spots], axis=1)
    parts = sample.weights**2 * squares / sample.sizes
    values, stderr = means @ sample.weights, np.sqrt(parts.sum(axis=1))
    freedom = np.divide(
        parts.sum(axis=1) ** 2,
        (parts**2 / (sample.sizes - 1)).sum(axis=1),
        out=np.ones(len(data)),
        where=stderr > 0,
    )
    stretch = np.sqrt(sample.sizes / (sample.sizes - 1))[sample.index]
    rng = np.random.default_rng(0)
    drawn = np.hstack([rng.multinomial(s.size, np.full(s.size, 1 / s.size), size=batched.RESAMPLES) for s in spots])
    resampled = (scale * (1 + stretch * (drawn - 1))).T
    influence = (data - means[:, labels]) * scale
    bounds = batched.bootstrap_bounds(values, lambda block: data[block] @ resampled, -influence)
    yield from coverage("strata", setting, {**bounds, **batched.around(values, stderr, freedom)})
    yield from rejections(
        "strata", setting, {"sign flips": batched.flip_p(data * scale), "t": batched.t_p(values, stderr, freedom)}
    )


def clusters(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Ratings of a question's two turns: half of a difference's variance is the question's; some are missing."""
    for groups in (60, 80):
        for missing in (0.0, 0.1):
            shared = rng.normal(size=(experiments, groups, 1))
            data = np.round(1.5 * (shared + rng.normal(size=(experiments, groups, 2))))
            there = rng.random(data.shape) >= missing
            there[:, :, 0] |= ~there.any(axis=2)
            sums, counts = (data * there).sum(axis=2), there.sum(axis=2).astype(np.float64)
            setting = {"questions": groups, "without a rating": missing}
            yield from _clusters(setting, sums, counts)
            items = np.where(there, data, np.nan).reshape(experiments, -1)
            n = there.sum(axis=(1, 2))
            alone = np.nanstd(items, axis=1, ddof=1) / np.sqrt(n)
            naive = batched.around(np.nanmean(items, axis=1), alone, n - 1)["t"]
            yield from coverage("clusters", setting, {"t, turns as independent": naive})


def _clusters(setting: Mapping[str, Any], sums: Floats, counts: Floats) -> Iterator[Finding]:
    groups, n = sums.shape[1], counts.sum(axis=1)
    values = sums.sum(axis=1) / n
    apart = sums - counts * values[:, None]
    stderr = np.sqrt(groups / (groups - 1) * (apart**2).sum(axis=1)) / n
    weights = batched.weights(groups)
    left_out = (sums.sum(axis=1, keepdims=True) - sums) / (n[:, None] - counts)
    bounds = batched.bootstrap_bounds(
        values, lambda block: (sums[block] @ weights) / (counts[block] @ weights), left_out
    )
    yield from coverage("clusters", setting, {**bounds, **batched.around(values, stderr, groups - 1)})
    tests = {"sign flips by cluster": batched.flip_p(sums), "t": batched.t_p(values, stderr, groups - 1)}
    yield from rejections("clusters", setting, tests)


def whole_texts(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Reading ease of all answers of a model as one text, of two models that write alike."""
    for n in (60, 100):
        found = [
            paired_statistic(lambda sums: flesch(*sums.T)[0], _answers(rng, n), _answers(rng, n), resamples=999)
            for _ in range(experiments)
        ]
        yield from _of_differences("whole texts", {"n": n}, found, "t, jackknife", "swaps")


def _of_differences(
    study: str, setting: Mapping[str, Any], found: Sequence[Difference], interval: str, test: str
) -> Iterator[Finding]:
    bounds = np.array([(one.estimate.ci_low, one.estimate.ci_high) for one in found], dtype=np.float64).T
    yield from coverage(study, setting, {interval: (bounds[0], bounds[1])})
    yield from rejections(study, setting, {test: np.array([one.p for one in found], dtype=np.float64)})


def _answers(rng: np.random.Generator, n: int) -> Floats:
    """Words, sentences, syllables of n answers: log-normal lengths, 15 words a sentence, 1.45 syllables a word."""
    words = np.maximum(1, np.round(rng.lognormal(4.3, 0.8, n)))
    sentences = np.maximum(1, np.round(words / rng.lognormal(2.7, 0.4, n)))
    syllables = np.round(words * rng.normal(1.45, 0.12, n).clip(1.0))
    return np.stack([words, sentences, syllables], axis=1)


def seeds(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Two recipes of equal worth, several seeds each, on 100 questions: how much seeds vary beside the questions."""
    for number in (2, 3, 5):
        for spread in (0.0, 0.05, 0.2):
            found = [group_difference(*_recipes(rng, number, spread)) for _ in range(experiments)]
            setting = {"seeds": number, "spread of seeds": spread}
            yield from _of_differences("seeds", setting, found, "t, crossed", "t, crossed")


def _recipes(rng: np.random.Generator, number: int, spread: float, questions: int = 100) -> tuple[Floats, Floats]:
    """Scores of two groups: what is of the question, of question and recipe, of the seed, and of both together."""
    question = rng.normal(size=(questions, 1))

    def group() -> Floats:
        of_recipe = question + 0.5 * rng.normal(size=(questions, 1))
        return of_recipe + spread * rng.normal(size=(1, number)) + 0.7 * rng.normal(size=(questions, number))

    return group(), group()


def tables(experiments: int, rng: np.random.Generator) -> Iterator[Finding]:
    """Twelve tests of equal models in one table, correlated by 0.5: how often one of them rejects."""
    for correlation in (0.0, 0.5):
        shared = np.sqrt(correlation) * rng.normal(size=(experiments, 1))
        z = shared + np.sqrt(1 - correlation) * rng.normal(size=(experiments, 12))
        p = batched.t_p(z, np.ones_like(z), np.inf)
        adjusted = np.array([holm(row) for row in p.tolist()], dtype=np.float64)
        setting = {"tests": 12, "correlation": correlation}
        for method, values in {"unadjusted": p, "Holm": adjusted}.items():
            yield Finding("tables", setting, "any rejection", method, float(rejected(values).any(axis=1).mean()))
