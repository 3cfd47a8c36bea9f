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
        layer: the first number in its name; None where it has none.
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
        matrices: how many they are.
        of_change: method → error / ‖Δ‖; None where the adapter changes none of them.
        of_size: method → error / ‖W‖.
    """

    name: str
    matrices: int
    of_change: Mapping[str, float | None]
    of_size: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """All linears that the adapter changes or that were quantised, in the model's order; none where they could not be
    compared.
    """

    matrices: tuple[Matrix, ...]
    notes: tuple[str, ...] = ()

    def by_layer(self) -> list[Group]:
        """In ascending order, after a group of what belongs to no layer."""
        layers = sorted({matrix.layer for matrix in self.matrices}, key=lambda layer: -1 if layer is None else layer)
        return [
            group(
                "outside" if layer is None else str(layer),
                (matrix for matrix in self.matrices if matrix.layer == layer),
            )
            for layer in layers
        ]

    def by_kind(self) -> list[Group]:
        kinds = dict.fromkeys(matrix.kind for matrix in self.matrices)
        return [group(kind, (matrix for matrix in self.matrices if matrix.kind == kind)) for kind in kinds]


def group(name: str, matrices: Iterable[Matrix]) -> Group:
    """Ratios of lengths, each √Σ‖·‖² over the matrices."""
    members = list(matrices)
    change = math.hypot(*(matrix.change for matrix in members))
    size = math.hypot(*(matrix.size for matrix in members))
    errors = {method: math.hypot(*(matrix.errors[method] for matrix in members)) for method in members[0].errors}
    return Group(
        name,
        len(members),
        {method: error / change if change else None for method, error in errors.items()},
        {method: error / size for method, error in errors.items()},
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models at the same positions: KL(model ‖ other) in nats, and whether their most likely tokens agree."""

    model: str
    other: str
    divergences: tuple[float, ...]
    agreements: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Next-token distributions.

    Attributes:
        clusters: of each position, the index of its prompt.
        losses: model → -ln p of the actual token at each position that predicts an answer; empty for prompts without
            answers.
        dtype: that the models computed in.
    """

    prompts: tuple[str, ...]
    clusters: tuple[int, ...]
    pairs: tuple[Pair, ...]
    losses: Mapping[str, tuple[float, ...]]
    dtype: str

    def pair(self, model: str, other: str) -> Pair | None:
        return next((pair for pair in self.pairs if (pair.model, pair.other) == (model, other)), None)

    def divergence(self, pair: Pair) -> Estimate:
        """Mean KL over positions; prompts are the sampling unit."""
        return stats.clustered_mean(pair.divergences, self.clusters, within=NATS)

    def agreement(self, pair: Pair) -> Estimate:
        """Share of positions with the same best token, likewise."""
        return stats.clustered_mean([float(same) for same in pair.agreements], self.clusters, within=Scale(0.0, 1.0))

    def by_prompt(self, pair: Pair) -> list[float]:
        """Mean KL of each prompt."""
        values: dict[int, list[float]] = {}
        for cluster, value in zip(self.clusters, pair.divergences, strict=True):
            values.setdefault(cluster, []).append(value)
        return [math.fsum(part) / len(part) for _, part in sorted(values.items())]

    def loss(self, model: str) -> Estimate:
        """Mean over the tokens of all answers, in nats."""
        return stats.clustered_mean(self.losses[model], self.clusters, within=NATS)

    def excess_loss(self) -> stats.Difference | None:
        """Loss of bf16 less that of qdq on the answers, paired by token; None unless both were measured."""
        if not {QDQ, BF16} <= self.losses.keys():
            return None
        return self._paired(self.losses[QDQ], self.losses[BF16])

    def excess(self) -> stats.Difference | None:
        """KL(as trained ‖ bf16) less KL(as trained ‖ qdq), paired by position; None unless both were measured."""
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
    """The comparison of an adapter's merges.

    `adapter`, `base` and `template` are as users type them; `quantization` is the base's in training, "" for none;
    `compared` are the models on tasks, if any.
    """

    adapter: str
    base: str
    template: str
    quantization: str
    measured: Measured
    compared: Compared | None = None
    notes: tuple[str, ...] = ()

    def all_notes(self) -> Iterator[str]:
        """With those of its parts."""
        yield from self.notes
        yield from self.measured.weights.notes
        if (dtype := self.measured.predictions.dtype) != "float32":
            yield f"the models computed in {dtype}, so the rounding of their arithmetic is part of the distances"
