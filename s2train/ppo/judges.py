"""Reward models before they are used: whether they belong to this base, this tokenizer and this template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s2eval import prompts
from s2eval.errors import UsageError
from s2train import checkpoint
from s2train.checkpoint import Quantization
from s2train.ppo.config import Rewarded
from s2train.training import calibration, models
from s2train.training import preparation as job
from s2train.weights import location
from s2train.weights.location import Location


@dataclass(frozen=True, slots=True)
class Judge:
    """A reward model that may be used.

    Attributes:
        where: its folder and name.
        weight: in the sum of rewards.
        sha256, size: of the file of its tensors; bytes.
        note: what is not as it was in its training, if anything.
    """

    where: Location
    weight: float
    sha256: str
    size: int
    note: str | None = None


def find(
    config: Rewarded, tokenizer: Any, template: prompts.Template, base: str, fingerprint: str, mine: Quantization | None
) -> Mapping[str, Judge]:
    """Name → reward model.

    Args:
        base, fingerprint: what the policy stands on.
        mine: how that is quantised here.

    Raises:
        UsageError: one does not belong here, or is wrong too often.
        DataError: one is no reward model of s2train.
    """
    judges: dict[str, Judge] = {}
    for name, reward in config.rewards.items():
        where = location.of_adapter(reward.adapter)
        calibration.check_gate(where.folder, minimum=config.gate, allow=config.allow_below_gate)
        job.check_same_base(where, base, fingerprint)
        models.check_same_tokenizer(tokenizer, where)
        about = checkpoint.read(where.folder)
        assert about is not None
        if prompts.get(about.template, tokenizer).hash != template.hash:
            raise UsageError(
                f"reward model {where.name}: it was trained on prompts of template {about.template}, the policy's is "
                f"{template.name}: set model.template, or train another reward model"
            )
        path = models.weights(where)
        note = _difference(name, about.quantization, mine)
        judges[name] = Judge(where, reward.weight, checkpoint.sha256(path), path.stat().st_size, note)
    return judges


def _difference(name: str, theirs: Quantization | None, mine: Quantization | None) -> str | None:
    def words(how: Quantization | None) -> str:
        return "no quantisation" if how is None else f"{how.type}{', double' if how.double else ''}"

    if words(theirs) == words(mine):
        return None
    return (
        f"warning: reward {name} was trained on a base with {words(theirs)}, here it stands on one with {words(mine)}: "
        "its scores are not quite those whose accuracy was measured"
    )
