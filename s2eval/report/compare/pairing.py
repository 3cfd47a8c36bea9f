"""Models on the same documents: joined one by one, or refused, with what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from s2eval.report.read.items import Columns, Scored

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
Labels = NDArray[np.str_] | NDArray[np.bool_]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Joined:
    """Some models on all documents (`keys`) that any of them has, those of the first model first.

    `positions`: model by model, where each document is among its items; -1 = it lacks it.
    """

    models: tuple[Scored, ...]
    keys: tuple[str, ...]
    positions: tuple[Positions, ...]

    @cached_property
    def strata(self) -> NDArray[np.intp] | None:
        """Shape (n,), of each document; None where there is one stratum only."""
        labels = self._of_any("strata")
        return np.unique(labels, return_inverse=True)[1] if (labels != "").any() else None

    @property
    def clusters(self) -> list[str] | None:
        """Of each document; None where each stands alone."""
        if not any(model.columns.clustered for model in self.models):
            return None
        labels: list[str] = self._of_any("clusters").tolist()
        return labels if len(set(labels)) < len(labels) else None

    def values(self, metric: str) -> Floats:
        """Shape (n, models); NaN where a model lacks the document, or the document the metric or a finite value."""
        values = np.full((len(self.keys), len(self.models)), np.nan)
        for number, (model, positions) in enumerate(zip(self.models, self.positions, strict=True)):
            column = model.columns.values.get(metric)
            if column is not None:
                present = positions >= 0
                values[present, number] = column[positions[present]]
        return values

    def lacking(self, metric: str) -> list[str]:
        """A remark on documents that all models have, of which one has no value of the metric."""
        missing = np.isnan(self.values(metric)).any(axis=1) & self._everywhere
        names = self._names[missing].tolist()
        return [f"{_listed(names)} of {len(self.keys)} documents have no {metric} of one, left out"] if names else []

    def counts(self) -> Floats | None:
        """Shape (n, models, 3), of the documents that all models answered; None where there is none."""
        present = self._everywhere
        pairs = zip(self.models, self.positions, strict=True)
        counts = np.stack([model.columns.counts[positions[present]] for model, positions in pairs], axis=1)
        complete = counts[~np.isnan(counts).any(axis=(1, 2))]
        return complete if complete.size else None

    def remarks(self) -> list[str]:
        """Documents that not all models have, and duplicates, by name."""
        remarks: list[str] = []
        for model, positions in zip(self.models, self.positions, strict=True):
            missing = self._names[positions < 0].tolist()
            if missing:
                remarks.append(f"{model.model} lacks {_listed(missing)} of {len(self.keys)} documents, left out")
        if any(model.columns.repeated.any() for model in self.models):
            twice = self._names[self._of_any("repeated").astype(np.bool_)].tolist()
            remarks.append(f"{_listed(twice)} are there twice and joined in their order")
        return remarks

    @cached_property
    def _everywhere(self) -> NDArray[np.bool_]:
        return np.stack(self.positions).min(axis=0) >= 0

    @cached_property
    def _names(self) -> Labels:
        return self._of_any("names")

    def _of_any(self, column: Literal["names", "strata", "clusters", "repeated"]) -> Labels:
        """Shape (n,), each document's entry in the first model that has it."""
        entries: list[Labels] = [
            getattr(model.columns, column)[positions]
            for model, positions in zip(self.models, self.positions, strict=True)
        ]
        first = entries[-1]
        for own, positions in zip(reversed(entries[:-1]), reversed(self.positions[:-1]), strict=True):
            first = np.where(positions >= 0, own, first)
        return first


def join(models: Sequence[Scored]) -> Joined:
    """Join models that `objections` has nothing against."""
    first = models[0].columns.keys
    if all(model.columns.keys == first for model in models):
        return Joined(tuple(models), first, (np.arange(len(first)),) * len(models))
    keys = tuple(dict.fromkeys(key for model in models for key in model.columns.keys))
    return Joined(tuple(models), keys, tuple(_positions(model.columns, keys) for model in models))


def objections(models: Sequence[Scored]) -> list[str]:
    """Why these models cannot be compared on a task: what differs, in words; nothing where they can."""
    first = models[0]
    reasons: list[str] = []
    for other in models[1:]:
        for name in dict.fromkeys([*first.conditions, *other.conditions]):
            values = [model.conditions.get(name, "") for model in (first, other)]
            if values[0] != values[1]:
                shown = (f"{value or 'none'} ({m.model})" for value, m in zip(values, (first, other), strict=True))
                reasons.append(f"{name}: {' and '.join(shown)}")
        without_items = [model for model in (first, other) if not model.items]
        if without_items:
            reasons += [f"no samples of {m.model} in {m.source} (lm_eval: --log_samples)" for m in without_items]
            continue
        positions = _positions(other.columns, first.columns.keys)
        both = positions >= 0
        if not both.any():
            sizes = f"{len(first.items)} of {first.model}, {len(other.items)} of {other.model}"
            reasons.append(f"no document in common ({sizes})")
        differ = first.columns.prompts[both] != other.columns.prompts[positions[both]]
        changed = first.columns.names[both][differ].tolist()
        if changed:
            reasons.append(f"prompts of {_listed(changed)} of {both.sum()} documents ({first.model} and {other.model})")
    return list(dict.fromkeys(reasons))


def _positions(columns: Columns, keys: tuple[str, ...]) -> Positions:
    """Where each key is among the items; -1 = nowhere."""
    if columns.keys == keys:
        return np.arange(len(keys))
    index = {key: position for position, key in enumerate(columns.keys)}
    return np.array([index.get(key, -1) for key in keys], dtype=np.intp)


def _listed(names: Sequence[str]) -> str:
    """`3 (12, 40, 41)`, with dots where there are more than a few."""
    return f"{len(names)} ({', '.join([*names[:_SHOWN], *(['…'] if len(names) > _SHOWN else [])])})"
