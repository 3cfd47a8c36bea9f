"""Weight errors of merges, beside those computed by bitsandbytes and by hand, matrix for matrix."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from s2eval.models.sources import quantized
from s2train.checkpoint import Quantization
from s2train.merge.effect import BF16, QDQ, TRAINED, Weights, weights
from s2train.merge.effect.models import compared_models, loaded
from tests.models.trained import WEIGHTS, load_file, lora, train
from tests.s2train.merge import tiny

NF4 = Quantization()


def compared(
    base: Path, adapter: Path, out: Path, methods: tuple[str, ...] = (QDQ, BF16), how: Quantization | None = NF4
) -> Weights:
    from s2eval.models import parse

    folders = {method: out / method for method in methods}
    for method, folder in folders.items():
        tiny.merged(base, adapter, folder, method)
    entry = compared_models(parse(f"adapter:{adapter}@{base}"), how, folders, {})[TRAINED]
    with loaded(entry) as lm:
        return weights.compare(lm.model, folders)


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LoRA on two of the seven kinds of linears."""
    out = tmp_path_factory.mktemp("adapters") / "lora"
    train(tiny_model, lora(target_modules=["q_proj", "down_proj"]), out)
    return out


def test_each_error_is_the_one_computed_by_hand(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    """bf16: ‖W - dq(W)‖, the quantisation error; qdq: nothing but rounding, as the base is fp32."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    found = compared(tiny_model, adapter, tmp_path)
    plain, factors = tiny.tensors(tiny_model), load_file(adapter / WEIGHTS)
    assert len(found.matrices) == 14
    assert found.notes == ()
    for one in found.matrices:
        weight = plain[f"{one.name}.weight"]
        restored = dequantize_4bit(*quantize_4bit(weight, blocksize=64, quant_type="nf4"))
        assert one.errors[BF16] == pytest.approx(float((weight - restored).norm()), rel=1e-5)
        assert one.errors[QDQ] < 1e-6 * one.size
        assert one.size == pytest.approx(float(restored.norm()), rel=1e-5)
        a, b = (factors.get(f"base_model.model.{one.name}.lora_{part}.weight") for part in "AB")
        expected = 0.0 if a is None or b is None else float((2 * b @ a).norm())  # alpha / r = 8 / 4
        assert one.change == pytest.approx(expected, rel=1e-5)
        assert (one.change > 0) == (one.kind in ("q_proj", "down_proj"))
    first = found.matrices[0]
    assert (first.name, first.layer, first.kind) == ("model.layers.0.self_attn.q_proj", 0, "q_proj")
    assert {one.layer for one in found.matrices} == {0, 1}


def test_a_bf16_base_is_rounded_as_in_training(tmp_path: Path) -> None:
    """W is dequantised in bf16; what the qdq merge adds is the rounding of a sum: half of 2⁻⁸ of a number at most."""
    from peft import PeftModel
    from transformers import BitsAndBytesConfig

    base = tiny.base(tmp_path / "base")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    trained = quantized.dequantize(tiny.load(base, quantization_config=how)).state_dict()
    tiny.merged(base, adapter, tmp_path / "qdq", "qdq")
    model = quantized.widen(tiny.load(base, quantization_config=how))
    found = weights.compare(PeftModel.from_pretrained(model, str(adapter)), {QDQ: tmp_path / "qdq"})
    merged, factors = tiny.tensors(tmp_path / "qdq"), load_file(adapter / WEIGHTS)
    for one in found.matrices:
        a, b = (factors[f"base_model.model.{one.name}.lora_{part}.weight"].float() for part in "AB")
        wanted = trained[f"{one.name}.weight"].float() + 2 * b @ a
        rounding = (merged[f"{one.name}.weight"].float() - wanted).norm()
        assert one.errors[QDQ] == pytest.approx(float(rounding), rel=1e-4)
        assert 0 < one.errors[QDQ] < 2**-9 * float(wanted.norm())


def test_dora_has_no_delta(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, lora(use_dora=True), tmp_path / "dora")
    found = compared(tiny_model, tmp_path / "dora", tmp_path)
    assert found.matrices == ()
    assert "the adapter has DoRA" in found.notes[0]


def test_an_unquantised_base_leaves_rounding_only(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    """Only the linears with LoRA: the others are the base's own."""
    found = compared(tiny_model, adapter, tmp_path, (BF16,), None)
    assert [one.kind for one in found.matrices] == ["q_proj", "down_proj"] * 2
    assert all(one.errors[BF16] < 1e-6 * one.change for one in found.matrices)


def test_what_is_no_linear_is_told(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, lora(target_modules=["q_proj", "embed_tokens"], modules_to_save=["lm_head"]), tmp_path / "one")
    found = compared(tiny_model, tmp_path / "one", tmp_path, (BF16,))
    assert [one.kind for one in found.matrices].count("q_proj") == 2
    assert found.notes[0].startswith("1 layers are not among the weights: no linear")
    assert "model.embed_tokens" in found.notes[0]
    assert "biases and modules that the adapter brings whole" in found.notes[1]


def test_gpt2_keeps_its_matrices_transposed(tmp_path: Path) -> None:
    """bitsandbytes turns Conv1D into linears; the files hold in × out."""
    from peft import PeftModel
    from transformers import BitsAndBytesConfig

    base = tiny.base(tmp_path / "base", torch.float32, kind="gpt2")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["c_attn"], fan_in_fan_out=True)
    for method in (QDQ, BF16):
        tiny.merged(base, adapter, tmp_path / method, method)
    model = tiny.load(base, quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"))
    found = weights.compare(
        PeftModel.from_pretrained(model, str(adapter)), {method: tmp_path / method for method in (QDQ, BF16)}
    )
    assert [one.kind for one in found.matrices[:4]] == ["c_attn", "c_proj", "c_fc", "c_proj"]
    for one in found.matrices:
        assert one.errors[QDQ] < 1e-6 * one.size
        assert 0.05 * one.size < one.errors[BF16] < 0.15 * one.size  # NF4's error
