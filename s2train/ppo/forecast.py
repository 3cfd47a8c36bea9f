"""What PPO would take: memory by role, steps, answers, tokens and time, without weights; and what four models would.

Memory follows from shapes; time from the arithmetic and a matrix product that is measured on this machine for a third
of a second. Both are estimates, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from s2train.ppo.job import Job
from s2train.training import forecast, models

_WIDTH = 4  # bytes of a trained number
_ADAM = 2 * _WIDTH


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, by what they are for.

    Attributes:
        base: shared by all roles.
        policy, value: adapters, the value's with its head.
        reference: a frozen copy; 0 where it is the base.
        rewards: name → its adapter.
        gradients, optimizer: of policy and value.
        learning: activations of a micro-batch that the backward pass needs, and its logits.
        sampling: keys and values of the answers that are sampled together; not at the same time as `learning`.
    """

    base: int
    policy: int
    value: int
    reference: int
    rewards: dict[str, int]
    gradients: int
    optimizer: int
    learning: int
    sampling: int

    @property
    def kept(self) -> int:
        """What is held all the time, but the base."""
        adapters = self.policy + self.value + self.reference + sum(self.rewards.values())
        return adapters + self.gradients + self.optimizer

    @property
    def total(self) -> int:
        return self.base + self.kept + max(self.learning, self.sampling)

    @property
    def apart(self) -> int:
        """With a model of its own for policy, value, reference and each reward."""
        return self.total + (2 + len(self.rewards)) * self.base


def memory(job: Job) -> Memory:
    """What is held, by shapes."""
    from s2eval.models.cost import memory as sizes

    model = models.outline(job.plan)
    config, ppo = model.config.get_text_config(), job.config.ppo
    of = sizes.sizes(config, model.dtype)
    longest = job.train.longest + ppo.max_new_tokens
    tokens = ppo.micro * longest
    layer = tokens * of.token
    if job.plan.hardware.device == "cpu":  # accelerators never write the attention of every pair of tokens down
        layer += 4 * config.num_attention_heads * tokens * longest
    layers = config.num_hidden_layers * layer
    if job.checkpointing:
        layers = layer + config.num_hidden_layers * tokens * config.hidden_size * model.dtype.itemsize
    logits = 3 * ppo.micro * ppo.max_new_tokens * of.row  # in the base's type and fp32, and their gradient
    together = min(ppo.answers, sizes.MOST_ROWS.get(job.plan.hardware.device, sizes.MOST_ROWS_ELSEWHERE))
    policy, value = _WIDTH * job.policy, _WIDTH * job.value
    return Memory(
        base=sizes.weights(model, 4 if job.plan.quantized else None),
        policy=policy,
        value=value,
        reference=policy if job.plan.adapter else 0,
        rewards={name: judge.size for name, judge in job.judges.items()},
        gradients=policy + value,
        optimizer=_ADAM * job.trainable,
        learning=layers + logits,
        sampling=together * longest * of.keys,
    )


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is computed.

    Attributes:
        answers: sampled in all.
        sampled: tokens of answers, at most.
        passed: tokens that go through a model forwards, at most; those that are learnt from once more for each role
            and epoch.
        learnt: of those, with a backward pass.
    """

    answers: int
    sampled: int
    passed: int
    learnt: int


def effort(job: Job) -> Effort:
    """Of the whole training; every answer is taken to be as long as it may be."""
    ppo = job.config.ppo
    answers = ppo.steps * ppo.answers
    prompt = sum(map(len, job.train.tokens)) / len(job.train)
    tokens = round(answers * (prompt + ppo.max_new_tokens))
    measuring = 3 + len(job.judges)
    learnt = 2 * ppo.epochs * tokens
    return Effort(answers, answers * ppo.max_new_tokens, (1 + measuring) * tokens + learnt, learnt)


def duration(job: Job, work: Effort) -> float:
    """Seconds: FLOPs over the rate of bare products, times what training reaches of it (`training.forecast`)."""
    import torch

    from s2eval.models.cost import arithmetic

    shape = arithmetic.shape(models.outline(job.plan))
    forward = 2.0 * (shape.linear + shape.hidden * shape.vocabulary / 2)  # about half of the passes have logits
    hardware = job.plan.hardware
    rate = arithmetic.rate(shape, 512, getattr(torch, hardware.compute), torch.device(hardware.device))
    again = work.learnt if job.checkpointing else 0
    return (work.passed + work.learnt + again) * forward / (rate * forecast.REACHED)


def evaluations(job: Job) -> int:
    """How often the validation prompts are answered: before training, every so many steps, and at the end."""
    wanted, steps = job.config.evaluate, job.config.ppo.steps
    if not wanted.prompts or not len(job.validation):
        return 0
    return 1 + (-(-steps // wanted.every) if wanted.every else 1)


def evaluation(job: Job) -> Effort:
    """Of all evaluations; every answer is taken to be as long as it may be."""
    wanted, longest = job.config.evaluate, job.config.evaluate.max_tokens or job.config.ppo.max_new_tokens
    prompts = job.validation.tokens[: wanted.prompts]
    answers = evaluations(job) * len(prompts)
    tokens = evaluations(job) * (sum(map(len, prompts)) + len(prompts) * longest)
    return Effort(answers, answers * longest, (3 + len(job.judges)) * tokens, 0)


def lines(job: Job) -> Iterator[str]:
    """The dry run, in words."""
    yield from job.lines()
    ppo, work, used = job.config.ppo, effort(job), memory(job)
    yield (
        f"{ppo.steps:,} steps of {ppo.answers:,} answers, {ppo.updates:,} updates; {work.answers:,} answers of at most "
        f"{work.sampled:,} tokens are sampled; {work.passed:,} tokens pass a model, {work.learnt:,} of them backwards"
    )
    yield f"memory, estimated from shapes: {forecast.in_bytes(used.total)}, and what the libraries themselves take"
    named = {
        "base": (used.base, "shared by all roles"),
        "policy": (used.policy, "adapter"),
        "value": (used.value, "adapter and head"),
        "reference": (used.reference, "" if used.reference else "the base, its adapters off"),
        **{f"reward {name}": (taken, "adapter and head") for name, taken in used.rewards.items()},
        "gradients": (used.gradients, "of policy and value"),
        "optimizer": (used.optimizer, "AdamW's two means"),
        "learning": (used.learning, f"activations and logits of {ppo.micro} answers"),
        "sampling": (used.sampling, "keys and values, not at the same time as learning"),
    }
    for name, (taken, why) in named.items():
        yield f"  {name:20} {forecast.in_bytes(taken):>10}  {why}".rstrip()
    count = 3 + len(job.judges)
    yield (
        f"with a model of its own for each of the {count} roles: {forecast.in_bytes(used.apart)}, "
        f"{used.apart / used.total:.1f} times that"
    )
    times, evaluating = evaluations(job), duration(job, evaluation(job))
    share = "; nothing is evaluated"
    if times:
        prompts = min(job.config.evaluate.prompts, len(job.validation))
        share = f", of which {forecast.in_time(evaluating)} for {times:,} evaluations of {prompts:,} prompts"
    yield (
        f"time, estimated from the arithmetic and a matrix product measured on this {job.plan.hardware.device}: "
        f"{forecast.in_time(duration(job, work) + evaluating)}{share}"
    )
