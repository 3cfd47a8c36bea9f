"""A job is done: trained, resumed where it was stopped, measured, and put in place by one rename."""

from __future__ import annotations

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
from s2train.training import curves, models, processes, progress, rows, trackers
from s2train.training import preparation as jobs
from s2train.training.card import card
from s2train.training.job import Job, RunPaths

CARD, CURVES = "README.md", "curves.svg"
RECORDS = (".jsonl",)
PROCESSES = "processes"  # of the metrics, where there were several
_WEIGHTS = (".safetensors", ".bin")


def is_done(job: RunPaths) -> bool:
    """Whether the very same training has ended before.

    Raises:
        UsageError: another one has, under that name, or its files were changed.
        PrerequisiteError: another process trains there.
    """
    _recover(job)
    finished = checkpoint.read(job.out)
    if finished is None:
        return False
    recorded = {"recipe": finished.recipe, "data": finished.data, "base": finished.base and finished.base.sha256}
    differ = [name for name, value in job.identity.items() if recorded[name] != value]
    if finished.metrics.get(PROCESSES, 1) != processes.count():
        differ.append(PROCESSES)
    if differ:
        raise UsageError(
            f"{job.out}: a checkpoint of another training is there ({', '.join(differ)} differ). "
            "Choose another out=DIR, or --fresh to replace it"
        )
    if problem := checkpoint.problem(job.out, {**finished.files, **finished.records}):
        raise UsageError(f"{job.out}: {problem}. Restore the file, or train again with --fresh")
    return True


def _recover(job: RunPaths) -> None:
    """Give a checkpoint its name back that was being replaced when the process was killed."""
    if job.out.parent.is_dir() and not job.out.exists() and processes.is_first():
        with alone(job.work):
            store.recover(job.out)


def run(job: Job, *, fresh: bool = False) -> Mapping[str, float]:
    """Train, and give what was measured; nothing is done where it was done before.

    Args:
        fresh: forget checkpoints of a stopped training, and replace a finished one.

    Raises:
        PrerequisiteError: no room, or another process trains there, or processes do not see one another.
        DivergedError: the loss is NaN or infinite; the batch is kept.
    """
    processes.check_process_count(job.arguments)
    _check_shards(job)
    processes.check_fsdp_device(job.plan.hardware.device)
    if not fresh and processes.agree(lambda: is_done(job)):
        finished = checkpoint.read(job.out)
        return finished.metrics if finished else {}
    with store.explain_os_errors(job.work):
        job.work.mkdir(parents=True, exist_ok=True)
    with alone(job.work), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of names that the libraries use among themselves
        warnings.filterwarnings("ignore", "Could not find a config file")  # PEFT's, of a base known by a name of ours
        resumed = processes.agree(lambda: make_ready(job, fresh, job.arguments.save_total_limit or 2))
        trainer = _trainer(job)
        _train(job, trainer, resumed)
        metrics = _conclude(job, trainer)
    if processes.is_first():
        shutil.rmtree(job.work, ignore_errors=True)
    return metrics


def _check_shards(job: Job) -> None:
    """Raise PrerequisiteError for what needs a whole model in one process, where none has one."""
    if processes.shards(job.arguments) and job.training.on_train_end is not None:
        raise PrerequisiteError(
            f"{job.training.name}: held-out rows are scored by one process, which needs all weights: not with FSDP or "
            "ZeRO-3. Use DDP or ZeRO-2 (examples/accelerate/multi-gpu.yaml, deepspeed-zero2.yaml)"
        )


def make_ready(job: RunPaths, fresh: bool, kept: int) -> tuple[str, dict[str, Any]] | None:
    """Clear what is not to stay, check what remains; the checkpoint to go on from, with the facts of its mark.

    Args:
        job: any stage's.
        kept: checkpoints that lie there at a time.
    """
    if fresh:
        _empty(job.work)
    for left in job.out.parent.glob(f"{store.TEMPORARY}{escape(job.out.name)}-*"):  # of a killed process
        shutil.rmtree(left, ignore_errors=True)
    jobs.check_disk_space(job, kept)
    progress.check_same_training(job.work, {**job.identity, PROCESSES: processes.count()})
    newest = progress.newest_whole(job.work)
    for name in (progress.METRICS, progress.GENERATIONS):
        progress.cut(job.work / name, newest[1]["step"] if newest else 0)
    return (str(newest[0]), newest[1]) if newest else None


def _trainer(job: Job) -> Any:
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    from s2train.training.trainers import Answers, Recorder

    if job.arguments.disable_tqdm or not processes.is_first():
        disable_progress_bars()
        logging.disable_progress_bar()
    equipment = job.training.trainer_kwargs(job) if job.training.trainer_kwargs else {}
    set_seed(job.arguments.seed)
    model = models.load(job.plan)
    config = models.lora_config(job.plan) if job.plan.adapted and job.plan.adapter is None else None
    if job.plan.adapter:
        model = models.start_from(model, job.plan)
    before = models.trained(model) if job.plan.adapter else {}
    if job.plan.task == "CAUSAL_LM":  # of a whole model it is saved, and TRL's samplers stop there
        model.generation_config.eos_token_id = models.ends(model, rows.ends(job.tokenizer, job.template))
    sides = {"train_dataset": Dataset.from_dict(job.train.columns)}
    if len(job.validation):
        sides["eval_dataset"] = Dataset.from_dict(job.validation.columns)
    recorder = Recorder(job.work)
    trainer: Any = job.training.trainer()(
        model=model,
        args=job.arguments,
        processing_class=job.tokenizer,
        peft_config=config,
        callbacks=[recorder, *(Answers.of(job) if job.plan.task == "CAUSAL_LM" else [])],
        **sides,
        **equipment,
    )
    recorder.trainer = trainer
    models.restore(trainer.model, before, job.plan.hardware)
    models.name_base(trainer.model, base_name(job))
    trainer.remove_callback(PrinterCallback)
    trackers.keep(trainer, job.logs)
    return trainer


def base_name(job: Any) -> str:
    """What an adapter calls its base: a name that other machines know, else the folder."""
    base = job.plan.settings.base
    here = Path(base).expanduser()
    return str(here.absolute()) if base not in EMBEDDED and here.is_dir() else base


def _train(job: Job, trainer: Any, resumed: tuple[str, dict[str, Any]] | None) -> None:
    if resumed:
        trainer._total_train_tokens = resumed[1].get("tokens", 0)
    with store.explain_os_errors(job.work):
        trainer.train(resume_from_checkpoint=resumed[0] if resumed else None)


def _conclude(job: Job, trainer: Any) -> dict[str, float]:
    """Measure, and put the checkpoint in place."""
    if job.evaluates and not processes.agree(lambda: _is_evaluated(job, trainer)):
        trainer.evaluate()
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped) if processes.shards(job.arguments) else None
    processes.part()
    if not processes.is_first():
        return {}
    with store.new_unit(job.out) as folder:
        more = job.training.on_train_end(job, trainer, folder) if job.training.on_train_end else {}
        metrics = {**_last(job), **more}
        _save(job, trainer, folder, weights)
        write_checkpoint(job, folder, metrics)
    return metrics


def write_checkpoint(job: Any, folder: Path, metrics: Mapping[str, float]) -> None:
    """Complete a folder that holds weights and tokenizer: records, curves, card, and `s2train.json`.

    Args:
        job: any stage's.
    """
    for name in (progress.METRICS, progress.GENERATIONS):
        with suppress(FileNotFoundError):
            shutil.copyfile(job.work / name, folder / name)
    curves.draw(progress.read(folder / progress.METRICS), folder / CURVES)
    about = Checkpoint(
        template=job.template.name,
        kind=job.training.name,
        base=Source(name=job.plan.base.name, sha256=job.fingerprint),
        quantization=job.plan.quantization(),
        recipe=dict(job.recipe),
        data=dict(job.data),
        versions=checkpoint.versions(),
        metrics=dict(metrics),
        files=checkpoint.hashes(folder, _WEIGHTS),
        records=checkpoint.hashes(folder, RECORDS),
    )
    charts = sorted(path.name for path in folder.glob("*.svg"))
    (folder / CARD).write_text(card(job, about, charts), encoding="utf-8")
    checkpoint.write(folder, about)


def _is_evaluated(job: Job, trainer: Any) -> bool:
    """Whether the weights that are kept, those of the last step or of the best, were evaluated last."""
    if job.arguments.load_best_model_at_end:
        return False
    logged = progress.read(job.work / progress.METRICS)
    return any("eval_loss" in record and record["step"] == trainer.state.global_step for record in logged)


def _save(job: Job, trainer: Any, folder: Path, weights: dict[str, Any] | None) -> None:
    """An ordinary adapter's or model's folder, with the tokenizer.

    Args:
        weights: of all processes, where none has all.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    more = {} if weights is None else {"state_dict": weights}
    if job.plan.adapted:
        model.save_pretrained(folder, selected_adapters=[models.ADAPTER], **more)
        with suppress(FileNotFoundError):
            (folder / CARD).unlink()  # PEFT's, written anew
    else:
        model.save_pretrained(folder, **more)
    job.tokenizer.save_pretrained(folder)
    open_weights(folder)


def open_weights(folder: Path) -> None:
    """Let those read the weights who may read the tokenizer: safetensors writes files for their owner alone."""
    mode = (folder / "tokenizer_config.json").stat().st_mode
    for path in folder.glob("*.safetensors"):
        path.chmod(mode)


def _last(job: Job) -> dict[str, float]:
    """The last of each number that says how training ended."""
    metrics: dict[str, float] = {"train_rows": float(len(job.train))}
    if processes.count() > 1:
        metrics[PROCESSES] = float(processes.count())
    names = {"loss": "train_loss", "num_tokens": "train_tokens", "train_runtime": "seconds"}
    for record in progress.read(job.work / progress.METRICS):
        metrics |= {key: record[name] for name, key in names.items() if record.get(name) is not None}
        metrics |= {
            name: float(value)
            for name, value in record.items()
            if name.startswith("eval_") and value is not None and not name.endswith(("_runtime", "_per_second"))
        }
        metrics["steps"] = float(record["step"])
    metrics.pop("eval_num_tokens", None)
    return metrics


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Only one command trains there at a time; the processes of one command share it."""
    if not processes.is_first():
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
