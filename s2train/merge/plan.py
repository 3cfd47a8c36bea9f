"""Which tensor of the merged model is made of what, and in which file it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2train.merge import fit
from s2train.merge.adapters import Adapter
from s2train.merge.fit import Base, Given
from s2train.merge.outline import Layout, Outline, Target
from s2train.weights.header import Entry
from s2train.weights.shards import Place, Weights
from s2train.weights.tensors import FLOATS

Equal = Callable[[Place | Given, Place | Given], bool]


@dataclass(frozen=True, slots=True)
class Factors:
    """One adapter's part in the change of a matrix: scaling · B A.

    Attributes:
        adapter: which, by its place.
        a, b: keys of its file.
        scaling: alpha / r or alpha / √r.
        magnitude: key of the learned lengths of DoRA; None without.
    """

    adapter: int
    a: str
    b: str
    scaling: float
    magnitude: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One tensor of the merged model.

    Attributes:
        entry: its name, type and shape.
        place: where the base's tensor lies; None where the adapter brings all of it.
        given: what the adapter puts in its place.
        quantised: whether it goes through 4 bits and back first.
        layout: of a matrix that is changed by factors or quantised.
        factors: what is added, by adapter.
        addend: what is added to a bias.
    """

    entry: Entry
    place: Place | None
    given: Given | None = None
    quantised: bool = False
    layout: Layout = "linear"
    factors: tuple[Factors, ...] = ()
    addend: Given | None = None

    @property
    def changed(self) -> bool:
        """Whether it differs from the base's, other than by its type."""
        return bool(self.given or self.quantised or self.factors or self.addend)

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
        untied: heads that get a tensor of their own, because the adapter changes it or the embeddings alone.
        used: how many tensors of the adapters went in: all of them.
    """

    files: Mapping[str, tuple[Step, ...]]
    rank: int
    changes: Mapping[str, Any]
    left_out: tuple[str, ...]
    untied: tuple[str, ...]
    used: int

    def steps(self) -> list[Step]:
        """Of all files."""
        return [step for steps in self.files.values() for step in steps]


def make(
    weights: Weights, outline: Outline, adapters: Sequence[Adapter], *, quantise: bool, dtype: str | None, equal: Equal
) -> Plan:
    """The plan for merging `adapters` into `weights`.

    Args:
        weights: the base's.
        outline: of the base's model with these adapters on it.
        adapters: those, in the same order.
        quantise: whether linears go through 4 bits first.
        dtype: the type that all floating-point tensors get, e.g. `BF16`; None: each keeps its own.
        equal: whether two tensors hold the same; asked about tied embeddings only.

    Raises:
        UsageError: the adapters do not fit the base, tensor by tensor.
        PrerequisiteError: the base lacks tensors.
    """
    whole = fit.given(outline, adapters)
    base = fit.base(weights, outline)
    fit.check(weights, base, outline, whole, quantise)
    targets: dict[str, list[Target]] = {}
    for target in outline.targets:
        targets.setdefault(target.module, []).append(target)
    draft = _Draft(outline, base, whole, quantise, dtype, dtype or _usual(base.places), targets)
    dropped, untied = draft.ties(equal)
    complete = all(name in base.places or name in whole or name in outline.tied for name in outline.shapes)
    files: dict[str, list[Step]] = {name: [] for name in weights.files}
    for name, place in base.places.items():
        if name not in dropped:
            files[place.path.name].append(draft.step(name))
    for name in sorted(untied):
        files[base.places[outline.tied[name]].path.name].append(draft.step(name))
    for name in sorted(whole.keys() - base.places.keys() - untied - dropped):
        files[max(files)].append(draft.step(name))
    for name, place in {} if complete else base.others.items():  # the class has other names for some: all are kept
        files[place.path.name].append(Step(draft.entry(name, place), place))
    several = len(adapters) > 1 or adapters[0].weight != 1
    return Plan(
        {name: tuple(steps) for name, steps in files.items() if steps},
        sum(_rank(adapter) for adapter in adapters) if several else 0,
        {**outline.changes, **draft.changes},
        (*(base.others if complete else ()), *sorted(base.dead)),
        tuple(sorted(untied)),
        sum(
            not fit.is_spare(key, keys)
            for adapter, keys in zip(adapters, outline.keys, strict=True)
            for key in adapter.entries
        ),
    )


def _rank(adapter: Adapter) -> int:
    return max(adapter.config["r"], *(adapter.config.get("rank_pattern") or {"": 0}).values())


def _usual(places: Mapping[str, Place]) -> str:
    """The type of most of the base's numbers: tensors that it does not have get it."""
    counts: dict[str, int] = {}
    for place in places.values():
        if place.entry.dtype in FLOATS:
            counts[place.entry.dtype] = counts.get(place.entry.dtype, 0) + place.entry.items
    return max(counts, key=lambda name: counts[name], default="F32")


@dataclass(slots=True)
class _Draft:
    outline: Outline
    base: Base
    whole: Mapping[str, Given]
    quantise: bool
    dtype: str | None
    usual: str
    targets: Mapping[str, Sequence[Target]]  # by module
    changes: dict[str, Any] = field(default_factory=dict)

    def ties(self, equal: Equal) -> tuple[set[str], set[str]]:
        """Tied parameters that need no tensor of their own, and those that get one from now on.

        Where the base's files hold both and they differ, transformers does not tie them, whatever the configuration
        says. Where one of two that share a tensor is changed alone, both are written. PEFT does so for
        `modules_to_save`; the factors on one it adds to the shared tensor and so to both, other than in training.
        """
        dropped: set[str] = set()
        untied: set[str] = set()
        places = self.base.places
        for child, parent in self.outline.tied.items():
            apart = child in places and parent in places and not equal(places[child], places[parent])
            if not apart and self._same(child, parent, equal):
                dropped.add(child)
                continue
            self.changes["tie_word_embeddings"] = False
            if child not in places:
                untied.add(child)
        return dropped, untied

    def _same(self, child: str, parent: str, equal: Equal) -> bool:
        if self._targets(child) or self._targets(parent):
            return False
        mine, other = self._given(child), self.whole.get(parent)
        return mine == other or (mine is not None and other is not None and equal(mine, other))

    def _given(self, name: str) -> Given | None:
        """A tied parameter has its parent's copy of the base, but not what was trained in its parent's place."""
        shared = self.whole.get(self.outline.tied.get(name, ""))
        return self.whole.get(name) or (shared if shared is not None and shared.copied else None)

    def _targets(self, name: str) -> Sequence[Target]:
        module, _, kind = name.rpartition(".")
        return self.targets.get(module, ()) if kind == "weight" else ()

    def step(self, name: str) -> Step:
        """What the tensor `name` is made of."""
        place = self.base.places.get(name) or self.base.places.get(self.outline.tied.get(name, ""))
        whole, targets = self._given(name), self._targets(name)
        layout: Layout = "conv1d" if name in self.outline.conv1d else "linear"
        return Step(
            self.entry(name, place),
            place,
            whole,
            self.quantise and name in self.outline.quantised and whole is None,
            targets[0].layout if targets else layout,
            tuple(_factors(target) for target in targets),
            self._addend(name),
        )

    def _addend(self, name: str) -> Given | None:
        module, _, kind = name.rpartition(".")
        found = [target for target in self.targets.get(module, ()) if kind == "bias" and target.bias]
        return Given(found[0].adapter, found[0].tensors()[2], found[0].scaling) if found else None

    def entry(self, name: str, place: Place | None) -> Entry:
        """Name, type and shape of a tensor to write."""
        if place is None:
            return Entry(name, self.usual, self.outline.shapes[name])
        dtype = self.dtype if self.dtype and place.entry.dtype in FLOATS else place.entry.dtype
        return Entry(name, dtype, self.outline.shapes.get(name, place.entry.shape))


def _factors(target: Target) -> Factors:
    a, b, *more = target.tensors()
    return Factors(target.adapter, a, b, target.scaling, more[-1] if target.dora else None)
