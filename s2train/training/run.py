"""A job is done: trained, resumed where it was stopped, measured, and put in place by one rename."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.files import locks
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Source
from s2train.training import curves, models, processes, progress, rows, trackers
from s2train.training import preparation as jobs
from s2train.training.card import card
from s2train.training.job import Job, ModelJob, RunPaths
from s2train.training.progress import Resumed

CARD, CURVES = "README.md", "curves.svg"
RECORDS = (".jsonl",)
PROCESSES = "processes"  # of the metrics, where there were several
_WEIGHTS = (".safetensors", ".bin")


def run(job: Job, *, fresh: bool = False) -> Mapping[str, float]:
    """Train and return the metrics; nothing is done where it was done before, unless `fresh`.

    Raises:
        PrerequisiteError: no space, or another process trains there, or processes do not see one another.
        DivergedError: the loss is NaN or infinite; the batch is kept.
    """
    _ = job.arguments.device  # joins the processes
    processes.check_seen(job.arguments.world_size)
    if processes.shards(job.arguments) and job.training.on_train_end is not None:
        raise PrerequisiteError(
            f"{job.training.name}: held-out rows are scored by one process, which needs all weights: not with FSDP or "
            "ZeRO-3. Use DDP or ZeRO-2 (examples/accelerate/multi-gpu.yaml, deepspeed-zero2.yaml)"
        )
    processes.check_fsdp_device(job.plan.hardware.device)

    def train(resumed: Resumed | None) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of names that the libraries use among themselves
            warnings.filterwarnings("ignore", "Could not find a config file")  # PEFT's, of a base by our name
            trainer = _trainer(job)
            _train(job, trainer, resumed)
            return _on_train_end(job, trainer)

    return run_once(job, fresh, job.arguments.save_total_limit or 2, train)


def _trainer(job: Job) -> Any:
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    from s2train.training.trainers import Answers, Recorder

    if job.arguments.disable_tqdm or not processes.is_first():
        disable_progress_bars()
        logging.disable_progress_bar()
    trainer_kwargs = job.training.trainer_kwargs(job)
    set_seed(job.arguments.seed)
    model = models.load(job.plan)
    config = models.lora_config(job.plan) if job.plan.adapted and job.plan.adapter is None else None
    if job.plan.adapter:
        model = models.start_from(model, job.plan)
    before = models.trained(model) if job.plan.adapter else {}
    recorder = Recorder(job.work)
    callbacks: list[Any] = [recorder]
    if job.plan.task == "CAUSAL_LM":
        # saved with a model that is trained without an adapter, and TRL's samplers stop there
        ends = model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
        model.generation_config.eos_token_id = sorted({*ends, *rows.ends(job.tokenizer, job.template)})
        if job.config.generations.prompts and len(job.validation):
            callbacks.append(Answers(job))
    sides = {"train_dataset": Dataset.from_dict(job.train.columns)}
    if len(job.validation):
        sides["eval_dataset"] = Dataset.from_dict(job.validation.columns)
    trainer: Any = job.training.trainer()(
        model=model,
        args=job.arguments,
        processing_class=job.tokenizer,
        peft_config=config,
        callbacks=callbacks,
        **sides,
        **trainer_kwargs,
    )
    recorder.trainer = trainer
    models.restore(trainer.model, before, job.plan.hardware)
    models.name_base(trainer.model, job.base_name)
    trainer.remove_callback(PrinterCallback)
    trackers.keep(trainer, job.logs)
    return trainer


def _train(job: Job, trainer: Any, resumed: Resumed | None) -> None:
    if resumed:
        trainer._total_train_tokens = resumed.facts.get("tokens", 0)
    with store.explain_os_errors(job.work):
        trainer.train(resume_from_checkpoint=resumed and str(resumed.folder))


def _on_train_end(job: Job, trainer: Any) -> dict[str, float]:
    """Measure, and put the checkpoint in place."""
    if job.evaluates and not processes.agree(lambda: _is_evaluated(job, trainer)):
        trainer.evaluate()
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped) if processes.shards(job.arguments) else None
    processes.part()
    if not processes.is_first():
        return {}
    with store.new_unit(job.out) as folder:
        measured = job.training.on_train_end(job, trainer, folder) if job.training.on_train_end else {}
        metrics = {**_last(job), **measured}
        _save(job, trainer, folder, weights)
        write_checkpoint(job, folder, metrics)
    return metrics


def _is_evaluated(job: Job, trainer: Any) -> bool:
    """Whether the weights that are kept, those of the last step or of the best, were evaluated last."""
    if job.arguments.load_best_model_at_end:
        return False
    logged = progress.read(job.work / progress.METRICS)
    return any("eval_loss" in record and record["step"] == trainer.state.global_step for record in logged)


def _save(job: Job, trainer: Any, folder: Path, weights: dict[str, object] | None) -> None:
    """An ordinary adapter's or model's folder; `weights` are of all processes, where none has all."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    options: dict[str, object] = {} if weights is None else {"state_dict": weights}
    if job.plan.adapted:
        options["selected_adapters"] = [models.ADAPTER]
    model.save_pretrained(folder, **options)
    (folder / CARD).unlink(missing_ok=True)  # PEFT's, rewritten
    save_tokenizer(job, folder)


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


# --- what all stages share ---


def run_once(
    job: ModelJob, fresh: bool, kept: int, train: Callable[[Resumed | None], dict[str, float]]
) -> Mapping[str, float]:
    """Train where no other process does, from the newest checkpoint; the metrics of a finished training otherwise.

    `job` is any stage's, `kept` the number of its checkpoints that lie on the disk at a time. `fresh` forgets them and
    replaces a finished training.
    """
    if not fresh and processes.agree(lambda: is_done(job)):
        finished = checkpoint.read(job.out)
        return finished.metrics if finished else {}
    with store.explain_os_errors(job.work):
        job.work.mkdir(parents=True, exist_ok=True)
    with alone(job.work):
        metrics = train(processes.agree(lambda: make_ready(job, fresh, kept)))
    if processes.is_first():
        shutil.rmtree(job.work, ignore_errors=True)
    return metrics


def is_done(job: RunPaths) -> bool:
    """Whether the very same training has ended before.

    Raises:
        UsageError: another one has, under that name, or its files were changed.
        PrerequisiteError: another process trains there.
    """
    if job.out.parent.is_dir() and not job.out.exists() and processes.is_first():
        with alone(job.work):
            store.recover(job.out)  # that was being replaced when a process was killed
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


def make_ready(job: ModelJob, fresh: bool, kept: int) -> Resumed | None:
    """Clear what is not to stay, check what remains; the checkpoint from which training resumes."""
    if fresh:
        for path in job.work.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for left in job.out.parent.glob(f"{store.TEMPORARY}{escape(job.out.name)}-*"):  # of a killed process
        shutil.rmtree(left, ignore_errors=True)
    jobs.check_disk_space(job, kept)
    progress.check_same_training(job.work, {**job.identity, PROCESSES: processes.count()})
    newest = progress.newest_complete(job.work)
    for name in (progress.METRICS, progress.GENERATIONS):
        progress.cut(job.work / name, newest.step if newest else 0)
    return newest


def save_tokenizer(job: ModelJob, folder: Path) -> None:
    """Beside the weights, which get its mode: safetensors writes files for their owner alone."""
    job.tokenizer.save_pretrained(folder)
    mode = (folder / "tokenizer_config.json").stat().st_mode
    for path in folder.glob("*.safetensors"):
        path.chmod(mode)


def write_checkpoint(job: ModelJob, folder: Path, metrics: Mapping[str, float]) -> None:
    """Complete a folder that holds weights and tokenizer: records, curves, card, and `s2train.json`."""
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


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Only one command trains there at a time; the processes of one command share it."""
    if not processes.is_first():
        yield
        return
    message = f"{work}: another process is training there; wait for it, or choose another out=DIR"
    with locks.exclusive(work.with_name(work.name + ".lock"), message):
        yield
