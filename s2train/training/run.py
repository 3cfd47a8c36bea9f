"""A job is done: trained, resumed where it was stopped, measured, and put in place by one rename."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models import EMBEDDED
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Source
from s2train.training import curves, models, progress
from s2train.training import job as jobs
from s2train.training.card import card
from s2train.training.kind import Job

CARD, CURVES = "README.md", "curves.svg"
_WEIGHTS = (".safetensors", ".bin")


def is_done(job: Job) -> bool:
    """Whether the very same training has ended before.

    Raises:
        UsageError: another one has, under that name.
    """
    made = checkpoint.read(job.out)
    if made is None:
        return False
    there = {"recipe": made.recipe, "data": made.data, "base": made.base and made.base.sha256}
    differ = [name for name, value in job.identity.items() if there[name] != value]
    if differ:
        raise UsageError(
            f"{job.out}: a checkpoint of another training is there ({', '.join(differ)} differ). "
            "Choose another out=DIR, or --fresh to replace it"
        )
    return True


def run(job: Job, *, fresh: bool = False) -> Mapping[str, float]:
    """Train, and give what was measured; nothing is done where it was done before.

    Args:
        fresh: forget checkpoints of a stopped training, and replace a finished one.

    Raises:
        PrerequisiteError: no room, or another process trains there.
        DivergedError: the loss is NaN or infinite; the batch is kept.
    """
    if not fresh and is_done(job):
        made = checkpoint.read(job.out)
        return made.metrics if made else {}
    with store.explain_os_errors(job.work):
        job.work.mkdir(parents=True, exist_ok=True)
    with _alone(job.work), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of names that the libraries use among themselves
        if fresh:
            _empty(job.work)
        for left in job.out.parent.glob(f"{store.TEMPORARY}{escape(job.out.name)}-*"):  # of a killed process
            shutil.rmtree(left, ignore_errors=True)
        jobs.room(job)
        progress.refuse_other_training(job.work, job.identity)
        trainer = _trainer(job)
        _train(job, trainer)
        metrics = _conclude(job, trainer)
    shutil.rmtree(job.work, ignore_errors=True)
    return metrics


def _trainer(job: Job) -> Any:
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    from s2train.training.trainers import Answers, Recorder

    if job.arguments.disable_tqdm:
        disable_progress_bars()
        logging.disable_progress_bar()
    set_seed(job.arguments.seed)
    model = models.load(job.plan)
    config = models.lora_config(job.plan) if job.plan.adapted and job.plan.adapter is None else None
    if job.plan.adapter:
        model = models.start_from(model, job.plan)
    before = models.trained(model) if job.plan.adapter else {}
    sides = {"train_dataset": Dataset.from_dict(job.train.columns)}
    if len(job.validation):
        sides["eval_dataset"] = Dataset.from_dict(job.validation.columns)
    recorder = Recorder(job.work)
    trainer: Any = job.kind.trainer()(
        model=model,
        args=job.arguments,
        processing_class=job.tokenizer,
        peft_config=config,
        callbacks=[recorder, *(Answers.of(job) if job.plan.task == "CAUSAL_LM" else [])],
        **sides,
    )
    recorder.trainer = trainer
    models.restore(trainer.model, before, job.plan.hardware)
    models.name_base(trainer.model, _base_name(job))
    trainer.remove_callback(PrinterCallback)
    return trainer


def _base_name(job: Job) -> str:
    """What an adapter calls its base: a name that other machines know, else the folder."""
    asked = job.plan.settings.base
    here = Path(asked).expanduser()
    return str(here.absolute()) if asked not in EMBEDDED and here.is_dir() else asked


def _train(job: Job, trainer: Any) -> None:
    found = progress.newest_whole(job.work)
    step = found[1]["step"] if found else 0
    for name in (progress.METRICS, progress.GENERATIONS):
        progress.cut(job.work / name, step)
    if found:
        trainer._total_train_tokens = found[1].get("tokens", 0)
    with store.explain_os_errors(job.work):
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)


def _conclude(job: Job, trainer: Any) -> dict[str, float]:
    """Measure, and put the checkpoint in place."""
    logged = progress.read(job.work / progress.METRICS)
    step, best = trainer.state.global_step, job.arguments.load_best_model_at_end
    done = not best and any("eval_loss" in record and record["step"] == step for record in logged)
    if len(job.validation) and not done:
        trainer.evaluate()
    if not trainer.is_world_process_zero():
        return {}
    with store.new_unit(job.out) as folder:
        more = job.kind.conclude(job, trainer, folder) if job.kind.conclude else {}
        metrics = {**_last(job), **more}
        _save(job, trainer, folder)
        for name in (progress.METRICS, progress.GENERATIONS):
            with suppress(FileNotFoundError):
                shutil.copyfile(job.work / name, folder / name)
        curves.draw(progress.read(folder / progress.METRICS), folder / CURVES)
        made = Checkpoint(
            template=job.template.name,
            kind=job.kind.name,
            base=Source(name=job.plan.base.name, sha256=job.fingerprint),
            quantization=job.plan.quantization(),
            recipe=dict(job.recipe),
            data=dict(job.data),
            versions=checkpoint.versions(),
            metrics=metrics,
            files={path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.suffix in _WEIGHTS},
        )
        pictures = sorted(path.name for path in folder.glob("*.svg"))
        (folder / CARD).write_text(card(job, made, pictures), encoding="utf-8")
        checkpoint.write(folder, made)
    return metrics


def _save(job: Job, trainer: Any, folder: Path) -> None:
    """An ordinary adapter's or model's folder, with the tokenizer."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if job.plan.adapted:
        model.save_pretrained(folder, selected_adapters=[models.ADAPTER])
        with suppress(FileNotFoundError):
            (folder / CARD).unlink()  # PEFT's, written anew
    else:
        model.save_pretrained(folder)
    job.tokenizer.save_pretrained(folder)


def _last(job: Job) -> dict[str, float]:
    """The last of each number that says how training ended."""
    found: dict[str, float] = {"train_rows": float(len(job.train))}
    names = {"loss": "train_loss", "num_tokens": "train_tokens", "train_runtime": "seconds"}
    for record in progress.read(job.work / progress.METRICS):
        found |= {mine: record[name] for name, mine in names.items() if record.get(name) is not None}
        found |= {
            name: float(value)
            for name, value in record.items()
            if name.startswith("eval_") and value is not None and not name.endswith(("_runtime", "_per_second"))
        }
        found["steps"] = float(record["step"])
    found.pop("eval_num_tokens", None)
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Only one command trains there at a time; the processes of one command share it."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    from filelock import FileLock, Timeout

    lock = FileLock(work.with_name(work.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PrerequisiteError(
            f"{work}: another process is training there; wait for it, or choose another out=DIR"
        ) from None
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            Path(lock.lock_file).unlink()
