"""Adapters of one tiny base, each made by `s2train`: SFT, two reward models, DPO from the base and from SFT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.s2train.training import tiny


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> dict[str, Path]:
    """Name → folder; `data` is that of a builder."""
    folder = tmp_path_factory.mktemp("label")
    base, data = tiny.base(folder / "base", smollm2), tiny.data(folder / "data")

    def trained(name: str, stage: str, model: dict[str, Any] | None = None, **arguments: Any) -> Path:
        raw = tiny.recipe(stage, base, data, folder / name, save_steps=100, **arguments)
        if model:
            raw["model"] = {"base": str(base), **model}
        if stage != "reward":
            raw["generations"] = {"prompts": 0}
        return tiny.train(stage, raw, folder).out

    found = {"base": base, "data": data, "sft": trained("sft", "sft")}
    found["plain"] = trained("plain", "reward", num_train_epochs=4)
    found["other"] = trained("other", "reward", {"adapter": str(found["sft"])}, num_train_epochs=4, seed=7)
    found["dpo"] = trained("dpo", "dpo", beta=0.3)
    found["dpo-sft"] = trained("dpo-sft", "dpo", {"adapter": str(found["sft"])})
    return found
