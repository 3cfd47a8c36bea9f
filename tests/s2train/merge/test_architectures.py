"""Other architectures than Llama and GPT-2: nothing in the code knows their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval.errors import UsageError
from s2eval.models.sources import quantized
from tests.models import architectures
from tests.s2train.merge import tiny


@pytest.mark.parametrize("name", ["qwen2.5", "qwen3", "phi3", "gemma3", "opt", "gpt-neox", "bloom"])
def test_both_methods(tmp_path: Path, name: str) -> None:
    from transformers import BitsAndBytesConfig

    base = tmp_path / "base"
    architectures.make(name, 300).bfloat16().save_pretrained(base)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", step=0.02)
    how: Any = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    dequantized = quantized.dequantize(tiny.load(base, quantization_config=how))
    for method, model in (("bf16", tiny.load(base)), ("qdq", dequantized)):
        made = tiny.merged(base, adapter, tmp_path / method, method)
        theirs = tiny.peft(model, adapter, tmp_path / f"peft-{method}")
        assert tiny.differences(tiny.tensors(tmp_path / method), theirs) == []
        assert any(step.factors for step in made.plan.steps())


def test_experts_that_transformers_stores_under_other_names(tmp_path: Path) -> None:
    """Mixtral's file has a matrix an expert, its class all experts in one: what is not adapted is copied as it is."""
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4}
    base = tmp_path / "base"
    MixtralForCausalLM(MixtralConfig(vocab_size=300, **sizes, **heads)).bfloat16().save_pretrained(base)
    assert "model.layers.0.block_sparse_moe.experts.3.w1.weight" in tiny.tensors(base)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["q_proj", "v_proj"])
    tiny.merged(base, adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    experts = tiny.train(tiny.load(base), tmp_path / "experts")  # all linears
    with pytest.raises(UsageError, match="target_parameters"):
        tiny.job(base, experts, tmp_path / "nowhere")


def test_layers_that_bitsandbytes_does_not_know(tmp_path: Path) -> None:
    """Falcon's linears are a class of their own: loaded in 4 bits it is not quantised at all."""
    architectures.make("falcon", 300).bfloat16().save_pretrained(tmp_path / "base")
    adapter = tiny.train(tiny.load(tmp_path / "base"), tmp_path / "adapter")
    tiny.merged(tmp_path / "base", adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(tmp_path / "base"), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    with pytest.raises(UsageError, match="quantises no layer of FalconForCausalLM"):
        tiny.job(tmp_path / "base", adapter, tmp_path / "nowhere", "qdq")
