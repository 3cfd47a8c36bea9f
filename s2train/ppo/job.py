"""From a configuration to a job of PPO: data read and encoded, everything checked that can be without weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2eval import prompts
from s2eval.errors import ConfigError, UsageError
from s2train.ppo import judges, questions
from s2train.ppo.config import Ppo
from s2train.ppo.judges import Judge
from s2train.ppo.questions import Prompts
from s2train.training import preparation as jobs
from s2train.training import processes, trackers
from s2train.training.job import Method, RunPaths
from s2train.training.models import Plan
from s2train.training.rows import Encoder, ends

METHOD = Method(
    name="ppo",
    summary="proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347) of a reward on its own answers",
)


@dataclass(frozen=True)
class Job(RunPaths):
    """PPO that was checked, and can begin.

    Attributes:
        where: the configuration's name, for messages.
        config: as users wrote it.
        plan: of the base and the policy.
        fingerprint: of the base's weights.
        tokenizer, template: of the base; how questions become prompts.
        train, validation: prompts; none where there is no validation side.
        judges: name → reward model.
        data: name → SHA-256 of the files, adapters included.
        recipe: the configuration as it is written down, without this machine's folders.
        base, policy, value: parameters; of the value its head as well.
    """

    where: str
    config: Ppo
    plan: Plan
    fingerprint: str
    tokenizer: Any
    template: prompts.Template
    train: Prompts
    validation: Prompts
    judges: Mapping[str, Judge]
    data: Mapping[str, str]
    recipe: Mapping[str, Any]
    base: int
    policy: int
    value: int
    training: Method = METHOD

    @property
    def trainable(self) -> int:
        """Parameters of policy and value."""
        return self.policy + self.value

    @property
    def checkpointing(self) -> bool:
        """Whether layers are computed again for their gradients."""
        wanted = self.config.ppo.checkpointing
        return self.plan.hardware.checkpointing if wanted is None else wanted

    @property
    def parameters(self) -> int:
        """Those and the base's; the frozen adapters are not among them."""
        return self.base + self.trainable

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer: what ended those that were trained on."""
        return ends(self.tokenizer, self.template)

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        settings, ppo = self.plan.settings, self.config.ppo
        start = f", from {self.plan.adapter.name}" if self.plan.adapter else ", a new adapter"
        reference = "a frozen copy of that adapter" if self.plan.adapter else "the base, its adapters off"
        rewards = [f"{judge.weight:g} × {name} ({judge.where.name})" for name, judge in self.judges.items()]
        return [
            f"ppo: {self.plan.base.name}{start}, {settings.method} in {self.plan.hardware.dtype} on "
            f"{self.plan.hardware.device}; {self.policy:,} parameters of the policy and {self.value:,} of the value "
            f"are trained, {self.base:,} of the base are not",
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
    _check_settings(config, where)
    begin = jobs.start(config.model, "CAUSAL_LM")
    plan, tokenizer, template = begin.plan, begin.tokenizer, begin.template
    rewards = judges.find(config, tokenizer, template, plan.base.name, begin.fingerprint, plan.quantization())
    longest = max(config.ppo.max_new_tokens, config.evaluate.max_tokens or 1)
    if config.data.max_prompt + longest > begin.context:
        raise ConfigError(where, [
            f"data.max_prompt: {config.data.max_prompt:,} tokens and an answer of {longest:,} are more than the base's "
            f"context of {begin.context:,}"
        ])  # fmt: skip
    train, validation, hashes = questions.read(config.data, Encoder(tokenizer, template, config.data.max_prompt))
    hashes |= begin.hashes() | {f"reward-{name}": judge.sha256 for name, judge in rewards.items()}
    recipe = begin.recipe(config, {"out", "report_to"})
    for name, judge in rewards.items():
        recipe["rewards"][name]["adapter"] = judge.where.name
    base, policy, value = _parameters(config, plan, begin.model)
    return Job(
        where=where,
        config=config,
        plan=plan,
        fingerprint=begin.fingerprint,
        tokenizer=tokenizer,
        template=template,
        train=train,
        validation=validation,
        judges=rewards,
        data=hashes,
        recipe=jobs.without_none(json.loads(json.dumps(recipe))),
        base=base,
        policy=policy,
        value=value,
    )


def _check_settings(config: Ppo, where: str) -> None:
    """Raise ConfigError, PrerequisiteError or UsageError for what could not go on later."""
    share = config.ppo.micro * processes.count()
    if config.ppo.minibatch % share:
        raise ConfigError(where, [
            f"ppo.minibatch: {config.ppo.minibatch} is no multiple of ppo.micro × processes ({share})"
        ])  # fmt: skip
    if processes.fsdp():
        raise UsageError("ppo: FSDP keeps no whole model to sample from: use DDP (examples/accelerate/multi-gpu.yaml)")
    trackers.check_installed(config.report_to, "report_to")


def _parameters(config: Ppo, plan: Plan, model: Any) -> tuple[int, int, int]:
    """Of base, policy, and value with its head."""
    from s2train.ppo import shapes

    width = model.config.get_text_config().hidden_size
    before = sum(weight.numel() for weight in model.parameters())
    policy = shapes.trained(plan)
    return before, policy, shapes.trained(shapes.of_value(plan, config.value)) + width + 1
