"""Models on the same documents: joined one by one, or refused, saying what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from s2eval.report.read.items import Columns, Scored

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Joined:
    """Some models on all documents that any of them has, those of the first model first.

    Attributes:
        models: what was joined.
        keys: documents.
        places: model by model, where each document is among its items; -1 = it lacks it.
    """

    models: tuple[Scored, ...]
    keys: tuple[str, ...]
    places: tuple[Places, ...]

    @property
    def strata(self) -> NDArray[Any] | None:
        """Shape (n,), of each document; None where there is one stratum only."""
        return self._strata

    @cached_property
    def _strata(self) -> NDArray[Any] | None:
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
        found = np.full((len(self.keys), len(self.models)), np.nan)
        for number, (model, places) in enumerate(zip(self.models, self.places, strict=True)):
            column = model.columns.values.get(metric)
            if column is not None:
                there = places >= 0
                found[there, number] = column[places[there]]
        return found

    def lacking(self, metric: str) -> str:
        """Documents that all models have, of which one has no value of the metric, as a remark; "" = none."""
        missing = np.isnan(self.values(metric)).any(axis=1) & self._everywhere
        names = self._names[missing].tolist()
        return f"{_named(names)} of {len(self.keys)} documents have no {metric} of one, left out" if names else ""

    def counts(self) -> Floats | None:
        """Shape (n, models, 3), of the documents that all models answered; None where there is none."""
        there = self._everywhere
        each = [model.columns.counts[places[there]] for model, places in zip(self.models, self.places, strict=True)]
        found = np.stack(each, axis=1)
        whole = found[~np.isnan(found).any(axis=(1, 2))]
        return whole if whole.size else None

    def remarks(self) -> list[str]:
        """Documents that not all models have, and those that are there twice, by name."""
        said: list[str] = []
        for model, places in zip(self.models, self.places, strict=True):
            missing = self._names[places < 0].tolist()
            if missing:
                said.append(f"{model.model} lacks {_named(missing)} of {len(self.keys)} documents, left out")
        if any(model.columns.repeated.any() for model in self.models):
            twice = self._names[self._of_any("repeated")].tolist()
            said.append(f"{_named(twice)} are there twice and joined in their order")
        return said

    @cached_property
    def _everywhere(self) -> NDArray[np.bool_]:
        return np.stack(self.places).min(axis=0) >= 0

    @cached_property
    def _names(self) -> NDArray[Any]:
        return self._of_any("names")

    def _of_any(self, column: Literal["names", "strata", "clusters", "repeated"]) -> NDArray[Any]:
        """Shape (n,), each document's entry as the first model that has it tells it."""
        each: list[NDArray[Any]] = [
            getattr(model.columns, column)[places] for model, places in zip(self.models, self.places, strict=True)
        ]
        found = each[-1]
        for own, places in zip(reversed(each[:-1]), reversed(self.places[:-1]), strict=True):
            found = np.where(places >= 0, own, found)
        return found


def join(models: Sequence[Scored]) -> Joined:
    """Join models that `objections` has nothing against."""
    first = models[0].columns.keys
    if all(model.columns.keys == first for model in models):
        return Joined(tuple(models), first, (np.arange(len(first)),) * len(models))
    keys = tuple(dict.fromkeys(key for model in models for key in model.columns.keys))
    return Joined(tuple(models), keys, tuple(_places(model.columns, keys) for model in models))


def objections(models: Sequence[Scored]) -> list[str]:
    """Why these models cannot be compared on a task: what differs, in words; nothing where they can."""
    first = models[0]
    found: list[str] = []
    for other in models[1:]:
        names = dict.fromkeys([*first.conditions, *other.conditions])
        found += [
            f"{name}: {_told(first, name)} and {_told(other, name)}"
            for name in names
            if first.conditions.get(name, "") != other.conditions.get(name, "")
        ]
        bare = [one for one in (first, other) if not one.items]
        if bare:
            found += [f"no samples of {one.model} in {one.source} (lm_eval: --log_samples)" for one in bare]
            continue
        places = _places(other.columns, first.columns.keys)
        both = places >= 0
        if not both.any():
            sizes = f"{len(first.items)} of {first.model}, {len(other.items)} of {other.model}"
            found.append(f"no document in common ({sizes})")
        asked, asked_too = first.columns.prompts[both], other.columns.prompts[places[both]]
        changed = first.columns.names[both][asked != asked_too].tolist()
        if changed:
            found.append(f"prompts of {_named(changed)} of {both.sum()} documents ({first.model} and {other.model})")
    return list(dict.fromkeys(found))


def _places(columns: Columns, keys: tuple[str, ...]) -> Places:
    """Where each key is among the items; -1 = nowhere."""
    if columns.keys == keys:
        return np.arange(len(keys))
    index = {key: place for place, key in enumerate(columns.keys)}
    return np.array([index.get(key, -1) for key in keys], dtype=np.intp)


def _told(model: Scored, name: str) -> str:
    return f"{model.conditions.get(name) or 'none'} ({model.model})"


def _named(names: Sequence[str]) -> str:
    """`3 (12, 40, 41)`, with dots where there are more than a few."""
    return f"{len(names)} ({', '.join([*names[:_SHOWN], *(['…'] if len(names) > _SHOWN else [])])})"
