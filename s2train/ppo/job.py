"""From a configuration to a job of PPO: data read and encoded, everything checked that can be without weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from s2eval.errors import ConfigError, UsageError
from s2train.ppo import judges, questions
from s2train.ppo.config import Ppo
from s2train.ppo.judges import Judge
from s2train.ppo.questions import Prompts
from s2train.training import models, processes, trackers
from s2train.training import preparation as jobs
from s2train.training.config import Lora
from s2train.training.job import Method, ModelJob
from s2train.training.models import Plan
from s2train.training.rows import Encoder, ends

METHOD = Method(
    name="ppo",
    summary="proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347) of a reward on its own answers",
)


@dataclass(frozen=True)
class Job(ModelJob):
    """PPO that was checked, and can begin.

    Attributes:
        judges: name → reward model.
        policy, value: parameters; of the value its head as well. `parameters` are those and the base's; the frozen
            adapters are not among them.
    """

    config: Ppo
    train: Prompts
    validation: Prompts
    judges: Mapping[str, Judge]
    policy: int
    value: int
    training: Method = METHOD

    @property
    def checkpointing(self) -> bool:
        """Whether layers are computed again for their gradients."""
        chosen = self.config.ppo.checkpointing
        return self.plan.hardware.checkpointing if chosen is None else chosen

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: what ended those that were trained on."""
        return ends(self.tokenizer, self.template)

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        settings, ppo = self.plan.settings, self.config.ppo
        start = f", from {self.plan.adapter.name}" if self.plan.adapter else ", a new adapter"
        reference = "a frozen copy of that adapter" if self.plan.adapter else "the base, its adapters off"
        rewards = [judge.term(name) for name, judge in self.judges.items()]
        return [
            f"ppo: {self.plan.base.name}{start}, {settings.method} in {self.plan.hardware.dtype} on "
            f"{self.plan.hardware.device}; {self.policy:,} parameters of the policy and {self.value:,} of the value "
            f"are trained, {self.parameters - self.trainable:,} of the base are not",
            f"reward: {' + '.join(rewards)} - {ppo.kl:g} × KL; reference: {reference}",
            f"template {self.template.name}; at most {self.train.longest:,} tokens of a prompt and "
            f"{ppo.max_new_tokens:,} of an answer",
            self.train.line("train"),
            self.validation.line("validation") if len(self.validation) else "validation: none, so no evaluation",
            *(judge.note for judge in self.judges.values() if judge.note),
        ]


def prepare(config: Ppo, where: str) -> Job:
    """Check and count everything; loads no weights and writes nothing.

    Raises:
        UsageError, PrerequisiteError: what cannot be trained, and why.
    """
    jobs.check_replaceable(Path(config.out).expanduser())
    share = config.ppo.micro * processes.count()
    if config.ppo.minibatch % share:
        problem = f"ppo.minibatch: {config.ppo.minibatch} is no multiple of ppo.micro × processes ({share})"
        raise ConfigError(where, [problem])
    if processes.fsdp():
        raise UsageError("ppo: FSDP keeps no whole model to sample from: use DDP (examples/accelerate/multi-gpu.yaml)")
    trackers.check_installed(config.report_to, "report_to")
    begin = jobs.start(config.model, "CAUSAL_LM")
    rewards = judges.find(config, begin)
    longest = max(config.ppo.max_new_tokens, config.evaluate.max_tokens or 1)
    if config.data.max_prompt + longest > begin.context:
        problem = (
            f"data.max_prompt: {config.data.max_prompt:,} tokens and an answer of {longest:,} are more than the base's "
            f"context of {begin.context:,}"
        )
        raise ConfigError(where, [problem])
    encoder = Encoder(begin.tokenizer, begin.template, config.data.max_prompt)
    train, validation, hashes = questions.read(config.data, encoder)
    recipe = begin.recipe(config, {"out", "report_to"})
    for name, judge in rewards.items():
        recipe["rewards"][name]["adapter"] = judge.where.name
    base = sum(weight.numel() for weight in begin.model.parameters())
    policy, value = (_adapter_parameters(plan) for plan in (begin.plan, value_plan(begin.plan, config.value)))
    value += begin.model.config.get_text_config().hidden_size + 1  # its head
    return Job(
        where=where,
        config=config,
        plan=begin.plan,
        fingerprint=begin.fingerprint,
        tokenizer=begin.tokenizer,
        template=begin.template,
        train=train,
        validation=validation,
        judges=rewards,
        data=hashes | begin.hashes() | {f"reward-{name}": judge.sha256 for name, judge in rewards.items()},
        recipe=jobs.as_recorded(recipe),
        parameters=base + policy + value,
        trainable=policy + value,
        policy=policy,
        value=value,
    )


def value_plan(plan: Plan, shape: Lora) -> Plan:
    """The plan of the value's adapter on the policy's base."""
    return replace(plan, settings=plan.settings.model_copy(update={"lora": shape, "adapter": None}), adapter=None)


def _adapter_parameters(plan: Plan) -> int:
    model = models.outlined_adapter(models.outline(plan), plan)
    return sum(weight.numel() for name, weight in model.named_parameters() if "lora_" in name)
