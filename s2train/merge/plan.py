"""What each tensor of the merged model is made of, and in which file it goes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from s2train.merge import fit
from s2train.merge.adapters import Adapter
from s2train.merge.fit import AdapterTensor
from s2train.merge.meta_model import Layout, MetaModel, Target
from s2train.weights import tensors
from s2train.weights.header import Entry
from s2train.weights.shards import Place, Weights
from s2train.weights.tensors import FLOATS


@dataclass(frozen=True, slots=True)
class Step:
    """One tensor of the merged model.

    Attributes:
        entry: its name, type and shape.
        place: the base's tensor; None where the base has none.
        replacement: the adapter's tensor that is taken instead.
        quantised: whether it goes through 4 bits and back first.
        layout: of a matrix that is changed by factors or quantised.
        factors: what is added to a matrix, by adapter.
        bias: the target whose bias is added to a bias.
    """

    entry: Entry
    place: Place | None
    replacement: AdapterTensor | None = None
    quantised: bool = False
    layout: Layout = "linear"
    factors: tuple[Target, ...] = ()
    bias: Target | None = None

    @property
    def changed(self) -> bool:
        """Whether it differs from the base's, other than by its type."""
        return bool(self.replacement or self.quantised or self.factors or self.bias)

    @property
    def copied(self) -> bool:
        """Whether it is the base's, byte for byte."""
        return not self.changed and self.place is not None and self.place.entry.dtype == self.entry.dtype


@dataclass(frozen=True, slots=True)
class Plan:
    """The merged model's weights.

    Attributes:
        files: file name → its tensors.
        rank: of all adapters together, where they are added up; 0 where one is merged as it is.
        changes: keys of config.json → values.
        left_out: tensors of the base that the merged model's class does not have.
        untied: heads that get a tensor of their own, because the adapter changes only them or only the embeddings.
        used: how many tensors of the adapters are merged: all of them.
    """

    files: Mapping[str, tuple[Step, ...]]
    rank: int
    changes: Mapping[str, int]
    left_out: tuple[str, ...]
    untied: tuple[str, ...]
    used: int

    def steps(self) -> list[Step]:
        return [step for steps in self.files.values() for step in steps]


def make(weights: Weights, meta: MetaModel, adapters: Sequence[Adapter], *, quantise: bool, dtype: str | None) -> Plan:
    """The plan for merging `adapters` into the base's `weights`.

    Args:
        quantise: whether linears go through 4 bits first.
        dtype: the type that all floating-point tensors get, e.g. `BF16`; None: each keeps its own.

    Raises:
        UsageError: the adapters do not fit the base, tensor by tensor.
        PrerequisiteError: the base lacks tensors.
    """
    return _Planner(weights, meta, adapters, quantise, dtype).plan()


class _Planner:
    def __init__(
        self, weights: Weights, meta: MetaModel, adapters: Sequence[Adapter], quantise: bool, dtype: str | None
    ) -> None:
        self.weights, self.meta, self.adapters = weights, meta, adapters
        self.quantise, self.dtype = quantise, dtype
        self.replaced = fit.replacements(meta, adapters)
        self.base = fit.base_tensors(weights, meta)
        fit.check_base(weights, self.base, meta, self.replaced, quantise)
        self.targets: defaultdict[str, list[Target]] = defaultdict(list)  # by module
        for target in meta.targets:
            self.targets[target.module].append(target)
        items: Counter[str] = Counter()
        for place in self.base.places.values():
            if place.entry.dtype in FLOATS:
                items[place.entry.dtype] += place.entry.items
        self.default_dtype = dtype or max(items, key=lambda name: items[name], default="F32")

    def plan(self) -> Plan:
        meta, base, places = self.meta, self.base, self.base.places
        dropped, untied, changes = self._ties()
        files: dict[str, list[Step]] = {name: [] for name in self.weights.files}
        for name, place in places.items():
            if name not in dropped:
                files[place.path.name].append(self._step(name))
        for name in sorted(untied):
            files[places[meta.tied[name]].path.name].append(self._step(name))
        for name in sorted(self.replaced.keys() - places.keys() - untied - dropped):
            files[max(files)].append(self._step(name))
        complete = meta.shapes.keys() <= places.keys() | self.replaced.keys() | meta.tied.keys()
        if not complete:  # the class has other names for some: all are kept
            for name, place in base.others.items():
                files[place.path.name].append(Step(self._entry(name, place), place))
        several = len(self.adapters) > 1 or self.adapters[0].weight != 1
        return Plan(
            files={name: tuple(steps) for name, steps in files.items() if steps},
            rank=sum(adapter.rank for adapter in self.adapters) if several else 0,
            changes={**meta.changes, **changes},
            left_out=(*(base.others if complete else ()), *sorted(base.dead)),
            untied=tuple(sorted(untied)),
            used=sum(
                not fit.is_spare(key, keys)
                for adapter, keys in zip(self.adapters, meta.keys, strict=True)
                for key in adapter.entries
            ),
        )

    def _ties(self) -> tuple[set[str], set[str], dict[str, int]]:
        """Tied parameters that need no tensor of their own, those that get one from now on, changes of config.json.

        Where the base's files hold both and they differ, transformers does not tie them, whatever the configuration
        says. Where one of two that share a tensor is changed alone, both are written. PEFT does so for
        `modules_to_save`; the factors on one it adds to the shared tensor and so to both, other than in training.
        """
        dropped: set[str] = set()
        untied: set[str] = set()
        changes: dict[str, int] = {}
        places = self.base.places
        for child, parent in self.meta.tied.items():
            differ = child in places and parent in places and not self._equal(places[child], places[parent])
            if not differ and self._changed_alike(child, parent):
                dropped.add(child)
                continue
            changes["tie_word_embeddings"] = False
            if child not in places:
                untied.add(child)
        return dropped, untied, changes

    def _changed_alike(self, child: str, parent: str) -> bool:
        if self._factors(child) or self._factors(parent):
            return False
        mine, other = self._replacement(child), self.replaced.get(parent)
        return mine == other or (mine is not None and other is not None and self._equal(mine, other))

    def _equal(self, first: Place | AdapterTensor, second: Place | AdapterTensor) -> bool:
        def entry(side: Place | AdapterTensor) -> Entry:
            return side.entry if isinstance(side, Place) else self.adapters[side.adapter].entries[side.key]

        def rows(side: Place | AdapterTensor, start: int, end: int) -> torch.Tensor:
            if isinstance(side, Place):
                return tensors.rows(side, start, end)
            return self.adapters[side.adapter].rows(side.key, start, end)

        return entry(first).shape == entry(second).shape and all(
            bool((rows(first, *part) == rows(second, *part)).all()) for part in tensors.steps(entry(first), 1 << 22)
        )

    def _replacement(self, name: str) -> AdapterTensor | None:
        """A tied parameter has its parent's copy of the base, but not what was trained in its parent's place."""
        shared = self.replaced.get(self.meta.tied.get(name, ""))
        return self.replaced.get(name) or (shared if shared is not None and shared.copied else None)

    def _factors(self, name: str) -> Sequence[Target]:
        module, _, kind = name.rpartition(".")
        return self.targets.get(module, ()) if kind == "weight" else ()

    def _step(self, name: str) -> Step:
        meta = self.meta
        place = self.base.places.get(name) or self.base.places.get(meta.tied.get(name, ""))
        replacement, factors = self._replacement(name), self._factors(name)
        module, _, kind = name.rpartition(".")
        biases = (target for target in self.targets.get(module, ()) if kind == "bias" and target.bias)
        return Step(
            self._entry(name, place),
            place,
            replacement,
            self.quantise and name in meta.quantised and replacement is None,
            factors[0].layout if factors else "conv1d" if name in meta.conv1d else "linear",
            tuple(factors),
            next(biases, None),
        )

    def _entry(self, name: str, place: Place | None) -> Entry:
        if place is None:
            return Entry(name, self.default_dtype, self.meta.shapes[name])
        dtype = self.dtype if self.dtype and place.entry.dtype in FLOATS else place.entry.dtype
        return Entry(name, dtype, self.meta.shapes.get(name, place.entry.shape))
