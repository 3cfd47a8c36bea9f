"""From a configuration to a job: data read and encoded, everything checked that can be without weights."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2eval import prompts
from s2eval.errors import ConfigError, DataError, PrerequisiteError, UsageError
from s2train import checkpoint
from s2train.data.files.jsonl import Source
from s2train.data.layout import PREFERENCES
from s2train.training import arguments, hardware, models, trackers
from s2train.training.config import Model
from s2train.training.job import Job, TrlTraining
from s2train.training.models import Plan
from s2train.training.rows import Encoder, Rows
from s2train.weights import location, shards

_SPARE = 1.1  # of the space that is counted
_MAX_TOKENS = 1024  # of a row by default, and of a context where a base does not say
_PATHS = ("dir", "train", "validation", "prompts", "validation_prompts")  # keys of `data:`


@dataclass(frozen=True, slots=True)
class Start:
    """What training starts from, checked without weights.

    Attributes:
        plan: what is loaded.
        fingerprint: of the base's weights.
        tokenizer, template: of the base; how questions become prompts.
        model: without weights, without an adapter.
    """

    plan: Plan
    fingerprint: str
    tokenizer: Any
    template: prompts.Template
    model: Any

    @property
    def context(self) -> int:
        """Tokens that the base reads at most."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or _MAX_TOKENS

    def hashes(self) -> dict[str, str]:
        """`adapter` → SHA-256 of its tensors, where training starts from one."""
        adapter = self.plan.adapter
        return {"adapter": checkpoint.sha256(models.weights(adapter))} if adapter else {}

    def recipe(self, config: Any, exclude: set[str]) -> dict[str, Any]:
        """The configuration as it is written down: names in place of folders.

        Args:
            exclude: keys that do not belong to it.
        """
        plan = self.plan
        recipe: dict[str, Any] = config.model_dump(mode="json", exclude=exclude)
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
    chosen = hardware.choose(settings.dtype, settings.method, *hardware.find())
    plan = Plan(base, settings, chosen, task, adapter)
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
    models.check_base(model, plan, weights)
    check_vocabulary(tokenizer, model, base.name)
    return Start(plan, fingerprint, tokenizer, template, model)


def prepare(training: TrlTraining, config: Any, where: str) -> Job:
    """Check and count everything; loads no weights and writes nothing.

    Args:
        config: of the training, with `arguments`.
        where: the configuration's name, for messages.

    Raises:
        UsageError, PrerequisiteError: what cannot be trained, and why.
    """
    check_replaceable(Path(config.out).expanduser())
    trackers.check_installed(config.arguments.report_to, "arguments.report_to")
    begin = start(config.model, training.task)
    plan, model = begin.plan, begin.model
    before = sum(weight.numel() for weight in model.parameters())
    values, length = _values(training, config, begin, where)
    cut = getattr(config.data, "overlong", "drop") == "truncate"
    train, validation, hashes = _rows(training, config, Encoder(begin.tokenizer, begin.template, length, cut))
    if not len(validation) and "eval_strategy" not in config.arguments.model_fields_set:
        values["eval_strategy"] = "no"
    if plan.adapted:
        model = models.outlined_adapter(model, plan)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    built = arguments.build(training.arguments(), values, where)
    if not len(validation) and built.eval_strategy != "no":
        raise ConfigError(where, ["arguments.eval_strategy: there is no validation side to evaluate on"])
    recipe = begin.recipe(config, {"arguments", "out"})
    given = {name: value for name, value in arguments.given(config.arguments).items() if name not in trackers.FIELDS}
    recipe["arguments"] = {**training.defaults, "max_length": length, **given}
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
        recipe=without_none(json.loads(json.dumps(recipe))),
        parameters=before + (trainable if plan.adapted else 0),
        trainable=trainable,
    )


def check_same_base(adapter: location.Location, base: str, fingerprint: str) -> None:
    """Raise UsageError if the adapter's `s2train.json` says that it stands on other weights."""
    about = checkpoint.read(adapter.folder)
    if about and about.base and about.base.sha256 and about.base.sha256 != fingerprint:
        raise UsageError(
            f"adapter {adapter.name}: it was trained on other weights than those of {base}: its s2train.json names "
            f"{about.base.name} with fingerprint {about.base.sha256[:12]}…, here it is {fingerprint[:12]}…"
        )


def check_disk_space(job: Any, kept: int) -> None:
    """Raise PrerequisiteError if the disk is too full for the checkpoints that will lie on it at the same time.

    Args:
        job: any stage's.
        kept: checkpoints that stay while one more is written.
    """
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
        raise UsageError(f"{out}: it is there already and no checkpoint of s2train; choose another out=DIR")


def check_vocabulary(tokenizer: Any, model: Any, base: str) -> None:
    """Raise UsageError where a tokenizer has tokens without embeddings."""
    from s2eval.models.tokenizers import rows_needed

    rows, needed = model.get_input_embeddings().weight.shape[0], rows_needed(tokenizer)
    if needed > rows:
        raise UsageError(
            f"base {base}: its tokenizer has {needed:,} tokens, its embeddings {rows:,} rows: "
            "they belong to different models"
        )


def _values(training: TrlTraining, config: Any, begin: Start, where: str) -> tuple[dict[str, Any], int]:
    """What TRL's configuration is made of, and how long a row may be."""
    given = {name: getattr(config.arguments, name) for name in config.arguments.model_fields_set}
    hardware, context = begin.plan.hardware, begin.context
    length = given.get("max_length", min(_MAX_TOKENS, context))
    if length is None or not 2 <= length <= context:
        raise ConfigError(where, [f"arguments.max_length: {length}: expected 2 to {context:,}, the base's context"])
    ours: dict[str, Any] = {
        "output_dir": str(Path(config.out).with_name(f".{Path(config.out).name}.training")),
        "report_to": "none",
        "run_name": Path(config.out).name,
        "project": f"s2train-{training.name}",
        "save_strategy": "steps",
        "save_steps": 100,
        "save_total_limit": 2,
        "disable_tqdm": not sys.stderr.isatty(),
        "bf16": hardware.compute == "bfloat16",
        "fp16": hardware.compute == "float16",
        "gradient_checkpointing": given.get("activation_checkpointing", hardware.checkpointing),
        "use_cpu": hardware.device == "cpu",
        "dataloader_pin_memory": hardware.device != "cpu",
        "max_length": length,
        **({"per_device_eval_batch_size": batch} if (batch := given.get("per_device_train_batch_size")) else {}),
        **training.defaults,
    }
    for name, excluded in (("bf16", "fp16"), ("fp16", "bf16")):
        if given.get(name):
            ours[excluded] = False
    return {**ours, **given}, length


def _rows(training: TrlTraining, config: Any, encoder: Encoder) -> tuple[Rows, Rows, dict[str, str]]:
    """Both sides, encoded, and the hashes of their files.

    Raises:
        DataError: a file is missing or broken, or nothing is left of one.
    """
    data, hashes = config.data, dict[str, str]()
    names = training.files(data)
    folder = Path(data.dir).expanduser() if data.dir else None
    sides: list[Rows] = []
    for side, name, file, limit in (
        ("train", names[0], data.train, data.limit),
        ("validation", names[1], data.validation, data.validation_limit),
    ):
        if file:
            path = Path(file).expanduser()
        else:  # a training file of its own has no validation side in the folder
            path = folder / name if folder and (side == "train" or not data.train) else None
        if path is None or (side == "validation" and file is None and not path.is_file()):
            sides.append(Rows())
            continue
        if not path.is_file():
            advice = "" if file else "; s2train data makes it: docs/training-data.md"
            raise DataError(f"data.{side if file else 'dir'}: no file {path}{advice}")
        source = Source(path, training.line)
        rows = training.rows(config, encoder, first(source, limit))
        hashes[name if not file else path.name] = source.sha256
        if not len(rows) and (side == "train" or rows.read):
            raise DataError(f"{path}: nothing to train on: {_why_empty(rows, encoder.max_length)}")
        sides.append(rows)
    return sides[0], sides[1], hashes


def _why_empty(rows: Rows, most: int) -> str:
    """Why nothing is left of a file's rows."""
    if not rows.read:
        return "it has no rows"
    long = f"have more than {most:,} tokens (arguments.max_length)"
    if rows.dropped == rows.read:
        return f"all {rows.read:,} rows {long}"
    reasons = [f"{count:,} {why}" for why, count in rows.unusable.most_common()]
    reasons += [f"{rows.dropped:,} {long}"] if rows.dropped else []
    return f"of {rows.read:,} rows {', '.join(reasons)}"


def first(source: Source[Any], limit: int | None) -> Any:
    """The first lines; the others are read too, since the hash is of the whole file."""
    return (line for number, line in enumerate(source) if limit is None or number < limit)


def without_none(value: Any) -> Any:
    """JSON without the keys that say nothing."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    return value


def files_of_set(data: Any) -> tuple[str, str]:
    """`eli5/train.jsonl` and its validation side."""
    return f"{data.set}/train.jsonl", f"{data.set}/validation.jsonl"


def files_of_aspect(data: Any) -> tuple[str, str]:
    """`preferences/simplicity.jsonl` and its validation side."""
    return f"{PREFERENCES}/{data.aspect}.jsonl", f"{PREFERENCES}/{data.aspect}.validation.jsonl"
