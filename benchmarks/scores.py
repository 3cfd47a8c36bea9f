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
