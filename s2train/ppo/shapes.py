"""Adapters without weights: how many parameters each trained one has."""

from __future__ import annotations

from dataclasses import replace

from s2train.training import models
from s2train.training.config import Lora
from s2train.training.models import Plan


def of_value(plan: Plan, shape: Lora) -> Plan:
    """The plan of the value's adapter on the policy's base."""
    return replace(plan, settings=plan.settings.model_copy(update={"lora": shape, "adapter": None}), adapter=None)


def trained(plan: Plan) -> int:
    """Parameters of a plan's adapter.

    Raises:
        UsageError: the base has no module of the names that are asked for.
    """
    model = models.outlined_adapter(models.outline(plan), plan)
    return sum(weight.numel() for name, weight in model.named_parameters() if "lora_" in name)
