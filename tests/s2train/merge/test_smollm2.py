"""The embedded model, once with each method: tied embeddings, 210 linears, real weights and a real tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval.models.sources import quantized
from tests.s2train.merge import tiny


@pytest.fixture(scope="module")
def adapter(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tiny.load(smollm2, dtype=torch.bfloat16)
    return tiny.train(model, tmp_path_factory.mktemp("adapters") / "lora", step=0.01, r=8, lora_alpha=16)


@pytest.mark.parametrize("method", ["bf16", "qdq"])
def test_smollm2(smollm2: Path, adapter: Path, tmp_path: Path, method: str) -> None:
    from transformers import BitsAndBytesConfig

    options: dict[str, Any] = {"options": {"double": True}} if method == "qdq" else {}
    made = tiny.job("smollm2", adapter, tmp_path / "ours", method, dtype="bfloat16", **options)
    proof = made.run(prove=True)
    model = tiny.load(smollm2, dtype=torch.bfloat16)
    if method == "qdq":
        how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
        model = quantized.dequantize(tiny.load(smollm2, dtype=torch.bfloat16, quantization_config=how))
    theirs = tiny.peft(model, adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    assert sum(bool(step.factors) for step in made.plan.steps()) == 210  # 7 in each of 30 layers
    assert sum(step.quantised for step in made.plan.steps()) == (210 if method == "qdq" else 0)
    assert proof is not None
    assert proof.error < proof.tolerance / 2
    assert made.checkpoint.base is not None
    assert made.checkpoint.base.name == "smollm2"
    assert made.checkpoint.template == "chat"
