"""Merged models beside the adapter as it was trained: weights, and next-token distributions on prompts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from s2eval import stats
from s2eval.records import Estimate, Scale
from s2eval.report.compare import Compared

NATS = Scale(0.0, None, graded=True)
TRAINED, BF16, QDQ = "as-trained", "bf16", "qdq"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One linear layer's weights; all numbers are Frobenius norms, in fp32.

    Attributes:
        name: of the module.
        layer: the first number in its name; None where there is none.
        kind: the last part of its name that is no number, e.g. `q_proj`.
        change: ‖Δ‖, what the adapter adds; 0 where it adds nothing.
        size: ‖W‖, of the weights that it was trained on: dequantised, where they were in 4 bits.
        errors: method → ‖W_merged - (W + Δ)‖.
    """

    name: str
    layer: int | None
    kind: str
    change: float
    size: float
    errors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Group:
    """Several matrices taken as one vector.

    Attributes:
        name: what they have in common.
        matrices: how many they are.
        of_change: method → error / ‖Δ‖; None where the adapter adds nothing to any of them.
        of_size: method → error / ‖W‖.
    """

    name: str
    matrices: int
    of_change: Mapping[str, float | None]
    of_size: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """All linears that the adapter changes or that were quantised.

    Attributes:
        matrices: in the model's order; none where they could not be compared.
        notes: what was left out, as sentences.
    """

    matrices: tuple[Matrix, ...]
    notes: tuple[str, ...] = ()

    def by_layer(self) -> list[Group]:
        """A group for each layer, in ascending order, after one for what belongs to none."""
        layers = sorted({one.layer for one in self.matrices}, key=lambda layer: -1 if layer is None else layer)
        return [
            together("outside" if layer is None else str(layer), (one for one in self.matrices if one.layer == layer))
            for layer in layers
        ]

    def by_kind(self) -> list[Group]:
        """A group for each kind, in the model's order."""
        kinds = dict.fromkeys(one.kind for one in self.matrices)
        return [together(kind, (one for one in self.matrices if one.kind == kind)) for kind in kinds]


def together(name: str, matrices: Iterable[Matrix]) -> Group:
    """Some matrices as one vector: a ratio of lengths, each √Σ‖·‖²."""
    found = list(matrices)
    change, size = (math.hypot(*lengths) for lengths in zip(*((one.change, one.size) for one in found), strict=True))
    errors = {method: math.hypot(*(one.errors[method] for one in found)) for method in found[0].errors}
    return Group(
        name,
        len(found),
        {method: error / change if change else None for method, error in errors.items()},
        {method: error / size for method, error in errors.items()},
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models at the same positions.

    Attributes:
        model, other: names.
        divergences: KL(model ‖ other) of each position, in nats.
        agreements: whether both have the same most likely token there.
    """

    model: str
    other: str
    divergences: tuple[float, ...]
    agreements: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Next-token distributions.

    Attributes:
        prompts: what was asked.
        clusters: of each position, which prompt it is in.
        pairs: all that were compared.
        losses: model → -ln p of the token that is there, at each position: those that predict an answer. Empty where
            the positions are those of prompts without answers.
        dtype: that the models computed in.
    """

    prompts: tuple[str, ...]
    clusters: tuple[int, ...]
    pairs: tuple[Pair, ...]
    losses: Mapping[str, tuple[float, ...]]
    dtype: str

    def pair(self, model: str, other: str) -> Pair | None:
        """The one of that name."""
        return next((one for one in self.pairs if (one.model, one.other) == (model, other)), None)

    def divergence(self, pair: Pair) -> Estimate:
        """Mean KL over positions; prompts are what was drawn."""
        return stats.clustered_mean(pair.divergences, self.clusters, within=NATS)

    def agreement(self, pair: Pair) -> Estimate:
        """Share of positions with the same best token, likewise."""
        return stats.clustered_mean([float(same) for same in pair.agreements], self.clusters, within=Scale(0.0, 1.0))

    def by_prompt(self, pair: Pair) -> list[float]:
        """Mean KL of each prompt."""
        sums: dict[int, list[float]] = {}
        for cluster, value in zip(self.clusters, pair.divergences, strict=True):
            sums.setdefault(cluster, []).append(value)
        return [math.fsum(values) / len(values) for _, values in sorted(sums.items())]

    def loss(self, model: str) -> Estimate:
        """Mean over the tokens of all answers, in nats."""
        return stats.clustered_mean(self.losses[model], self.clusters, within=NATS)

    def excess_loss(self) -> stats.Difference | None:
        """Loss of bf16 less that of qdq on the answers, paired by token; None where there are not both."""
        if not {QDQ, BF16} <= self.losses.keys():
            return None
        return self._paired(self.losses[QDQ], self.losses[BF16])

    def excess(self) -> stats.Difference | None:
        """KL(as trained ‖ bf16) less KL(as trained ‖ qdq), paired by position; None where one is not there."""
        qdq, bf16 = self.pair(TRAINED, QDQ), self.pair(TRAINED, BF16)
        if qdq is None or bf16 is None:
            return None
        return self._paired(qdq.divergences, bf16.divergences)

    def _paired(self, first: Sequence[float], second: Sequence[float]) -> stats.Difference:
        return stats.paired_difference(first, second, clusters=self.clusters, shares=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of the models themselves."""

    weights: Weights
    predictions: Predictions


@dataclass(frozen=True, slots=True)
class Effect:
    """All of it.

    Attributes:
        adapter, base: as the user named them.
        template: prompt template, as users type it.
        quantization: of the base in training, in words; "" = it was not quantised.
        measured: weights and predictions.
        compared: the models on tasks; None without tasks.
        notes: what a reader must know.
    """

    adapter: str
    base: str
    template: str
    quantization: str
    measured: Measured
    compared: Compared | None = None
    notes: tuple[str, ...] = ()

    def all_notes(self) -> Iterator[str]:
        """Those of its parts too."""
        yield from self.notes
        yield from self.measured.weights.notes
        if (dtype := self.measured.predictions.dtype) != "float32":
            yield f"the models computed in {dtype}, so the rounding of their arithmetic is part of the distances"
