"""What PPO would take: memory by role, steps, answers, tokens and time, without weights; and what four models would.

Estimates, as those of `training.forecast`.
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
    def total(self) -> int:
        adapters = self.policy + self.value + self.reference + sum(self.rewards.values())
        return self.base + adapters + self.gradients + self.optimizer + max(self.learning, self.sampling)

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
    """How much is computed; every answer is taken to be as long as it may be.

    Attributes:
        answers: sampled in all.
        sampled: tokens of answers.
        passed: tokens that go through a model forwards; those that are learnt from once more for each role and epoch.
        learnt: of those, with a backward pass.
    """

    answers: int
    sampled: int
    passed: int
    learnt: int


def effort(job: Job) -> Effort:
    """Of the complete training."""
    ppo = job.config.ppo
    answers = ppo.steps * ppo.answers
    prompt = sum(map(len, job.train.tokens)) / len(job.train)
    tokens = round(answers * (prompt + ppo.max_new_tokens))
    measuring = 3 + len(job.judges)
    learnt = 2 * ppo.epochs * tokens
    return Effort(answers, answers * ppo.max_new_tokens, (1 + measuring) * tokens + learnt, learnt)


def duration(job: Job, work: Effort) -> float:
    """Seconds: FLOPs over the rate that training reaches."""
    shape, rate = forecast.shape_and_rate(job.plan)
    forward = 2.0 * (shape.linear + shape.hidden * shape.vocabulary / 2)  # about half of the passes have logits
    again = work.learnt if job.checkpointing else 0
    return (work.passed + work.learnt + again) * forward / rate


def lines(job: Job) -> Iterator[str]:
    """The dry run, in words."""
    yield from job.lines()
    ppo, evaluate, work, used = job.config.ppo, job.config.evaluate, effort(job), memory(job)
    yield (
        f"{ppo.steps:,} steps of {ppo.answers:,} answers, {ppo.updates:,} updates; {work.answers:,} answers of at most "
        f"{work.sampled:,} tokens are sampled; {work.passed:,} tokens pass a model, {work.learnt:,} of them backwards"
    )
    yield f"memory, estimated from shapes: {forecast.in_bytes(used.total)}, and what the libraries themselves take"
    parts = {
        "base": (used.base, "shared by all roles"),
        "policy": (used.policy, "adapter"),
        "value": (used.value, "adapter and head"),
        "reference": (used.reference, "" if used.reference else "the base, its adapters off"),
        **{f"reward {name}": (size, "adapter and head") for name, size in used.rewards.items()},
        "gradients": (used.gradients, "of policy and value"),
        "optimizer": (used.optimizer, "AdamW's two means"),
        "learning": (used.learning, f"activations and logits of {ppo.micro} answers"),
        "sampling": (used.sampling, "keys and values, not at the same time as learning"),
    }
    for name, (size, why) in parts.items():
        yield f"  {name:20} {forecast.in_bytes(size):>10}  {why}".rstrip()
    roles = 3 + len(job.judges)
    yield (
        f"with a model of its own for each of the {roles} roles: {forecast.in_bytes(used.apart)}, "
        f"{used.apart / used.total:.1f} times that"
    )
    evaluating, share = 0.0, "; nothing is evaluated"
    if prompts := job.validation.tokens[: evaluate.prompts]:
        times = 1 + (-(-ppo.steps // evaluate.every) if evaluate.every else 1)  # before training, and at the end
        answers, longest = times * len(prompts), evaluate.max_tokens or ppo.max_new_tokens
        tokens = times * sum(map(len, prompts)) + answers * longest
        evaluating = duration(job, Effort(answers, answers * longest, roles * tokens, 0))
        share = f", of which {forecast.in_time(evaluating)} for {times:,} evaluations of {len(prompts):,} prompts"
    yield forecast.time_line(job.plan, duration(job, work) + evaluating, share)
