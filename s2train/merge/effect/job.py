"""The comparison but for the tasks: merges, then weights and predictions, each kept when it is complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from s2eval import store
from s2eval.files import integrity
from s2eval.models import ADAPTER_CONFIG, ModelSpec, identity
from s2eval.prompts import label
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Quantization
from s2train.merge import merge, quantization
from s2train.merge.effect import predictions, weights
from s2train.merge.effect.models import ComparedModel, LoadedModel, check_loadable, compared_models
from s2train.merge.effect.predictions import Prompt
from s2train.merge.effect.records import BF16, QDQ, TRAINED, Measured, Weights
from s2train.merge.methods import MERGE_METHODS
from s2train.weights.location import of_adapter

MERGED, MEASURED, TASKS = "merged", "measured.json", "tasks"
_FORMAT = 1  # raise when the same models would give other numbers
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Merged:
    """The models to compare: as trained, then the merges, the one expected to be nearer first.

    `checkpoints` are the merges' `s2train.json`; `label` is the template with its arguments, as reports show it.
    """

    models: dict[str, ComparedModel]
    checkpoints: dict[str, Checkpoint]
    template: str
    label: str

    @property
    def quantization(self) -> str:
        """Of the base in training, in words; "" where it had none."""
        how = self.checkpoints[QDQ].quantization if QDQ in self.checkpoints else None
        return quantization.describe(how) if how else ""


def was_quantized(adapter: str) -> bool | None:
    """Whether the adapter's base was quantised in training, by the adapter's own files; None: they do not record it.

    s2train records it of whatever it trains; of other adapters `adapter_config.json` may.
    """
    folder = of_adapter(adapter).folder
    trained = checkpoint.read(folder)
    if trained is not None and trained.kind is not None:
        return trained.quantization is not None
    try:
        config: object = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # reported when it is merged
        return None
    return True if isinstance(config, dict) and config.get("quantization_config") else None


def merge_all(
    spec: ModelSpec,
    out: Path,
    log: Log,
    *,
    base: str,
    adapter: str,
    quantized: bool,
    quant_options: Mapping[str, object],
    dtype: str | None,
    template: str | None,
    template_arguments: Mapping[str, object],
) -> Merged:
    """Make the merges that are not complete yet.

    Args:
        spec: the unmerged adapter; `base` and `adapter` are its parts as the user named them.
        quantized: whether the adapter was trained on a base in 4 bits; only then methods that quantise apply.
        quant_options: fields of `Quantization` that the user set.
        template: prompt template; None: the merges'.
        template_arguments: of the tokenizer's chat template.
    """
    checkpoints: dict[str, Checkpoint] = {}
    how = None
    methods = [method for method in MERGE_METHODS.values() if quantized or not method.quantizes]
    for method in sorted(methods, key=lambda method: not method.quantizes):  # nearest to the training first
        log(f"merging with {method.name}")
        checkpoints[method.name] = merge(
            base=base,
            adapter=adapter,
            method=method.name,
            out=out / MERGED / method.name,
            dtype=dtype,
            quantization=quant_options if method.quantizes else {},
            log=log,
        )
        if method.quantizes and how is None:
            how = checkpoints[method.name].quantization or Quantization()
            check_loadable(how)  # before the other merge
    folders = {method: (out / MERGED / method).resolve() for method in checkpoints}
    name = template or checkpoints[BF16].template
    models = compared_models(spec, how, folders, template_arguments)
    return Merged(models, checkpoints, name, label(name, template_arguments))


def measure(merged: Merged, spec: ModelSpec, prompts: Sequence[Prompt], out: Path, log: Log) -> Measured:
    """Weights, and predictions on at least one prompt; an earlier result for the same inputs is read back."""
    trained = merged.models[TRAINED]
    key = store.key_of(
        {
            "format": _FORMAT,
            "trained": identity(spec),
            "arguments": [trained.dtype, trained.args],
            "merged": {method: checkpoint.files for method, checkpoint in merged.checkpoints.items()},
            "template": merged.template,
            "prompts": [[prompt.question, prompt.answer] for prompt in prompts],
        }
    )
    path = out / MEASURED
    if (stored := _read(path, key, log)) is not None:
        log("weights and predictions are measured already")
        return stored
    compared: list[Weights] = []

    def on_load(name: str, lm: LoadedModel) -> None:
        if name == TRAINED:
            log("comparing weights")
            folders = {method: out / MERGED / method for method in merged.checkpoints}
            compared.append(weights.compare(lm.model, folders))
        log(f"{name}: predicting the tokens of {len(prompts)} prompts")

    predicted = predictions.compare(merged.models, prompts, merged.template, out, on_load)
    measured = Measured(compared[0], predicted)
    store.write_sealed(path, _File(key=key, measured=measured).model_dump(mode="json", exclude={"sha256"}))
    return measured


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    measured: Measured
    sha256: str | None = None  # None: written by version 0.1.0


def _read(path: Path, key: str, log: Log) -> Measured | None:
    """None where the file does not exist, is broken, or was measured of something else."""
    try:
        content = path.read_bytes()
        stored = _File.model_validate_json(content)
        if integrity.seal_holds(json.loads(content)):
            return stored.measured if stored.key == key else None
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        pass
    log(f"{path} is broken: it was changed since it was written; measuring again")
    return None
