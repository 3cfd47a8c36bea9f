"""RLOO and GRPO, by TRL's trainers, with reward models that are adapters of the policy's own base.

G answers are sampled to a prompt. RLOO: an answer's advantage is its reward less the mean of the others' (Ahmadian et
al. 2024, arXiv 2402.14740), KL from the reference being part of the reward. GRPO: (r - mean) / deviation of its group,
KL being part of the loss (Shao et al. 2024, arXiv 2402.03300). No value model; the reference is where training starts,
as for DPO.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pkgutil import resolve_name
from typing import Any, Literal

from pydantic import Field, field_validator

from s2eval.errors import ConfigError, PrerequisiteError, UsageError
from s2eval.prompts import Turn
from s2train.data.records import PairLine, is_blank
from s2train.ppo import judges
from s2train.ppo.config import Rewarded
from s2train.ppo.judges import Judge
from s2train.ppo.settings import PPO
from s2train.training import forecast, processes
from s2train.training.config import Generations, Pairs
from s2train.training.job import Job, TrlTraining
from s2train.training.preparation import files_of_set
from s2train.training.rows import BLANK, Encoder, Rows, blocks, tokens_of

_DEFAULT = PPO()
_PASSES = 3  # forward passes beside training's: sampling, own probabilities, the reference


class Prompts(Pairs):
    """Questions; their answers are not used."""

    @field_validator("overlong")
    @classmethod
    def _drop(cls, value: str) -> str:
        if value != "drop":
            raise ValueError("a cut prompt is another question: only `drop`")
        return value


class Online(Rewarded):
    """`s2train ppo` with `algorithm: rloo` or `grpo`.

    Attributes:
        data: whose questions are answered.
        missing_end_penalty: taken from the reward of an answer that did not end by itself.
        generations: a sample of answers at every evaluation.
    """

    algorithm: Literal["rloo", "grpo"]
    data: Prompts
    missing_end_penalty: float = Field(_DEFAULT.missing_end_penalty, ge=0)
    generations: Generations = Generations.model_validate({})


@dataclass(frozen=True)
class OnlineJob(Job):
    """A job with its reward models, by name."""

    judges: Mapping[str, Judge]

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        parts = [judge.term(name) for name, judge in self.judges.items()]
        if self.config.missing_end_penalty:
            parts.append(f"-{self.config.missing_end_penalty:g} for an answer that does not end")
        notes = [judge.note for judge in self.judges.values() if judge.note]
        return [*super().lines(), f"reward: {', '.join(parts)}", *notes]


def with_judges(job: Job) -> OnlineJob:
    """The job with its reward models, once its sizes are checked.

    Raises:
        UsageError, PrerequisiteError: what cannot be trained, and why.
    """
    _check_sizes(job)
    models = judges.find(job.config, job)
    rewards = {name: {"adapter": judge.where.name, "weight": judge.weight} for name, judge in models.items()}
    hashes = {f"reward-{name}": judge.sha256 for name, judge in models.items()}
    values = {field.name: getattr(job, field.name) for field in fields(job)}
    values |= {"recipe": {**job.recipe, "rewards": rewards}, "data": {**job.data, **hashes}}
    return OnlineJob(**values, judges=models)


def _check_sizes(job: Job) -> None:
    """Raise ConfigError for sizes with which nothing would be learnt, or a killed training could not resume."""
    arguments, problems = job.arguments, list[str]()
    if arguments.num_generations < 2:
        problems.append("arguments.num_generations: at least 2: an answer is judged by the others to its prompt")
    group = arguments.generation_batch_size // arguments.num_generations
    if len(job.train) < group:
        problems.append(f"data: {len(job.train)} prompts, but {group} are answered together: fewer, or more data")
    every = _steps_per_sampling(job)
    if arguments.save_strategy == "steps" and arguments.save_steps % every:
        problems.append(
            f"arguments.save_steps: {arguments.save_steps:g} is no multiple of {every}, the steps that share their "
            "answers: a killed training would lose those between"
        )
    answers = arguments.num_generations_eval or arguments.num_generations
    if len(job.validation) and arguments.per_device_eval_batch_size * processes.count() % answers:
        problems.append(
            f"arguments.per_device_eval_batch_size: must be a multiple of {answers}, the answers to a prompt"
        )
    if arguments.train_sampling_strategy == "group_by_length":
        problems.append("arguments.train_sampling_strategy: group_by_length: answers are not there yet; leave it out")
    if problems:
        raise ConfigError(job.where, problems)


def _steps_per_sampling(job: Job) -> int:
    """Steps of the optimizer that learn from the same answers."""
    arguments = job.arguments
    return max(arguments.steps_per_generation * arguments.num_iterations // arguments.gradient_accumulation_steps, 1)


def lines(job: OnlineJob) -> Iterator[str]:
    """The dry run, in words."""
    yield from job.lines()
    arguments, every = job.arguments, _steps_per_sampling(job)
    group = arguments.generation_batch_size // arguments.num_generations
    per_epoch = max(len(job.train) // group, 1) * every
    steps = arguments.max_steps if arguments.max_steps > 0 else round(arguments.num_train_epochs * per_epoch)
    sampled = -(-steps // every) * arguments.generation_batch_size
    longest = sampled * job.train.tokens // len(job.train)
    yield (
        f"{steps:,} steps; {sampled:,} answers are sampled, {arguments.num_generations} to a prompt, at most "
        f"{longest:,} tokens with their prompts"
    )
    used = forecast.memory(job)
    copies = len(job.judges) * job.trainable * 4 + (job.trainable * 4 if job.plan.adapter and arguments.beta else 0)
    yield (
        f"memory, estimated from shapes: {(used.total + copies) / 1e9:.2f} GB: base {used.base / 1e9:.2f}, adapter and "
        f"what trains it {(used.adapter + used.gradients + used.optimizer) / 1e9:.2f}, rewards and reference "
        f"{copies / 1e9:.2f} if they have the policy's shape, activations {used.activations / 1e9:.2f}"
    )
    epochs = -(-steps // per_epoch)
    effort = forecast.Effort(steps, arguments.per_device_train_batch_size, longest * arguments.num_iterations, epochs)
    passes = _PASSES - (not arguments.beta) + len(job.judges)
    seconds = forecast.duration(job, effort) * (1 + passes / 2)
    times = forecast.evaluations(job, effort)
    answers = arguments.num_generations_eval or arguments.num_generations
    evaluating = times * answers * forecast.forward_time(job, job.validation.tokens) * passes
    yield (
        f"time: not less than {(seconds + evaluating) / 3600:.2f} h, of which {evaluating / 3600:.2f} h for {times:,} "
        f"evaluation{'s' * (times != 1)} of {len(job.validation):,} prompts; sampling token by token takes more than "
        "its arithmetic"
    )


def _rows(settings: Any, encoder: Encoder, lines: Iterable[PairLine]) -> Rows:
    """Rows: `prompt`, as text."""
    answer = settings.arguments.max_completion_length or _DEFAULT.max_new_tokens
    if answer >= encoder.max_length:
        raise UsageError(
            f"arguments.max_completion_length: {answer}: nothing of arguments.max_length ({encoder.max_length}) is "
            "left for prompts"
        )
    rows = Rows()
    for block in blocks(lines):
        prompts = [encoder.prompt([Turn(line.question)]) for line in block if not is_blank(line.question)]
        rows.read += len(block)
        rows.skip(BLANK, len(block) - len(prompts))
        for prompt, tokens in zip(prompts, tokens_of(encoder.tokenizer, prompts), strict=True):
            length = len(tokens) + answer
            if length > encoder.max_length:
                rows.dropped += 1
            else:
                rows.columns.setdefault("prompt", []).append(prompt)
                rows.add(length, length, prompt, "", "")
    return rows


def _trainer_kwargs(job: Job) -> dict[str, object]:
    from s2train.ppo.reward_functions import functions
    from s2train.ppo.roles import read

    assert isinstance(job, OnlineJob)
    if processes.shards(job.arguments):
        raise PrerequisiteError(
            f"{job.training.name}: every process scores its answers by itself, which needs all weights: not with FSDP "
            "or ZeRO-3. Use DDP or ZeRO-2 (examples/accelerate/multi-gpu.yaml, deepspeed-zero2.yaml)"
        )
    stored = {name: read(judge.where.folder) for name, judge in job.judges.items()}
    batch, penalty = job.arguments.per_device_train_batch_size, job.config.missing_end_penalty
    reward_functions = functions(stored, job.tokenizer, batch, penalty)
    weights = [judge.weight for judge in job.judges.values()]
    job.arguments.reward_weights = weights + [1.0] * (len(reward_functions) - len(weights))
    return {"reward_funcs": reward_functions}


def online_training(name: Literal["rloo", "grpo"], summary: str) -> TrlTraining:
    """What RLOO and GRPO share."""
    module = "s2train.ppo.sampling_trainers"
    return TrlTraining(
        name=name,
        summary=summary,
        command="ppo",
        config=Online,
        task="CAUSAL_LM",
        line=PairLine,
        arguments=partial(resolve_name, f"{module}:{name.title()}Arguments"),
        defaults={
            "eval_strategy": "no", "logging_steps": 1, "num_generations": 4,
            "max_completion_length": _DEFAULT.max_new_tokens,
            "beta": _DEFAULT.kl, "learning_rate": _DEFAULT.learning_rate,
        },
        files=files_of_set,
        rows=_rows,
        trainer=partial(resolve_name, f"{module}:{name.title()}"),
        trainer_kwargs=_trainer_kwargs,
        job=with_judges,
        lines=lines,
    )  # fmt: skip
