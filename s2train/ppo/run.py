"""PPO is done: begun or resumed, stepped, evaluated, and its policy put in place by one rename."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from s2eval import store
from s2eval.errors import PrerequisiteError
from s2eval.weights import quiet
from s2train import checkpoint
from s2train.ppo import shapes
from s2train.ppo.evaluation import evaluate, means
from s2train.ppo.experience import Experience
from s2train.ppo.job import Job
from s2train.ppo.learning import Learner, Task, weigh
from s2train.ppo.optimisation import BrokenExperienceError
from s2train.ppo.processes import Processes, accelerated
from s2train.ppo.roles import POLICY, Roles, read
from s2train.training import models, processes, progress
from s2train.training import run as trainings
from s2train.training.progress import DivergedError

KEPT = 2  # checkpoints
STATE, WEIGHTS = "state.pt", "adapter_model.safetensors"


def run(job: Job, *, fresh: bool = False) -> Mapping[str, float]:
    """Train, and give what was measured; nothing is done where it was done before.

    Args:
        fresh: forget checkpoints of a stopped training, and replace a finished one.

    Raises:
        PrerequisiteError: no room, or another process trains there, or processes do not see one another.
        DivergedError: a loss or a gradient is NaN or infinite; the batch is kept.
    """
    accelerator = _accelerator(job)
    if not fresh and processes.agree(lambda: trainings.is_done(job)):
        finished = checkpoint.read(job.out)
        return finished.metrics if finished else {}
    with store.explain_os_errors(job.work):
        job.work.mkdir(parents=True, exist_ok=True)
    with trainings.alone(job.work):
        resumed = processes.agree(lambda: _make_ready(job, fresh))
        learner = _learner(job, accelerator, resumed)
        _train(job, learner, accelerator, resumed[1]["step"] if resumed else 0)
        processes.wait()
        metrics = _conclude(job, learner) if processes.is_first() else {}
    accelerator.end_training()
    if processes.is_first():
        shutil.rmtree(job.work, ignore_errors=True)
    return metrics


def _accelerator(job: Job) -> Any:
    """accelerate's, which joins the processes.

    Raises:
        PrerequisiteError: it sees another number of them than were started.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType
    from accelerate.utils import ProjectConfiguration

    tracker = job.config.report_to
    accelerator = Accelerator(
        cpu=job.plan.hardware.device == "cpu",
        mixed_precision="no",  # types are those of the base and of its adapters
        log_with=None if tracker == "none" else tracker,
        project_config=ProjectConfiguration(project_dir=str(job.logs)),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if accelerator.num_processes != processes.count():
        raise PrerequisiteError(
            f"{processes.count()} processes were started (WORLD_SIZE), accelerate sees {accelerator.num_processes}: "
            "every one would train alone. Start them by torchrun --nproc_per_node 2 -m s2train …"
        )
    if accelerator.distributed_type in (DistributedType.DEEPSPEED, DistributedType.FSDP, DistributedType.MEGATRON_LM):
        raise PrerequisiteError(f"ppo: {accelerator.distributed_type.value} is not supported, only DDP")
    if tracker != "none":
        named = {tracker: {"name": job.out.name}} if tracker != "tensorboard" else {}
        accelerator.init_trackers("s2train-ppo", config={"recipe": json.dumps(dict(job.recipe))}, init_kwargs=named)
    return accelerator


def _make_ready(job: Job, fresh: bool) -> tuple[str, dict[str, Any]] | None:
    resumed = trainings.make_ready(job, fresh, KEPT)
    store.clear_unfinished(job.work)
    if resumed is None:
        for name in (progress.METRICS, progress.GENERATIONS):  # of the evaluation before step 1
            (job.work / name).unlink(missing_ok=True)
    return resumed


def _learner(job: Job, accelerator: Any, resumed: tuple[str, dict[str, Any]] | None) -> Learner:
    """Models in their roles, as they were at the checkpoint where there is one."""
    from transformers.utils import logging

    if not processes.is_first() or not sys.stderr.isatty():
        logging.disable_progress_bar()
    torch.manual_seed(job.config.ppo.seed)  # of the adapters that are new
    policy = read(str(job.plan.adapter.folder)) if job.plan.adapter else models.lora_config(job.plan)
    value = models.lora_config(shapes.of_value(job.plan, job.config.value))
    rewards = {name: read(str(judge.where.folder)) for name, judge in job.judges.items()}
    with quiet(bars=True):
        roles = Roles(models.load(job.plan), policy, value, rewards, job.tokenizer.pad_token_id)
    roles.to(accelerator.device)
    weights = weigh(roles, job.config.ppo)
    wrapped = accelerator.prepare(roles)
    task = Task(
        job.train.tokens,
        {name: judge.weight for name, judge in job.judges.items()},
        job.ends,
        job.tokenizer.pad_token_id,
    )
    together = accelerated(accelerator, wrapped) if processes.count() > 1 else Processes()
    ppo = job.config.ppo.model_copy(update={"checkpointing": job.checkpointing})
    learner = Learner(roles, task, ppo, forward=wrapped, weights=weights, processes=together)
    if resumed:
        learner.restore(torch.load(Path(resumed[0]) / STATE, map_location=accelerator.device, weights_only=True))
    return learner


def _train(job: Job, learner: Learner, accelerator: Any, done: int) -> None:
    steps, started = job.config.ppo.steps, time.perf_counter()
    if not done:
        _evaluate(job, learner, accelerator, 0)
    for number in range(done, steps):
        before = time.perf_counter()
        try:
            _, figures = learner.step(number)
        except BrokenExperienceError as error:
            raise _broken(job, number + 1, str(error), error.experience) from None
        figures["seconds"] = time.perf_counter() - before
        _log(job, accelerator, number + 1, figures)
        if processes.is_first():
            line = f"reward {figures['reward']:.3f}, KL {figures['kl']:.3f}, {figures['tokens']:.0f} tokens an answer"
            seconds = time.perf_counter() - started
            print(f"step {number + 1:,} of {steps:,}: {line}, {seconds:,.0f} s", file=sys.stderr)  # noqa: T201
        every, last = job.config.evaluate.every, number + 1 == steps
        if last or (every and (number + 1) % every == 0):
            _evaluate(job, learner, accelerator, number + 1)
        if last or (number + 1) % job.config.save_every == 0:
            _save(job, learner, number + 1)


def _log(job: Job, accelerator: Any, step: int, figures: Mapping[str, float]) -> None:
    if processes.is_first():
        progress.append(job.work / progress.METRICS, {"step": step, **figures})
    if job.config.report_to != "none":
        accelerator.log(dict(figures), step=step)


def _evaluate(job: Job, learner: Learner, accelerator: Any, step: int) -> None:
    if not job.config.evaluate.prompts or not len(job.validation):
        return
    records = evaluate(learner.roles, job, learner.processes)
    figures = means(records)
    _log(job, accelerator, step, figures)
    if not processes.is_first():
        return
    for record in records:
        progress.append(job.work / progress.GENERATIONS, {"step": step, **record})
    names = {"reward": "eval_reward", "KL": "eval_kl", "grade": "eval_fkg", "words": "eval_words"}
    line = ", ".join(f"{name} {figures[key]:.3f}" for name, key in names.items())
    print(f"step {step:,}: {len(records)} validation prompts: {line}", file=sys.stderr)  # noqa: T201


def _save(job: Job, learner: Learner, step: int) -> None:
    """A checkpoint, which appears by one rename; the oldest goes."""
    if processes.is_first():
        with store.new_unit(job.work / f"{progress.PREFIX}{step}") as folder:
            torch.save(learner.state(), folder / STATE)
            progress.mark_whole(folder)
        numbered = {int(path.name.removeprefix(progress.PREFIX)): path for path in job.work.glob(f"{progress.PREFIX}*")}
        for number in sorted(numbered)[:-KEPT]:
            shutil.rmtree(numbered[number], ignore_errors=True)
    processes.wait()


def _broken(job: Job, step: int, what: str, experience: Experience) -> DivergedError:
    """Save the batch; the error that says where."""
    answers = experience.answers
    tensors = {field: getattr(experience, field) for field in ("old", "values", "advantages", "returns", "rewards")}
    inputs = {"tokens": answers.tokens, "mask": answers.mask, "width": answers.width, **tensors}
    texts = [job.tokenizer.decode(row[mask.bool()]) for row, mask in zip(answers.tokens, answers.mask, strict=True)]
    batch = {"step": step, "inputs": inputs, "scores": dict(experience.scores)}
    return progress.keep_batch(
        job.work, batch, what, texts, "a lower ppo.learning_rate, longer ppo.warmup or a larger ppo.kl"
    )


def _conclude(job: Job, learner: Learner) -> dict[str, float]:
    """Put the checkpoint in place."""
    with store.new_unit(job.out) as folder:
        _save_policy(job, learner.roles, folder)
        metrics = _last(job)
        trainings.write_checkpoint(job, folder, metrics)
    return metrics


def _save_policy(job: Job, roles: Roles, folder: Path) -> None:
    """An ordinary PEFT adapter's folder, with the tokenizer."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in roles.adapter(POLICY).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    models.name_base(roles.model, trainings.base_name(job))
    config = roles.model.peft_config[POLICY]
    config.inference_mode = True
    config.save_pretrained(str(folder))
    job.tokenizer.save_pretrained(folder)
    trainings.open_weights(folder)


def _last(job: Job) -> dict[str, float]:
    """The last of each number, and where the evaluation began."""
    records = progress.read(job.work / progress.METRICS)
    metrics: dict[str, float] = {"prompts": float(len(job.train)), "steps": float(job.config.ppo.steps)}
    if processes.count() > 1:
        metrics[trainings.PROCESSES] = float(processes.count())
    metrics["seconds"] = sum(record.get("seconds") or 0.0 for record in records)
    for record in records:
        kept = {name: float(value) for name, value in record.items() if isinstance(value, int | float)}
        if record["step"] == 0:
            metrics |= {f"{name}_before": value for name, value in kept.items() if name.startswith("eval_")}
        metrics |= {name: value for name, value in kept.items() if name not in ("step", "seconds")}
    return metrics
