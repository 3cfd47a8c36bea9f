"""From a configuration to a job of PPO: data read and encoded, everything checked that can be without weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2eval import prompts
from s2eval.errors import ConfigError, UsageError
from s2train import checkpoint
from s2train.ppo import judges, questions
from s2train.ppo.config import Ppo
from s2train.ppo.judges import Judge
from s2train.ppo.questions import Prompts
from s2train.training import hardware, models, processes, trackers
from s2train.training import preparation as jobs
from s2train.training.job import Method, RunPaths
from s2train.training.models import Plan
from s2train.training.rows import Encoder, ends
from s2train.weights import location, shards

METHOD = Method(
    name="ppo",
    summary="proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347) of a reward on its own answers",
)
_ROOM = 1024  # tokens of context where a base does not say


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
        asked = self.config.ppo.checkpointing
        return self.plan.hardware.checkpointing if asked is None else asked

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
        rewards = [f"{one.weight:g} × {name} ({one.where.name})" for name, one in self.judges.items()]
        return [
            f"ppo: {self.plan.base.name}{start}, {settings.method} in {self.plan.hardware.dtype} on "
            f"{self.plan.hardware.device}; {self.policy:,} parameters of the policy and {self.value:,} of the value "
            f"are trained, {self.base:,} of the base are not",
            f"reward: {' + '.join(rewards)} - {ppo.kl:g} × KL; reference: {reference}",
            f"template {self.template.name}; at most {self.train.longest:,} tokens of a prompt and "
            f"{ppo.max_new_tokens:,} of an answer",
            self.train.line("train"),
            self.validation.line("validation") if len(self.validation) else "validation: none, so no evaluation",
            *(one.note for one in self.judges.values() if one.note),
        ]


def prepare(config: Ppo, where: str) -> Job:
    """Check and count everything; loads no weights and writes nothing.

    Raises:
        UsageError, PrerequisiteError: what cannot be trained, and why.
    """
    jobs.check_replaceable(Path(config.out).expanduser())
    _check_settings(config, where)
    settings = config.model
    base = location.of_model(settings.base)
    adapter = location.of_adapter(settings.adapter) if settings.adapter else None
    chosen = hardware.choose(settings.dtype, settings.method, *hardware.find())
    plan = Plan(base, settings, chosen, "CAUSAL_LM", adapter)
    weights = shards.find(base.folder)
    fingerprint = shards.fingerprint(weights)
    tokenizer = models.tokenizer(base.folder)
    if adapter:
        models.check_adapter(adapter, "CAUSAL_LM")
        jobs.check_same_base(adapter, base.name, fingerprint)
        models.check_same_tokenizer(tokenizer, adapter)
    trained = prompts.trained_with(adapter.folder) if adapter else None
    template = prompts.get(settings.template or trained or "s2", tokenizer)
    found = judges.find(config, tokenizer, template, base.name, fingerprint, plan.quantization())
    model = models.outline(plan)
    models.check_base(model, plan, weights)
    jobs.check_vocabulary(tokenizer, model, base.name)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None) or _ROOM
    longest = max(config.ppo.max_new_tokens, config.evaluate.max_tokens or 1)
    if config.data.max_prompt + longest > context:
        raise ConfigError(where, [
            f"data.max_prompt: {config.data.max_prompt:,} tokens and an answer of {longest:,} are more than the base's "
            f"context of {context:,}"
        ])  # fmt: skip
    train, validation, hashes = questions.read(config.data, Encoder(tokenizer, template, config.data.max_prompt))
    if adapter:
        hashes["adapter"] = checkpoint.sha256(models.weights(adapter))
    hashes |= {f"reward-{name}": one.sha256 for name, one in found.items()}
    counted = _parameters(config, plan, model)
    recipe = _recipe(config, plan, template.name, found)
    return Job(
        where, config, plan, fingerprint, tokenizer, template, train, validation, found, hashes, recipe, *counted
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


def _recipe(config: Ppo, plan: Plan, template: str, found: Mapping[str, Judge]) -> dict[str, Any]:
    """The configuration as it is written down: names in place of folders."""
    made: dict[str, Any] = config.model_dump(mode="json", exclude={"out", "report_to"})
    made["model"] |= {
        "base": plan.base.name,
        "adapter": plan.adapter and plan.adapter.name,
        "template": template,
        "dtype": plan.hardware.dtype,
    }
    if plan.adapter:
        made["model"].pop("lora")
    if not plan.quantized:
        made["model"].pop("quantization")
    for name in ("dir", "prompts", "validation_prompts"):
        made["data"][name] = made["data"][name] and Path(made["data"][name]).name
    for name, one in found.items():
        made["rewards"][name]["adapter"] = one.where.name
    return jobs.without_none(json.loads(json.dumps(made)))
