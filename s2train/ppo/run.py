"""PPO is done: begun or resumed, stepped, evaluated, and its policy put in place by one rename."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from s2eval import store
from s2eval.errors import PrerequisiteError
from s2eval.weights import quiet
from s2train.ppo.evaluation import evaluate, means
from s2train.ppo.experience import Experience
from s2train.ppo.job import Job, value_plan
from s2train.ppo.learning import Learner, Task, weigh
from s2train.ppo.optimisation import BrokenExperienceError
from s2train.ppo.processes import Processes, accelerated
from s2train.ppo.roles import POLICY, Roles, read
from s2train.training import models, processes, progress
from s2train.training import run as trainings
from s2train.training.progress import DivergedError, Resumed

if TYPE_CHECKING:
    from accelerate import Accelerator

KEPT = 2  # checkpoints
STATE, WEIGHTS = "state.pt", "adapter_model.safetensors"


def run(job: Job, *, fresh: bool = False) -> Mapping[str, float]:
    """Train and return the metrics; nothing is done where it was done before, unless `fresh`.

    Raises:
        PrerequisiteError: no space, or another process trains there, or processes do not see one another.
        DivergedError: a loss or a gradient is NaN or infinite; the batch is kept.
    """
    accelerator = _accelerator(job)

    def train(resumed: Resumed | None) -> dict[str, float]:
        if processes.is_first():
            store.clear_unfinished(job.work)
            if resumed is None:
                for name in (progress.METRICS, progress.GENERATIONS):  # of the evaluation before step 1
                    (job.work / name).unlink(missing_ok=True)
        learner = _learner(job, accelerator, resumed)
        _train(job, learner, accelerator, resumed.step if resumed else 0)
        processes.wait()
        metrics: dict[str, float] = {}
        if processes.is_first():
            with store.new_unit(job.out) as folder:
                _save_policy(job, learner.roles, folder)
                metrics = _last(job)
                trainings.write_checkpoint(job, folder, metrics)
        accelerator.end_training()
        return metrics

    return trainings.run_once(job, fresh, KEPT, train)


def _accelerator(job: Job) -> Accelerator:
    """accelerate's, which joins the processes; PrerequisiteError where it sees fewer of them than were started."""
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
    processes.check_seen(accelerator.num_processes)
    if accelerator.distributed_type in (DistributedType.DEEPSPEED, DistributedType.FSDP, DistributedType.MEGATRON_LM):
        raise PrerequisiteError(f"ppo: {accelerator.distributed_type.value} is not supported, only DDP")
    if tracker != "none":
        init_kwargs = {tracker: {"name": job.out.name}} if tracker != "tensorboard" else {}
        recipe = json.dumps(dict(job.recipe))
        accelerator.init_trackers("s2train-ppo", config={"recipe": recipe}, init_kwargs=init_kwargs)
    return accelerator


def _learner(job: Job, accelerator: Accelerator, resumed: Resumed | None) -> Learner:
    """Models in their roles, as they were at the checkpoint where there is one."""
    from transformers.utils import logging

    if not processes.is_first() or not sys.stderr.isatty():
        logging.disable_progress_bar()
    torch.manual_seed(job.config.ppo.seed)  # of the adapters that are new
    policy = read(job.plan.adapter.folder) if job.plan.adapter else models.lora_config(job.plan)
    value = models.lora_config(value_plan(job.plan, job.config.value))
    rewards = {name: read(judge.where.folder) for name, judge in job.judges.items()}
    pad = job.tokenizer.pad_token_id
    with quiet(bars=True):
        roles = Roles(models.load(job.plan), policy, value, rewards, pad)
    roles.to(accelerator.device)
    weights = weigh(roles, job.config.ppo)
    wrapped = accelerator.prepare(roles)
    task = Task(job.train.tokens, {name: judge.weight for name, judge in job.judges.items()}, job.ends, pad)
    together = accelerated(accelerator, wrapped) if processes.count() > 1 else Processes()
    ppo = job.config.ppo.model_copy(update={"checkpointing": job.checkpointing})
    learner = Learner(roles, task, ppo, forward=wrapped, weights=weights, processes=together)
    if resumed:
        learner.restore(torch.load(resumed.folder / STATE, map_location=accelerator.device, weights_only=True))
    return learner


def _train(job: Job, learner: Learner, accelerator: Accelerator, done: int) -> None:
    steps, started = job.config.ppo.steps, time.perf_counter()
    if not done:
        _evaluate(job, learner, accelerator, 0)
    for step in range(done + 1, steps + 1):
        before = time.perf_counter()
        try:
            _, figures = learner.step(step - 1)
        except BrokenExperienceError as error:
            raise _broken(job, step, str(error), error.experience) from None
        figures["seconds"] = time.perf_counter() - before
        _log(job, accelerator, step, figures)
        if processes.is_first():
            line = f"reward {figures['reward']:.3f}, KL {figures['kl']:.3f}, {figures['tokens']:.0f} tokens an answer"
            seconds = time.perf_counter() - started
            print(f"step {step:,} of {steps:,}: {line}, {seconds:,.0f} s", file=sys.stderr)  # noqa: T201
        every = job.config.evaluate.every
        if step == steps or (every and step % every == 0):
            _evaluate(job, learner, accelerator, step)
        if step == steps or step % job.config.save_every == 0:
            _save(job, learner, step)


def _log(job: Job, accelerator: Accelerator, step: int, figures: Mapping[str, float]) -> None:
    if processes.is_first():
        progress.append(job.work / progress.METRICS, {"step": step, **figures})
    if job.config.report_to != "none":
        accelerator.log(dict(figures), step=step)


def _evaluate(job: Job, learner: Learner, accelerator: Accelerator, step: int) -> None:
    if not job.config.evaluate.prompts or not len(job.validation):
        return
    records = evaluate(learner.roles, job, learner.processes)
    figures = means(records)
    _log(job, accelerator, step, figures)
    if processes.is_first():
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
            progress.mark_complete(folder)
        for _, old in sorted(progress.checkpoints(job.work))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    processes.wait()


def _broken(job: Job, step: int, problem: str, experience: Experience) -> DivergedError:
    """Save the batch; the error that names it."""
    answers = experience.answers
    tensors = {field: getattr(experience, field) for field in ("old", "values", "advantages", "returns", "rewards")}
    inputs = {"tokens": answers.tokens, "mask": answers.mask, "width": answers.width, **tensors}
    texts = [job.tokenizer.decode(row[mask.bool()]) for row, mask in zip(answers.tokens, answers.mask, strict=True)]
    batch = {"step": step, "inputs": inputs, "scores": dict(experience.scores)}
    advice = "a lower ppo.learning_rate, longer ppo.warmup or a larger ppo.kl"
    return progress.save_broken_batch(job.work, batch, problem, texts, advice)


def _save_policy(job: Job, roles: Roles, folder: Path) -> None:
    """An ordinary PEFT adapter's folder, with the tokenizer."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in roles.adapter(POLICY).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    models.name_base(roles.model, job.base_name)
    config = roles.model.peft_config[POLICY]
    config.inference_mode = True
    config.save_pretrained(str(folder))
    trainings.save_tokenizer(job, folder)


def _last(job: Job) -> dict[str, float]:
    """The last of each number, and where the evaluation began."""
    records = progress.read(job.work / progress.METRICS)
    metrics: dict[str, float] = {"prompts": float(len(job.train)), "steps": float(job.config.ppo.steps)}
    if processes.count() > 1:
        metrics[trainings.PROCESSES] = float(processes.count())
    metrics["seconds"] = sum(record.get("seconds") or 0.0 for record in records)
    for record in records:
        numbers = {name: float(value) for name, value in record.items() if isinstance(value, int | float)}
        if record["step"] == 0:
            metrics |= {f"{name}_before": value for name, value in numbers.items() if name.startswith("eval_")}
        metrics |= {name: value for name, value in numbers.items() if name not in ("step", "seconds")}
    return metrics
