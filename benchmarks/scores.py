"""Scores made up for simulation, shaped like those of evaluations, with the mean that is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

_RATINGS = np.array([0.03, 0.05, 0.07, 0.09, 0.12, 0.13, 0.14, 0.17, 0.14, 0.06])  # of 1 to 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A distribution.

    Attributes:
        name: as the tables print it.
        draw: generator, shape → values.
        mean: the true one.
        symmetric: of differences: whether exchanging the two models changes nothing, which is what tests assume.
        ordinary: whether it is roughly normal, of which more is asked.
        shares: right or wrong, shown for comparison: other methods are used for these.
        discrete: whether so few values come that a test cannot reject as often as it may.
    """

    name: str
    draw: Draw
    mean: float
    symmetric: bool = True
    ordinary: bool = False
    discrete: bool = False
    shares: bool = False


def _rouge2(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.where(rng.random(shape) < 0.3, 0.0, rng.beta(1.5, 12, shape))


def _ratings(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.choice(np.arange(1.0, 11.0), p=_RATINGS, size=shape)


def _rare(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.where(rng.random(shape) < 0.97, 0.0, rng.choice([-1.0, 1.0], size=shape))


def _rare_share(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.random(shape) < 0.05).astype(np.float64)


def _words(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Two models whose answers have 100 words on average, of one with more spread: log-normal, 0.8 and 0.5."""
    return 100 * (rng.lognormal(-0.32, 0.8, shape) - rng.lognormal(-0.125, 0.5, shape))


SCORES = (
    Kind("normal", lambda rng, shape: rng.normal(size=shape), 0.0, ordinary=True),
    Kind("ROUGE-1-like: beta(4, 12)", lambda rng, shape: rng.beta(4, 12, shape), 0.25, ordinary=True),
    Kind("mc2-like: beta(0.9, 1.3)", lambda rng, shape: rng.beta(0.9, 1.3, shape), 0.9 / 2.2, ordinary=True),
    Kind("ratings 1 to 10", _ratings, float(_RATINGS @ np.arange(1, 11)), ordinary=True),
    Kind("ROUGE-2-like: 30% zeros, else beta(1.5, 12)", _rouge2, 0.7 * 1.5 / 13.5),
    Kind("words-like: log-normal, σ = 0.8", lambda rng, shape: rng.lognormal(0, 0.8, shape), float(np.exp(0.32))),
    Kind("skewed: exponential", lambda rng, shape: rng.exponential(size=shape), 1.0),
    Kind("heavy tails: t, 3 degrees of freedom", lambda rng, shape: rng.standard_t(3, shape), 0.0),
    Kind("rare: 5% ones, for which Wilson is used", _rare_share, 0.05, shares=True),
)

DIFFERENCES = (
    Kind("normal", lambda rng, shape: rng.normal(size=shape), 0.0, ordinary=True),
    Kind(
        "ROUGE-1-like: of two beta(4, 12)",
        lambda rng, shape: rng.beta(4, 12, shape) - rng.beta(4, 12, shape),
        0.0,
        ordinary=True,
    ),
    Kind("ratings 1 to 10, of two", lambda rng, shape: _ratings(rng, shape) - _ratings(rng, shape), 0.0, ordinary=True),
    Kind("ROUGE-2-like, of two", lambda rng, shape: _rouge2(rng, shape) - _rouge2(rng, shape), 0.0),
    Kind(
        "80% the same answer, else normal",
        lambda rng, shape: np.where(rng.random(shape) < 0.8, 0.0, rng.normal(size=shape)),
        0.0,
    ),
    Kind("heavy tails: t, 3 degrees of freedom", lambda rng, shape: rng.standard_t(3, shape), 0.0),
    Kind("rare: 97% the same, else -1 or 1", _rare, 0.0, discrete=True),
    Kind("words-like, means equal, spreads not", _words, 0.0, symmetric=False),
    Kind("skewed: exponential - 1", lambda rng, shape: rng.exponential(size=shape) - 1, 0.0, symmetric=False),
)


def _mixed(zeros: float, ones: float) -> Draw:
    """F1-like: so many 0, so many 1, the rest in between."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        which = rng.random(shape)
        return np.where(which < zeros, 0.0, np.where(which < zeros + ones, 1.0, rng.random(shape)))

    return draw


def _sparse(zeros: float) -> Draw:
    return lambda rng, shape: np.where(rng.random(shape) < zeros, 0.0, rng.beta(1.5, 12, shape))


def _rare_far(share: float, far: float, near: float, spread: float) -> Draw:
    """All near one value but for a few: empty answers among BERTScores."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return np.where(rng.random(shape) < share, far, np.clip(rng.normal(near, spread, shape), 0.0, 1.0))

    return draw


UNIT = (
    Kind("ROUGE-1-like: beta(4, 12)", lambda rng, shape: rng.beta(4, 12, shape), 0.25),
    Kind("mc2-like: beta(0.9, 1.3)", lambda rng, shape: rng.beta(0.9, 1.3, shape), 0.9 / 2.2),
    Kind("ratings", lambda rng, shape: (_ratings(rng, shape) - 1) / 9, float((_RATINGS @ np.arange(1, 11) - 1) / 9)),
    Kind("uniform", lambda rng, shape: rng.random(shape), 0.5),
    Kind("at both ends: beta(0.5, 0.5)", lambda rng, shape: rng.beta(0.5, 0.5, shape), 0.5),
    Kind("skewed: beta(0.3, 2)", lambda rng, shape: rng.beta(0.3, 2, shape), 0.3 / 2.3),
    Kind("ROUGE-2-like: 30% zeros", _rouge2, 0.7 * 1.5 / 13.5),
    Kind("ROUGE-2-like: 85% zeros", _sparse(0.85), 0.15 * 1.5 / 13.5),
    Kind("F1-like: 50% zeros, 30% ones", _mixed(0.5, 0.3), 0.4),
    Kind("F1-like: 80% zeros, 10% ones", _mixed(0.8, 0.1), 0.15),
    Kind("BERTScore-like: 0.85 ± 0.03", _rare_far(0.0, 0.0, 0.85, 0.03), 0.85),
    Kind("the same, 5% empty answers", _rare_far(0.05, 0.0, 0.85, 0.03), 0.95 * 0.85),
    Kind("ones, 30%", lambda rng, shape: (rng.random(shape) < 0.3).astype(np.float64), 0.3),
    Kind("ones, 5%", _rare_share, 0.05),
)


def _of_two(draw: Draw, same: float = 0.0) -> Draw:
    def differences(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return np.where(rng.random(shape) < same, 0.0, draw(rng, shape) - draw(rng, shape))

    return differences


PAIRED = (
    Kind("ROUGE-1-like, of two", _of_two(lambda rng, shape: rng.beta(4, 12, shape)), 0.0),
    Kind("ROUGE-1-like, 80% the same", _of_two(lambda rng, shape: rng.beta(4, 12, shape), 0.8), 0.0),
    Kind("mc2-like, of two", _of_two(lambda rng, shape: rng.beta(0.9, 1.3, shape)), 0.0),
    Kind("ratings, of two", _of_two(lambda rng, shape: (_ratings(rng, shape) - 1) / 9), 0.0),
    Kind("F1-like, of two", _of_two(_mixed(0.8, 0.1)), 0.0),
    Kind("BERTScore-like, of two", _of_two(_rare_far(0.0, 0.0, 0.85, 0.03)), 0.0),
    Kind("better by beta(1, 5)", lambda rng, shape: rng.beta(1, 5, shape), 1 / 6),
    Kind(
        "20% better, by up to 0.3",
        lambda rng, shape: np.where(rng.random(shape) < 0.2, 0.3 * rng.random(shape), 0.0),
        0.03,
    ),
)

COUNTS = (
    Kind("log-normal, σ = 0.5", lambda rng, shape: rng.lognormal(0, 0.5, shape), float(np.exp(0.125))),
    Kind("log-normal, σ = 0.8", lambda rng, shape: rng.lognormal(0, 0.8, shape), float(np.exp(0.32))),
    Kind("exponential", lambda rng, shape: rng.exponential(size=shape), 1.0),
    Kind("Poisson(50)", lambda rng, shape: rng.poisson(50, shape).astype(np.float64), 50.0),
    Kind("Poisson(2)", lambda rng, shape: rng.poisson(2, shape).astype(np.float64), 2.0),
    Kind(
        "log-normal, 30% empty answers",
        lambda rng, shape: np.where(rng.random(shape) < 0.3, 0.0, rng.lognormal(0, 0.5, shape)),
        float(0.7 * np.exp(0.125)),
    ),
)
