"""From a configuration to a job: data read and encoded, everything checked that can be without weights."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue

from s2eval import prompts
from s2eval.errors import ConfigError, DataError, PrerequisiteError, UsageError
from s2eval.weights import check_shapes
from s2train import checkpoint
from s2train.data.files.jsonl import Source
from s2train.data.layout import PREFERENCES
from s2train.training import arguments, hardware, models, trackers
from s2train.training.config import Model, Pairs, Preferences, StageConfig
from s2train.training.job import Job, ModelJob, TrlTraining
from s2train.training.models import Plan
from s2train.training.rows import Encoder, Rows, Tokenizer
from s2train.weights import location, shards

if TYPE_CHECKING:
    from transformers import PreTrainedModel

T = TypeVar("T")
_SPARE = 1.1  # of the space that is counted
_MAX_TOKENS = 1024  # of a row by default, and of a context where a base does not say
_PATHS = ("dir", "train", "validation", "prompts", "validation_prompts")  # keys of `data:`


@dataclass(frozen=True, slots=True)
class Start:
    """What training starts from, checked without weights.

    Attributes:
        fingerprint: of the base's weights.
        model: without weights, without an adapter.
    """

    plan: Plan
    fingerprint: str
    tokenizer: Tokenizer
    template: prompts.Template
    model: PreTrainedModel

    @property
    def context(self) -> int:
        """Tokens that the base reads at most."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or _MAX_TOKENS

    def hashes(self) -> dict[str, str]:
        """`adapter` → SHA-256 of its tensors, where training starts from one."""
        adapter = self.plan.adapter
        return {"adapter": checkpoint.sha256(models.weights(adapter))} if adapter else {}

    def recipe(self, config: StageConfig, exclude: set[str]) -> dict[str, Any]:
        """The configuration without the keys to exclude, with names in place of folders."""
        plan = self.plan
        recipe = config.model_dump(mode="json", exclude=exclude)
        recipe["model"] |= {
            "base": plan.base.name,
            "adapter": plan.adapter and plan.adapter.name,
            "template": self.template.name,
            "dtype": plan.hardware.dtype,
        }
        if plan.adapter or not plan.adapted:
            recipe["model"].pop("lora")
        if not plan.quantized:
            recipe["model"].pop("quantization")
        data = recipe["data"]
        data |= {name: Path(data[name]).name for name in _PATHS if data.get(name)}
        return recipe


def start(settings: Model, task: models.Task) -> Start:
    """Find and check the base, the adapter and the tokenizer of a configuration's `model:`; loads no weights.

    Raises:
        UsageError, PrerequisiteError: what cannot be trained, and why.
    """
    base = location.of_model(settings.base)
    adapter = location.of_adapter(settings.adapter) if settings.adapter else None
    plan = Plan(base, settings, hardware.choose(settings.dtype, settings.method, *hardware.find()), task, adapter)
    weights = shards.find(base.folder)
    fingerprint = shards.fingerprint(weights)
    tokenizer = models.tokenizer(base.folder)
    if adapter:
        models.check_adapter(adapter, task)
        check_same_base(adapter, base.name, fingerprint)
        models.check_same_tokenizer(tokenizer, adapter)
    trained_with = prompts.trained_with(adapter.folder) if adapter else None
    template = prompts.get(settings.template or trained_with or "s2", tokenizer)
    model = models.outline(plan)
    check_shapes(model, weights.shapes(), f"base {base.name}", plan.new)
    check_vocabulary(tokenizer, model, base.name)
    return Start(plan, fingerprint, tokenizer, template, model)


def prepare(training: TrlTraining, config: Any, where: str) -> Job:
    """Check and count everything; loads no weights and writes nothing.

    `config` is of `training.configuration()`; `where` is its name, for messages.

    Raises:
        UsageError, PrerequisiteError: what cannot be trained, and why.
    """
    check_replaceable(Path(config.out).expanduser())
    trackers.check_installed(config.arguments.report_to, "arguments.report_to")
    begin = start(config.model, training.task)
    plan, model = begin.plan, begin.model
    parameters = sum(weight.numel() for weight in model.parameters())
    values = _values(training, config, begin, where)
    cut = getattr(config.data, "overlong", "drop") == "truncate"
    encoder = Encoder(begin.tokenizer, begin.template, values["max_length"], cut)
    train, validation, hashes = _rows(training, config, encoder)
    if not len(validation) and "eval_strategy" not in config.arguments.model_fields_set:
        values["eval_strategy"] = "no"
    if plan.adapted:
        model = models.outlined_adapter(model, plan)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    built = arguments.build(training.arguments(), values, where)
    if not len(validation) and built.eval_strategy != "no":
        raise ConfigError(where, ["arguments.eval_strategy: there is no validation side to evaluate on"])
    recipe = begin.recipe(config, {"arguments", "out"})
    chosen = config.arguments.model_dump(mode="json", exclude_unset=True, exclude=set(trackers.FIELDS))
    recipe["arguments"] = {**training.defaults, "max_length": values["max_length"], **chosen}
    return Job(
        training=training,
        where=where,
        config=config,
        plan=plan,
        fingerprint=begin.fingerprint,
        tokenizer=begin.tokenizer,
        template=begin.template,
        train=train,
        validation=validation,
        data=hashes | begin.hashes(),
        arguments=built,
        values=values,
        recipe=as_recorded(recipe),
        parameters=parameters + (trainable if plan.adapted else 0),
        trainable=trainable,
    )


def _values(training: TrlTraining, config: Any, begin: Start, where: str) -> dict[str, Any]:
    """What TRL's configuration is built of; `max_length` is the longest row."""
    chosen = {name: getattr(config.arguments, name) for name in config.arguments.model_fields_set}
    device, compute, context = begin.plan.hardware.device, begin.plan.hardware.compute, begin.context
    length = chosen.get("max_length", min(_MAX_TOKENS, context))
    if length is None or not 2 <= length <= context:
        raise ConfigError(where, [f"arguments.max_length: {length}: expected 2 to {context:,}, the base's context"])
    out = Path(config.out)
    values: dict[str, Any] = {
        "output_dir": str(out.with_name(f".{out.name}.training")),
        "report_to": "none",
        "run_name": out.name,
        "project": f"s2train-{training.name}",
        "save_strategy": "steps",
        "save_steps": 100,
        "save_total_limit": 2,
        "disable_tqdm": not sys.stderr.isatty(),
        "bf16": compute == "bfloat16" and not chosen.get("fp16"),
        "fp16": compute == "float16" and not chosen.get("bf16"),
        "gradient_checkpointing": chosen.get("activation_checkpointing", begin.plan.hardware.checkpointing),
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device != "cpu",
        "max_length": length,
    }
    if batch := chosen.get("per_device_train_batch_size"):
        values["per_device_eval_batch_size"] = batch
    return {**values, **training.defaults, **chosen}


def _rows(training: TrlTraining, config: Any, encoder: Encoder) -> tuple[Rows, Rows, dict[str, str]]:
    """Both sides, encoded, and the hashes of their files; DataError where nothing is left of one."""
    sides, hashes = list[Rows](), dict[str, str]()
    for file in side_files(config.data, training.files(config.data), ("train", "validation")):
        rows = Rows()
        if file is not None:
            source = Source(file.path, training.line)
            rows = training.rows(config, encoder, first(source, file.limit))
            hashes[file.name] = source.sha256
            if not len(rows) and (not sides or rows.read):
                raise DataError(f"{file.path}: nothing to train on: {_why_empty(rows, encoder.max_length)}")
        sides.append(rows)
    return sides[0], sides[1], hashes


def _why_empty(rows: Rows, max_length: int) -> str:
    if not rows.read:
        return "it has no rows"
    long = f"have more than {max_length:,} tokens (arguments.max_length)"
    if rows.dropped == rows.read:
        return f"all {rows.read:,} rows {long}"
    reasons = [f"{count:,} {why}" for why, count in rows.unusable.most_common()]
    reasons += [f"{rows.dropped:,} {long}"] if rows.dropped else []
    return f"of {rows.read:,} rows {', '.join(reasons)}"


# --- data ---


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file of the data; `name` is what `s2train.json` calls it, `limit` the number of lines that count."""

    path: Path
    name: str
    limit: int | None


def side_files(data: Any, names: tuple[str, str], keys: tuple[str, str]) -> Iterator[SideFile | None]:
    """The training and the validation file of `data:`, None where there is no validation side.

    `names` are theirs in the folder `dir`, `keys` those of files that stand for them; a training file that is named by
    its key has no validation side in the folder.

    Raises:
        DataError: a file is missing.
    """
    limits = (data.limit, data.validation_limit)
    for name, key, limit in zip(names, keys, limits, strict=True):
        chosen, training = getattr(data, key), key == keys[0]
        path = Path(chosen).expanduser() if chosen else None
        if path is None and data.dir and (training or not getattr(data, keys[0])):
            path = Path(data.dir).expanduser() / name
        if path is None or not (training or chosen or path.is_file()):
            yield None
            continue
        if not path.is_file():
            advice = "" if chosen else "; s2train data makes it: docs/training-data.md"
            raise DataError(f"data.{key if chosen else 'dir'}: no file {path}{advice}")
        yield SideFile(path, path.name if chosen else name, limit)


def first(lines: Iterable[T], limit: int | None) -> Iterator[T]:
    """The first lines; the others are read too, since the hash is of the complete file."""
    return (line for number, line in enumerate(lines) if limit is None or number < limit)


def files_of_set(data: Pairs) -> tuple[str, str]:
    """`eli5/train.jsonl` and its validation side."""
    return f"{data.set}/train.jsonl", f"{data.set}/validation.jsonl"


def files_of_aspect(data: Preferences) -> tuple[str, str]:
    """`preferences/simplicity.jsonl` and its validation side."""
    return f"{PREFERENCES}/{data.aspect}.jsonl", f"{PREFERENCES}/{data.aspect}.validation.jsonl"


def as_recorded(recipe: Mapping[str, object]) -> dict[str, JsonValue]:
    """As JSON reads it back, without keys that are None."""

    def without_none(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        return {
            key: without_none(item) if isinstance(item, dict) else item
            for key, item in value.items()
            if item is not None
        }

    return without_none(json.loads(json.dumps(recipe)))


# --- checks ---


def check_same_base(adapter: location.Location, base: str, fingerprint: str) -> None:
    """Raise UsageError if the adapter's `s2train.json` says that it stands on other weights."""
    about = checkpoint.read(adapter.folder)
    if about and about.base and about.base.sha256 and about.base.sha256 != fingerprint:
        raise UsageError(
            f"adapter {adapter.name}: it was trained on other weights than those of {base}: its s2train.json names "
            f"{about.base.name} with fingerprint {about.base.sha256[:12]}…, here it is {fingerprint[:12]}…"
        )


def check_disk_space(job: ModelJob, kept: int) -> None:
    """Raise PrerequisiteError if the disk is too full for any stage's `kept` checkpoints and one that is written."""
    weights = job.trainable * 4
    optimizer = 2 * weights  # of Adam in 32 bits, the usual case; others need less
    kept += 1
    needed = int(_SPARE * (kept * (weights + optimizer) + weights)) + (64 << 20)
    place = next(folder for folder in (job.work, *job.work.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    used = sum(path.stat().st_size for path in job.work.rglob("*") if path.is_file()) if job.work.is_dir() else 0
    if free + used < needed:
        raise PrerequisiteError(
            f"{job.out}: {free / 1e9:.1f} GB are free on its disk, training needs about {needed / 1e9:.1f} GB: "
            f"{kept} checkpoints with the optimizer's state. Choose another place with out=DIR, or free some"
        )


def check_replaceable(out: Path) -> None:
    """Raise UsageError where something else than a checkpoint has that name."""
    if out.exists() and not (out / prompts.CHECKPOINT_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: already exists and is not an s2train checkpoint. Choose another out=DIR")


def check_vocabulary(tokenizer: Tokenizer, model: PreTrainedModel, base: str) -> None:
    """Raise UsageError where a tokenizer has tokens without embeddings."""
    from s2eval.models.tokenizers import rows_needed

    rows, needed = next(model.get_input_embeddings().parameters()).shape[0], rows_needed(tokenizer)
    if needed > rows:
        raise UsageError(
            f"base {base}: its tokenizer has {needed:,} tokens, its embeddings {rows:,} rows: "
            "they belong to different models"
        )
