"""The whole comparison but for the tasks: merges, then weights and predictions, each kept when it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval import integrity, store
from s2eval.config import ModelEntry
from s2eval.models.spec import ModelSpec, identity
from s2eval.prompts import label
from s2eval.report.effect import BF16, QDQ, TRAINED, Measured, Weights
from s2eval.run.effect import merges, predictions, weights
from s2eval.run.effect.merges import Made, Quantization, Request
from s2eval.run.effect.models import entries
from s2eval.run.effect.predictions import Prompt

MERGED, MEASURED, TASKS = "merged", "measured.json", "tasks"
_FORMAT = 1  # raise when the same models would give other numbers


@dataclass(frozen=True, slots=True)
class Merged:
    """The models to compare.

    Attributes:
        entries: name → entry of a run: as trained, then the merges, what is nearer by expectation first.
        made: method → what the merge wrote down.
        template: that all are asked with.
        label: the same with its arguments, as reports show it.
    """

    entries: dict[str, ModelEntry]
    made: dict[str, Made]
    template: str
    label: str

    @property
    def quantization(self) -> str:
        """Of the base in training, in words; "" where it had none."""
        how = self.made[QDQ].quantization if QDQ in self.made else None
        return how.words() if how else ""


def merge(
    request: Request,
    spec: ModelSpec,
    out: Path,
    *,
    quantised: bool,
    template: str | None,
    template_arguments: Mapping[str, Any],
    say: Callable[[str], None],
) -> Merged:
    """Make what is not there yet.

    Args:
        request: what is merged.
        spec: the unmerged adapter.
        out: folder of everything.
        quantised: whether the adapter was trained on a base in 4 bits; only then `qdq` is made.
        template: prompt template; None: what the merges say.
        template_arguments: of the tokenizer's chat template.

    Raises:
        S2Error: `s2train merge` failed.
        UsageError: transformers cannot load a base so quantised.
    """
    made: dict[str, Made] = {}
    how = None
    if quantised:
        say("merging with qdq")
        made[QDQ] = merges.merge(request, QDQ, out / MERGED / QDQ)
        how = made[QDQ].quantization or Quantization()
        how.arguments()  # raises before the other merge
    say("merging with bf16")
    made[BF16] = merges.merge(request, BF16, out / MERGED / BF16)
    folders = {method: (out / MERGED / method).resolve() for method in made}
    name = template or made[BF16].template
    models = entries(spec, how, folders, template_arguments)
    return Merged(models, made, name, label(name, template_arguments))


def measure(
    merged: Merged, spec: ModelSpec, asked: Sequence[Prompt], out: Path, say: Callable[[str], None]
) -> Measured:
    """Weights and predictions; what was measured before of the same is read back.

    Args:
        merged: the models.
        spec: the unmerged adapter.
        asked: prompts.
        out: folder that holds the result, and what is in between.
    """
    key = store.key_of(
        {
            "format": _FORMAT,
            "trained": identity(spec),
            "arguments": [merged.entries[TRAINED].dtype, merged.entries[TRAINED].args],
            "merged": {method: made.files for method, made in merged.made.items()},
            "template": merged.template,
            "prompts": [[one.question, one.answer] for one in asked],
        }
    )
    path = out / MEASURED
    if (before := _read(path, key, say)) is not None:
        say("weights and predictions are measured already")
        return before
    found: list[Weights] = []

    def meet(name: str, lm: Any) -> None:
        if name == TRAINED:
            say("comparing weights")
            found.append(weights.compare(lm.model, {method: out / MERGED / method for method in merged.made}))
        say(f"{name}: predicting the tokens of {len(asked)} prompts")

    predicted = predictions.compare(merged.entries, asked, merged.template, out, meet)
    measured = Measured(found[0], predicted)
    store.write_sealed(path, _File(key=key, measured=measured).model_dump(mode="json", exclude={"sha256"}))
    return measured


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    measured: Measured
    sha256: str | None = None  # None: written by version 0.1.0


def _read(path: Path, key: str, say: Callable[[str], None]) -> Measured | None:
    """What was measured of the same; None where it was not, or the file is broken."""
    try:
        content = path.read_bytes()
        stored = _File.model_validate_json(content)
        intact = integrity.seal_holds(json.loads(content))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        stored, intact = None, False
    if stored is None or not intact:
        say(f"{path} is broken: it was changed since it was written; measuring again")
        return None
    return stored.measured if stored.key == key else None
