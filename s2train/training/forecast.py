"""What a training would take: memory by role, steps, tokens and time, without its weights.

Memory follows from shapes; time from the arithmetic and a matrix product that is measured on this machine for a third
of a second. Both are estimates, and are reported as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import ceil
from typing import TYPE_CHECKING, Any

from s2train.training import models, processes
from s2train.training.job import Job
from s2train.training.models import Plan

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from s2eval.models.cost.arithmetic import Shape

REACHED = 0.5  # share of the rate of bare products that training is taken to reach; an assumption
_CHUNK = 1024  # rows of logits that exist at the same time (TRL computes them in pieces), about
_STATES = {
    "8bit": 2,
    "4bit": 1,
    "adafactor": 0,
    "sgd": 0,
    "lion": 4,
    "adalomo": 0,
    "lomo": 0,
}  # bytes a weight; Adam's 8


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, by what they are for."""

    base: int
    adapter: int
    reference: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is computed.

    Attributes:
        steps: of the optimizer.
        sequences: that go through the model at once.
        tokens: of all rows, times epochs; padding is not among them.
        epochs: begun.
    """

    steps: int
    sequences: int
    tokens: int
    epochs: int = 1


def lines(job: Job) -> Iterator[str]:
    """The dry run, in words."""
    yield from job.lines()
    arguments, effort, used = job.arguments, estimate(job), memory(job)
    batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * processes.count()
    yield (
        f"{effort.steps:,} steps of {batch:,} {'packed sequences' if job.packed else 'rows'}, "
        f"{effort.tokens:,} tokens without padding, {arguments.num_train_epochs:g} epochs"
    )
    yield f"memory, estimated from shapes: {in_bytes(used.total)}, and what the libraries themselves take"
    notes = _notes(job)
    for field in fields(used):
        size = getattr(used, field.name)
        if size or (field.name == "reference" and job.training.reference):
            yield f"  {field.name:12} {in_bytes(size):>10}  {notes.get(field.name, '')}".rstrip()
    times, evaluating, rows = evaluations(job, effort), evaluation_time(job, effort), f"{len(job.validation):,} rows"
    parts = [f"{times:,} evaluation{'s' * (times > 1)} of {rows}"] if times else []
    if job.training.on_train_end is not None and len(job.validation):
        parts.append(f"measuring {rows} at the end")
    share = f", of which {in_time(evaluating)} for {' and '.join(parts)}" if parts else "; nothing is evaluated"
    yield time_line(job.plan, duration(job, effort) + evaluating, share)


def time_line(plan: Plan, seconds: float, share: str) -> str:
    """How long it takes, and what share goes into evaluations."""
    return (
        f"time, estimated from the arithmetic and a matrix product measured on this {plan.hardware.device}: "
        f"{in_time(seconds)}{share}"
    )


def estimate(job: Job) -> Effort:
    """Steps and tokens of the complete training, over all processes; packed rows are packed to count them."""
    arguments, rows = job.arguments, len(job.train)
    if job.packed:
        from datasets import Dataset
        from trl import pack_dataset  # pyright: ignore[reportPrivateImportUsage]

        tokens = Dataset.from_dict({"input_ids": job.train.columns["input_ids"]})
        packed: Any = pack_dataset(tokens, job.values["max_length"], "bfd", {})
        rows = len(packed)
    batches = ceil(rows / max(arguments.per_device_train_batch_size, 1) / processes.count())
    per_epoch = max(ceil(batches / max(arguments.gradient_accumulation_steps, 1)), 1)
    steps = arguments.max_steps if arguments.max_steps > 0 else ceil(arguments.num_train_epochs * per_epoch)
    share = steps / per_epoch
    sequences = arguments.per_device_train_batch_size * job.training.sequences_per_row
    return Effort(steps, sequences, round(job.train.tokens * share), ceil(share))


def evaluations(job: Job, effort: Effort) -> int:
    """How often the validation side is evaluated: as `eval_strategy` has it, and after the last step."""
    arguments = job.arguments
    if not job.evaluates:
        return 0
    strategy = str(getattr(arguments.eval_strategy, "value", arguments.eval_strategy))
    times = effort.epochs if strategy == "epoch" else 1
    if strategy == "steps":
        every = arguments.eval_steps or arguments.logging_steps
        every = max(ceil(every * effort.steps) if every < 1 else int(every), 1)
        times = ceil(effort.steps / every)
    return times + bool(arguments.eval_on_start) + bool(arguments.load_best_model_at_end)


def evaluation_time(job: Job, effort: Effort) -> float:
    """Seconds of all evaluations: the loss of every row, the sampled answers, and a reward model's held-out pairs."""
    times, side = evaluations(job, effort), job.validation
    tokens = times * side.tokens * (2 if job.training.reference else 1)
    generations = getattr(job.config, "generations", None)
    if generations is not None and job.plan.task == "CAUSAL_LM":
        tokens += times * min(generations.prompts, len(side)) * generations.max_tokens
    if job.training.on_train_end is not None:
        tokens += side.tokens
    return forward_time(job, tokens)


def forward_time(job: Job, tokens: int) -> float:
    """Seconds of so many tokens through the model once, forwards."""
    return _seconds(job, tokens, 1.0) if tokens else 0.0


def memory(job: Job) -> Memory:
    """What is held at the same time, by shapes."""
    from s2eval.models.cost import memory as sizes

    model = models.outline(job.plan)
    base = sizes.weights(model, 4 if job.plan.quantized else None)
    width = 2 if job.plan.quantized and job.plan.hardware.compute == "bfloat16" else 4
    adapter = job.trainable * width if job.plan.adapted else 0
    reference = 0
    if job.training.reference and not job.arguments.precompute_ref_log_probs:
        reference = (adapter if job.plan.adapter else 0) if job.plan.adapted else base
    optimizer = str(getattr(job.arguments.optim, "value", job.arguments.optim))
    state = next((size for name, size in _STATES.items() if name in optimizer), 2 * width)
    return Memory(base, adapter, reference, job.trainable * width, job.trainable * state, _activations(job, model))


def _activations(job: Job, model: PreTrainedModel) -> int:
    """Of one pass: what the backward pass needs of every layer, or of one and the layers' inputs if checkpointed.

    To what a layer holds anyway, an adapter with dropout adds a copy and a mask of each input of its linear layers, and
    a CPU the attention of every pair of tokens, which accelerators never write down.
    """
    from s2eval.models.cost import memory as sizes

    config = model.config.get_text_config()
    of = sizes.sizes(config, model.dtype)
    longest = job.values["max_length"] if job.packed else max(job.train.lengths)
    tokens = job.arguments.per_device_train_batch_size * job.training.sequences_per_row * longest
    layers, hidden = config.num_hidden_layers, config.hidden_size
    layer = tokens * of.token
    if job.plan.adapted and (job.plan.adapter or job.plan.settings.lora.dropout):
        inner = getattr(config, "intermediate_size", None) or 4 * hidden
        layer += tokens * (6 * hidden + inner) * 5
    if job.plan.hardware.device == "cpu":
        layer += 4 * config.num_attention_heads * tokens * (tokens if job.packed else longest)
    size = layers * layer
    if job.arguments.gradient_checkpointing:
        size = tokens * layers * hidden * model.dtype.itemsize + layer
    return size + (min(_CHUNK, tokens) * of.row if job.plan.task == "CAUSAL_LM" else 0)


def duration(job: Job, effort: Effort) -> float:
    """Seconds: FLOPs over the rate of bare products, times what training reaches of it, in all processes together."""
    passes = 2.0 if job.plan.adapted else 3.0  # forward; backward through activations, and for all weights too
    passes += bool(job.arguments.gradient_checkpointing) + job.training.reference
    return _seconds(job, effort.tokens, passes)


def _seconds(job: Job, tokens: int, passes: float) -> float:
    """Of so many tokens through the model, in all processes together; a pass is one forwards."""
    shape, rate = shape_and_rate(job.plan)
    forward = 2.0 * (shape.linear + (shape.hidden * shape.vocabulary if job.plan.task == "CAUSAL_LM" else 0))
    return tokens * forward * passes / (rate * processes.count())


def shape_and_rate(plan: Plan) -> tuple[Shape, float]:
    """The model's shape, and FLOPs a second that training reaches with it."""
    import torch

    from s2eval.models.cost import arithmetic

    shape, hardware = arithmetic.shape(models.outline(plan)), plan.hardware
    rate = arithmetic.rate(shape, 512, getattr(torch, hardware.compute), torch.device(hardware.device))
    return shape, rate * REACHED


def _notes(job: Job) -> dict[str, str]:
    """What a role's memory consists of."""
    plan, arguments = job.plan, job.arguments
    quantized = "4 bits a weight with scales, embeddings and head apart"
    reference = "a frozen copy of the adapter" if plan.adapter else "the adapter switched off" if plan.adapted else ""
    if job.training.reference and arguments.precompute_ref_log_probs:
        reference = "computed before training"
    return {
        "base": quantized if plan.quantized else plan.hardware.dtype,
        "reference": reference,
        "activations": "computed twice to save memory" if arguments.gradient_checkpointing else "",
    }


def in_bytes(size: int) -> str:
    """A number of bytes, in words."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def in_time(seconds: float) -> str:
    """A duration, in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
