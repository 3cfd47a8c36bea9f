"""Reward models before they are used: whether they belong to this base, this tokenizer and this template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from s2eval import prompts
from s2eval.errors import UsageError
from s2train import checkpoint
from s2train.checkpoint import Quantization
from s2train.ppo.config import Rewarded
from s2train.training import calibration, models
from s2train.training.job import ModelJob
from s2train.training.preparation import Start, check_same_base
from s2train.weights import location
from s2train.weights.location import Location


@dataclass(frozen=True, slots=True)
class Judge:
    """A reward model that may be used.

    Attributes:
        weight: in the sum of rewards.
        sha256, size: of the file of its tensors; bytes.
        note: what is not as it was in its training, if anything.
    """

    where: Location
    weight: float
    sha256: str
    size: int
    note: str | None = None

    def term(self, name: str) -> str:
        """Of the sum of rewards, in words."""
        return f"{self.weight:g} × {name} ({self.where.name})"


def find(config: Rewarded, policy: Start | ModelJob) -> Mapping[str, Judge]:
    """Name → reward model.

    Raises:
        UsageError: one does not belong to the policy's base, or is wrong too often.
        DataError: one is no reward model of s2train.
    """
    judges: dict[str, Judge] = {}
    for name, reward in config.rewards.items():
        where = location.of_adapter(reward.adapter)
        calibration.check_gate(where.folder, minimum=config.gate, allow=config.allow_below_gate)
        check_same_base(where, policy.plan.base.name, policy.fingerprint)
        models.check_same_tokenizer(policy.tokenizer, where)
        about = checkpoint.read(where.folder)
        assert about is not None
        if prompts.get(about.template, policy.tokenizer).hash != policy.template.hash:
            raise UsageError(
                f"reward model {where.name}: it was trained on prompts of template {about.template}, the policy's is "
                f"{policy.template.name}: set model.template, or train another reward model"
            )
        path = models.weights(where)
        theirs, mine = _in_words(about.quantization), _in_words(policy.plan.quantization())
        note = (
            f"warning: reward {name} was trained on a base with {theirs}, here it stands on one with {mine}: "
            "its scores are not quite those whose accuracy was measured"
        )
        sha256, size = checkpoint.sha256(path), path.stat().st_size
        judges[name] = Judge(where, reward.weight, sha256, size, note if theirs != mine else None)
    return judges


def _in_words(quantization: Quantization | None) -> str:
    if quantization is None:
        return "no quantisation"
    return quantization.type + (", double" if quantization.double else "")
