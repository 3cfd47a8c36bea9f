"""What `--rank` names: reward models, weighted sums of them, DPO policies; checked before anything is loaded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s2eval import store
from s2eval.errors import DataError, PrerequisiteError, UsageError
from s2eval.models import ModelSpec, base_of, identity
from s2train import checkpoint
from s2train.checkpoint import Checkpoint
from s2train.label.bases import BaseCheckpoint
from s2train.training import calibration, models
from s2train.training.preparation import check_same_base
from s2train.weights import location, shards
from s2train.weights.location import Location

Kind = Literal["reward", "dpo"]
BETA = 0.1  # of TRL's DPOConfig, where a recipe does not name another
_FORM = "expected reward:FOLDER[*WEIGHT][+reward:FOLDER[*WEIGHT]…] or dpo:FOLDER[@REFERENCE]"
_NEXT = re.compile(r"\+(?=(?:reward|dpo):)")
_PART = re.compile(r"(?P<kind>reward|dpo):(?P<place>.+?)(?:\*(?P<weight>[^*/]+))?")


@dataclass(frozen=True, slots=True)
class RankingPart:
    """A part of a ranking as it was typed.

    Attributes:
        place: folder or hub id of the adapter.
        weight: of its score in the sum.
        reference: folder or hub id of the adapter that a DPO training started from, where it was typed.
    """

    kind: Kind
    place: str
    weight: float = 1.0
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Ranker:
    """An adapter that scores answers.

    Attributes:
        kind: a reward model's score, or β (log π(y|x) - log π_ref(y|x)) of a DPO policy.
        key: its kind and name, with 16 hex digits over all that its scores depend on.
        template, aspect: that it was trained with; None where its recipe does not name an aspect.
        accuracy: of a reward model on held-out pairs; None: never measured.
        beta: β; of a reward model not used.
        reference: the adapter that π_ref is, None: the base alone.
    """

    kind: Kind
    name: str
    key: str
    folder: Path
    base_checkpoint: BaseCheckpoint
    template: str
    aspect: str | None
    accuracy: float | None = None
    beta: float = BETA
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A sum of rankers, each with its weight."""

    parts: tuple[tuple[Ranker, float], ...]

    @property
    def name(self) -> str:
        """`reward:simple*0.7 + reward:helpful*0.3`."""
        return " + ".join(
            f"{part.kind}:{part.name}" + ("" if weight == 1 else f"*{weight:g}") for part, weight in self.parts
        )

    def score(self, scores: Mapping[str, float]) -> float:
        """Σ wᵢ rᵢ of the rankers' scores, by their keys."""
        return math.fsum(weight * scores[part.key] for part, weight in self.parts)


def parse(text: str) -> list[RankingPart]:
    """A ranking as users type it; UsageError where it is of another form.

    >>> parse("reward:runs/simple*0.7+reward:runs/helpful*0.3")[1]
    RankingPart(kind='reward', place='runs/helpful', weight=0.3, reference=None)
    """
    parts: list[RankingPart] = []
    for part in _NEXT.split(text):
        match = _PART.fullmatch(part)
        if match is None:
            raise UsageError(f"--rank {text}: {part!r}: {_FORM}")
        try:
            weight = float(match["weight"] or 1)
        except ValueError:
            weight = math.nan
        if not math.isfinite(weight) or weight == 0:
            raise UsageError(f"--rank {text}: weight {match['weight']!r}: expected a number that is not 0")
        if match["kind"] == "dpo":
            place, _, reference = match["place"].partition("@")
            parts.append(RankingPart("dpo", place, weight, reference or None))
        else:
            parts.append(RankingPart("reward", match["place"], weight))
    if len(parts) > 1 and any(part.kind == "dpo" for part in parts):
        raise UsageError(f"--rank {text}: only reward models are added up: {_FORM}")
    return parts


@dataclass(frozen=True, slots=True)
class KnownBase:
    """The policy's base, which adapters of it need not look for."""

    folder: Path
    fingerprint: str | None


def prepare(parts: Sequence[RankingPart], known: KnownBase, *, allow_below_gate: bool = False) -> Ranking:
    """Find and check the rankers of a ranking; loads nothing.

    Raises:
        UsageError, PrerequisiteError: what cannot rank, and why.
    """
    return Ranking(tuple((_ranker(part, known, allow_below_gate), part.weight) for part in parts))


def _ranker(part: RankingPart, known: KnownBase, allow_below_gate: bool) -> Ranker:
    kind, adapter = part.kind, location.of_adapter(part.place)
    about = checkpoint.read(adapter.folder)
    if about is None or about.kind != kind:
        what = "it has no s2train.json" if about is None else f"its s2train.json says that {about.kind} made it"
        raise DataError(f"--rank {kind}:{adapter.name}: {what}; s2train {kind} makes what can rank as {kind}:…")
    if kind == "reward":
        try:
            calibration.check_gate(adapter.folder, allow=allow_below_gate)
        except DataError:
            raise
        except UsageError as error:
            raise UsageError(f"{error}; --allow-below-gate uses it nevertheless") from None
    _check_adapter_kind(adapter, kind)
    base = BaseCheckpoint(_base(adapter, about, known), about.quantization)
    recipe: Any = about.recipe or {}
    content: dict[str, object] = {
        "kind": kind,
        "model": identity(ModelSpec(part.place, str(base.folder), str(adapter.folder))),
        "quantization": about.quantization and about.quantization.model_dump(),
        "template": about.template,
    }
    beta, reference = BETA, None
    if kind == "dpo":
        arguments = recipe.get("arguments") or {}
        divergence = arguments.get("f_divergence_type", "reverse_kl")
        if divergence != "reverse_kl":
            raise UsageError(
                f"dpo {adapter.name}: trained with f_divergence_type {divergence}; its implicit reward is not "
                "β log π/π_ref, the only one that is computed here"
            )
        beta = float(arguments.get("beta", BETA))
        started = (recipe.get("model") or {}).get("adapter")
        reference = _reference(part, adapter, started, about.data.get("adapter", "unknown"), base, known)
        content["beta"] = beta
        content["reference"] = reference and identity(ModelSpec(str(reference), str(base.folder), str(reference)))
    key = f"{kind}:{adapter.name}@{store.key_of(content)}"
    aspect, accuracy = (recipe.get("data") or {}).get("aspect"), about.metrics.get(calibration.ACCURACY)
    return Ranker(kind, adapter.name, key, adapter.folder, base, about.template, aspect, accuracy, beta, reference)


def _check_adapter_kind(adapter: Location, kind: Kind) -> None:
    where, task = f"{kind} {adapter.name}", "SEQ_CLS" if kind == "reward" else "CAUSAL_LM"
    if not (adapter.folder / models.ADAPTER_CONFIG).is_file():
        raise UsageError(
            f"{where}: no {models.ADAPTER_CONFIG}: a whole model. Rankers are adapters, so that one base carries all "
            "of them: train it with model.method lora or qlora"
        )
    about = models.adapter_config(adapter)
    if about.get("peft_type") != "LORA" or about.get("task_type") not in (None, task):
        raise UsageError(
            f"{where}: an adapter of peft_type {about.get('peft_type')} and task_type {about.get('task_type')}; "
            f"expected LORA and {task}"
        )


def _base(adapter: Location, about: Checkpoint, known: KnownBase) -> Path:
    """The known base where it is the right one, else the one that the adapter names."""
    if known.fingerprint and about.base and about.base.sha256 == known.fingerprint:
        return known.folder
    base = location.of_model(base_of(str(adapter.folder)))
    check_same_base(adapter, base.name, shards.fingerprint(shards.find(base.folder)))
    return base.folder


def _reference(
    part: RankingPart, adapter: Location, started: str | None, sha256: str, base: BaseCheckpoint, known: KnownBase
) -> Path | None:
    """The adapter that was π_ref, by its name and hash; None where training began with a new one: the base was."""
    where, advice = f"dpo {adapter.name}", f"--rank dpo:{part.place}@FOLDER"
    if started is None:
        if part.reference:
            raise UsageError(f"{where}: its reference is the base (it started from no adapter): leave @… out")
        return None
    place = part.reference or (started if "/" in started else str(adapter.folder.parent / started))
    try:
        reference = location.of_adapter(place)
    except PrerequisiteError as error:
        raise PrerequisiteError(
            f"{where}: its reference is the adapter {started!r} that it started from, which is not at {place}. "
            f"Say where it is: {advice}"
        ) from error
    _check_adapter_kind(reference, "dpo")
    if sha256 != checkpoint.sha256(models.weights(reference)):
        raise UsageError(
            f"{where}: it started from other weights than those of {reference.folder}: its s2train.json names "
            f"{started!r} with SHA-256 {sha256[:12]}… Say where they are: {advice}"
        )
    fingerprint = known.fingerprint if base.folder == known.folder else None
    check_same_base(reference, base.folder.name, fingerprint or shards.fingerprint(shards.find(base.folder)))
    return reference.folder
