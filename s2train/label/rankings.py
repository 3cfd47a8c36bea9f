"""What `--rank` names: reward models, weighted sums of them, DPO policies; checked before anything is loaded."""

from __future__ import annotations

import json
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
from s2train.training.models import ADAPTER_CONFIG
from s2train.training.preparation import check_same_base
from s2train.weights import location, shards
from s2train.weights.location import Location

Kind = Literal["reward", "dpo"]
BETA = 0.1  # of TRL's DPOConfig, where a recipe does not say another
_FORM = "expected reward:FOLDER[*WEIGHT][+reward:FOLDER[*WEIGHT]…] or dpo:FOLDER[@REFERENCE]"
_NEXT = re.compile(r"\+(?=(?:reward|dpo):)")
_PART = re.compile(r"(?P<kind>reward|dpo):(?P<place>.+?)(?:\*(?P<weight>[^*/]+))?")


@dataclass(frozen=True, slots=True)
class Named:
    """A part of a ranking as it was typed.

    Attributes:
        place: folder or hub id of the adapter.
        weight: of its score in the sum.
        reference: folder or hub id of the adapter that a DPO training started from, where that was said.
    """

    kind: Kind
    place: str
    weight: float = 1.0
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Ranker:
    """An adapter that gives numbers to answers.

    Attributes:
        kind: a reward model's score, or β (log π(y|x) - log π_ref(y|x)) of a DPO policy.
        name: for people.
        key: its kind and name, with 16 hex digits over all that its numbers depend on.
        folder: of the adapter.
        base_checkpoint: what it stands on.
        template: that it was trained with.
        aspect: that it was trained on; None where its recipe does not say.
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
    """A weighted sum of rankers.

    Attributes:
        parts: rankers with their weights, one or more.
    """

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


def parse(text: str) -> list[Named]:
    """A ranking as users type it.

    >>> parse("reward:runs/simple*0.7+reward:runs/helpful*0.3")[1]
    Named(kind='reward', place='runs/helpful', weight=0.3, reference=None)

    Raises:
        UsageError: it is of another form.
    """
    named: list[Named] = []
    for part in _NEXT.split(text):
        match = _PART.fullmatch(part)
        if match is None:
            raise UsageError(f"--rank {text}: {part!r}: {_FORM}")
        kind: Any = match["kind"]
        place, _, reference = match["place"].partition("@") if kind == "dpo" else (match["place"], "", "")
        named.append(Named(kind, place, _weight(match["weight"], text), reference or None))
    if len(named) > 1 and any(part.kind == "dpo" for part in named):
        raise UsageError(f"--rank {text}: only reward models are added up: {_FORM}")
    return named


def _weight(text: str | None, where: str) -> float:
    try:
        weight = 1.0 if text is None else float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or weight == 0:
        raise UsageError(f"--rank {where}: weight {text!r}: expected a number that is not 0")
    return weight


@dataclass(frozen=True, slots=True)
class Known:
    """A base that is at hand, so that adapters of it need not find theirs."""

    folder: Path
    fingerprint: str | None


def prepare(parts: Sequence[Named], known: Known, *, allow_below_gate: bool = False) -> Ranking:
    """Find and check the rankers of a ranking; loads nothing.

    Raises:
        UsageError, PrerequisiteError: what cannot rank, and why.
    """
    return Ranking(tuple((_ranker(part, known, allow_below_gate), part.weight) for part in parts))


def _ranker(named: Named, known: Known, allow_below_gate: bool) -> Ranker:
    adapter = location.of_adapter(named.place)
    about = _made(adapter, named.kind)
    if named.kind == "reward":
        _gate(adapter, allow_below_gate)
    _check_adapter_kind(adapter, named.kind)
    base_checkpoint = BaseCheckpoint(_base(adapter, about, known), about.quantization)
    recipe: Any = about.recipe or {}
    content: dict[str, Any] = {
        "kind": named.kind,
        "model": identity(ModelSpec(named.place, str(base_checkpoint.folder), str(adapter.folder))),
        "quantization": about.quantization and about.quantization.model_dump(),
        "template": about.template,
    }
    beta, reference = BETA, None
    if named.kind == "dpo":
        beta = _beta(recipe.get("arguments") or {}, adapter)
        reference = _reference(named, adapter, about, base_checkpoint, known)
        content["beta"] = beta
        content["reference"] = reference and identity(
            ModelSpec(str(reference), str(base_checkpoint.folder), str(reference))
        )
    key = f"{named.kind}:{adapter.name}@{store.key_of(content)}"
    return Ranker(
        named.kind, adapter.name, key, adapter.folder, base_checkpoint, about.template,
        (recipe.get("data") or {}).get("aspect"), about.metrics.get(calibration.ACCURACY), beta, reference,
    )  # fmt: skip


def _made(adapter: Location, kind: Kind) -> Checkpoint:
    about = checkpoint.read(adapter.folder)
    if about is None or about.kind != kind:
        what = "it has no s2train.json" if about is None else f"its s2train.json says that {about.kind} made it"
        raise DataError(f"--rank {kind}:{adapter.name}: {what}; s2train {kind} makes what can rank as {kind}:…")
    return about


def _gate(adapter: Location, allow: bool) -> None:
    try:
        calibration.check_gate(adapter.folder, allow=allow)
    except DataError:
        raise
    except UsageError as error:
        raise UsageError(f"{error}; --allow-below-gate uses it nevertheless") from None


def _check_adapter_kind(adapter: Location, kind: Kind) -> None:
    where, wanted = f"{kind} {adapter.name}", "SEQ_CLS" if kind == "reward" else "CAUSAL_LM"
    path = adapter.folder / ADAPTER_CONFIG
    if not path.is_file():
        raise UsageError(
            f"{where}: no {ADAPTER_CONFIG}: a whole model. Rankers are adapters, so that one base carries all of them: "
            "train it with model.method lora or qlora"
        )
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PrerequisiteError(f"{path}: cannot be read: {error}") from error
    if about.get("peft_type") != "LORA" or about.get("task_type") not in (None, wanted):
        raise UsageError(
            f"{where}: an adapter of peft_type {about.get('peft_type')} and task_type {about.get('task_type')}; "
            f"expected LORA and {wanted}"
        )


def _base(adapter: Location, about: Checkpoint, known: Known) -> Path:
    """The known base where it is the right one, else the one that the adapter names."""
    if known.fingerprint and about.base and about.base.sha256 == known.fingerprint:
        return known.folder
    base = location.of_model(base_of(str(adapter.folder)))
    check_same_base(adapter, base.name, shards.fingerprint(shards.find(base.folder)))
    return base.folder


def _beta(arguments: Mapping[str, Any], adapter: Location) -> float:
    divergence = arguments.get("f_divergence_type", "reverse_kl")
    if divergence != "reverse_kl":
        raise UsageError(
            f"dpo {adapter.name}: trained with f_divergence_type {divergence}; its implicit reward is not "
            "β log π/π_ref, the only one that is computed here"
        )
    return float(arguments.get("beta", BETA))


def _reference(
    named: Named, adapter: Location, about: Checkpoint, base_checkpoint: BaseCheckpoint, known: Known
) -> Path | None:
    """The adapter that was π_ref; None where training began with a new one, so that the base was."""
    where = f"dpo {adapter.name}"
    recipe: Any = about.recipe or {}
    started: str | None = (recipe.get("model") or {}).get("adapter")
    if started is None:
        if named.reference:
            raise UsageError(f"{where}: its reference is the base (it started from no adapter): leave @… out")
        return None
    place = named.reference or (started if "/" in started else str(adapter.folder.parent / started))
    try:
        reference = location.of_adapter(place)
    except PrerequisiteError as error:
        raise PrerequisiteError(
            f"{where}: its reference is the adapter {started!r} that it started from, which is not at {place}. "
            f"Say where it is: --rank dpo:{named.place}@FOLDER"
        ) from error
    _check_adapter_kind(reference, "dpo")
    if about.data.get("adapter") != checkpoint.sha256(models.weights(reference)):
        raise UsageError(
            f"{where}: it started from other weights than those of {reference.folder}: its s2train.json names "
            f"{started!r} with SHA-256 {about.data.get('adapter', 'unknown')[:12]}… Say where they are: "
            f"--rank dpo:{named.place}@FOLDER"
        )
    fingerprint = known.fingerprint if base_checkpoint.folder == known.folder else None
    check_same_base(
        reference, base_checkpoint.folder.name, fingerprint or shards.fingerprint(shards.find(base_checkpoint.folder))
    )
    return reference.folder
