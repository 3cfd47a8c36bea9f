"""A base in 4 bits behind the backend: the numbers of QLoRA's training, computed in fp32 on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval.errors import PrerequisiteError
from s2eval.models.s2 import S2LM
from s2eval.models.sources import quantized
from tests.models.trained import TOKENS, load


@pytest.fixture(scope="module")
def half(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in bf16, with its tokenizer."""
    from transformers import AutoTokenizer

    out = tmp_path_factory.mktemp("half") / "model"
    load(tiny_model).bfloat16().save_pretrained(out)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(out)
    return out


def test_arguments_become_a_configuration() -> None:
    arguments: dict[str, Any] = {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "llm_int8_skip_modules": [],
        "x": 1,
    }
    how = quantized.configuration(arguments)
    assert (how.load_in_4bit, how.bnb_4bit_quant_type, how.llm_int8_skip_modules) == (True, "nf4", [])
    assert arguments == {"x": 1}
    assert quantized.configuration({"load_in_4bit": False}) is None


@pytest.mark.parametrize("double", [False, True])
def test_a_bf16_base_keeps_the_numbers_that_it_had_in_training(half: Path, double: bool) -> None:
    """Logits are those of the base loaded in bf16, quantised, dequantised to bf16 and then taken to fp32."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    options: dict[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": double}
    lm = S2LM(pretrained=str(half), device="cpu", load_in_4bit=True, **options)
    assert lm.model.dtype == torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(
        half, dtype="auto", quantization_config=BitsAndBytesConfig(load_in_4bit=True, **options)
    )
    model = model.dequantize()
    assert model.lm_head.weight.dtype == torch.bfloat16
    model.float()
    with torch.no_grad():
        mine, theirs = (one(input_ids=TOKENS).logits for one in (lm.model, model))
        plain = load(half)(input_ids=TOKENS).logits
    assert (mine - theirs).norm() < 1e-5 * theirs.norm()
    assert (plain - theirs).norm() > 1e-2 * theirs.norm()


def test_without_4_bits_nothing_changes(half: Path) -> None:
    lm = S2LM(pretrained=str(half), device="cpu")
    assert not any(hasattr(weight, "quant_state") for weight in lm.model.parameters())
    assert lm.model.dtype == torch.float32


@pytest.mark.parametrize("width", [16, 64, 96])
def test_rows_that_are_no_whole_number_of_blocks(width: int) -> None:
    """Each block is its codes' numbers times its scale, in whichever row it lies."""
    import bitsandbytes

    torch.manual_seed(0)
    linear = bitsandbytes.nn.Linear4bit(width, 64, bias=False, quant_type="nf4", compress_statistics=False)
    linear.weight = bitsandbytes.nn.Params4bit(
        torch.randn(64, width), requires_grad=False, quant_type="nf4", compress_statistics=False
    )
    linear = linear.to("cpu")
    packed, state = linear.weight.data.flatten(), linear.weight.quant_state
    codes = torch.stack([packed >> 4, packed & 15], dim=1).flatten().long()
    expected = (state.code[codes].view(-1, 64) * state.absmax.view(-1, 1)).view(64, width)
    assert torch.equal(quantized.flat(linear.weight), expected)


def test_a_linear_that_bitsandbytes_would_compute_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CPUs with AVX-512, where rows of 96 numbers are dequantised otherwise than the same numbers in one row."""
    import bitsandbytes
    from bitsandbytes import functional

    model = torch.nn.Module()
    model.proj = bitsandbytes.nn.Linear4bit(96, 64, bias=False, quant_type="nf4")
    model.proj.weight = bitsandbytes.nn.Params4bit(torch.randn(64, 96), requires_grad=False, quant_type="nf4")
    model.to("cpu")
    exact = functional.dequantize_4bit

    def wrong(data: torch.Tensor, state: Any) -> torch.Tensor:
        found = exact(data, state)
        return found if len(state.shape) == 1 else found + 1

    monkeypatch.setattr(functional, "dequantize_4bit", wrong)
    with pytest.raises(PrerequisiteError, match="proj has 96 inputs, no multiple of 64"):
        quantized.use_exact_kernels(model)
    assert model.proj.weight.quant_state.shape == (64, 96)
