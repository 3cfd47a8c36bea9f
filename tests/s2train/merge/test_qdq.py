"""`--method qdq` against a base loaded in 4 bits, dequantised and merged by PEFT, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.errors import UsageError
from s2eval.models.sources import quantized
from s2train.checkpoint import Quantization
from s2train.merge.methods import qdq
from s2train.merge.workers import Workers
from tests.s2train.merge import tiny


def dequantised(base: Path, how: dict[str, Any], **options: Any) -> Any:
    """The base loaded in 4 bits by transformers, and back."""
    from transformers import BitsAndBytesConfig

    config: Any = BitsAndBytesConfig(load_in_4bit=True, **how)
    model = tiny.load(base, quantization_config=config, **options)
    return quantized.dequantize(model)


SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "NF4": ({"bnb_4bit_quant_type": "nf4"}, {}),
    "NF4, double": ({"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}, {"double": True}),
    "FP4": ({"bnb_4bit_quant_type": "fp4"}, {"type": "fp4"}),
    "FP4, double": ({"bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": True}, {"type": "fp4", "double": True}),
    "some skipped": (
        {"bnb_4bit_quant_type": "nf4", "llm_int8_skip_modules": ["down_proj", "lm_head", "model.layers.0.self_attn"]},
        {"skip": ("down_proj", "lm_head", "model.layers.0.self_attn")},
    ),
    "the head too": ({"bnb_4bit_quant_type": "nf4", "llm_int8_skip_modules": []}, {"skip": ()}),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("name", SETTINGS)
def test_as_peft_merges_into_the_dequantised_base(tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    theirs_how, ours_how = SETTINGS[name]
    base = tiny.base(tmp_path / "base", dtype)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    made = tiny.merged(base, adapter, tmp_path / "ours", "qdq", options=ours_how)
    theirs = tiny.peft(dequantised(base, theirs_how), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    quantised = {step.entry.name for step in made.plan.steps() if step.quantised}
    assert len(quantised) == {"some skipped": 14 - 2 - 4, "the head too": 14 + 1}.get(name, 14)


@pytest.mark.parametrize(
    "options",
    [
        {"use_dora": True},
        {"modules_to_save": ["lm_head", "embed_tokens"]},
        {"target_modules": ["q_proj"]},  # the others are quantised all the same
        {"target_modules": ["embed_tokens", "v_proj"]},
    ],
    ids=str,
)
def test_kinds_of_adapters(tmp_path: Path, options: dict[str, Any]) -> None:
    base = tiny.base(tmp_path / "base", intermediate_size=96)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", **options)
    tiny.merged(base, adapter, tmp_path / "ours", "qdq", options={"double": True})
    how = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    theirs = tiny.peft(dequantised(base, how), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []


def test_tied_head_and_score_are_not_quantised(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", tie_word_embeddings=True)
    options: dict[str, Any] = {"classifier": True, "num_labels": 2}
    adapter = tiny.train(tiny.load(base, **options), tmp_path / "adapter", task_type="SEQ_CLS")
    made = tiny.merged(base, adapter, tmp_path / "ours", "qdq")
    theirs = tiny.peft(dequantised(base, {"bnb_4bit_quant_type": "nf4"}, **options), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    assert sum(step.quantised for step in made.plan.steps()) == 14  # 7 in each of 2 layers
    merged = tiny.base(tmp_path / "other", tie_word_embeddings=True)
    plain = tiny.train(tiny.load(merged), tmp_path / "plain")
    steps = tiny.job(merged, plain, tmp_path / "nowhere", "qdq").plan.steps()
    assert {step.entry.name for step in steps if not step.quantised} == {
        "model.embed_tokens.weight",
        "model.norm.weight",
        *(f"model.layers.{n}.{norm}_layernorm.weight" for n in (0, 1) for norm in ("input", "post_attention")),
    }


def test_gpt2_is_quantised_the_other_way_round(tmp_path: Path) -> None:
    """transformers gives bitsandbytes the transpose, and leaves plain linears behind after dequantising."""
    base = tiny.base(tmp_path / "base", kind="gpt2")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["c_attn"], fan_in_fan_out=True)
    tiny.merged(base, adapter, tmp_path / "ours", "qdq", options={"double": True})
    how = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    theirs = tiny.peft(dequantised(base, how), adapter, tmp_path / "theirs")
    turned = {
        name: value.T.contiguous() if ".c_" in name and value.ndim == 2 else value for name, value in theirs.items()
    }
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), turned) == []


def test_the_base_is_cast_before_it_is_quantised(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", torch.float32)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    tiny.merged(base, adapter, tmp_path / "ours", "qdq", options={"dtype": "bfloat16"})
    model = dequantised(base, {"bnb_4bit_quant_type": "nf4"}, dtype=torch.bfloat16)
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), tiny.peft(model, adapter, tmp_path / "theirs")) == []


# --- pieces and the whole --------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 90),
    blocksize=st.sampled_from([32, 64, 128]),
    double=st.booleans(),
    kind=st.sampled_from(["nf4", "fp4"]),
    dtype=st.sampled_from([torch.bfloat16, torch.float16, torch.float32]),
    data=st.data(),
)
def test_any_rows_of_any_matrix_are_those_of_the_whole(
    rows: int, width: int, blocksize: Any, double: bool, kind: Any, dtype: torch.dtype, data: st.DataObject
) -> None:
    from bitsandbytes.functional import quantize_4bit

    width += rows * width % 2  # an odd number of numbers makes bitsandbytes compile something, for seconds
    torch.manual_seed(rows * width)
    matrix = torch.randn(rows, width).to(dtype)
    codes, state = quantize_4bit(matrix, blocksize=blocksize, quant_type=kind, compress_statistics=double)
    expected = quantized.flat(SimpleNamespace(data=codes, quant_state=state))
    start = data.draw(st.integers(0, rows - 1))
    end = data.draw(st.integers(start + 1, rows))
    how = Quantization(type=kind, blocksize=blocksize, double=double)
    with Workers() as workers:
        packed = qdq.pack(lambda first, last: matrix.reshape(-1)[first:last], (rows, width), how, workers)
    assert torch.equal(packed.rows(start, end), expected[start:end])


@pytest.mark.parametrize("shape", [(700, 300), (257, 1031), (5, 13)])  # > 2 pieces of 65,536; odd
@pytest.mark.parametrize("double", [False, True])
def test_matrices_of_several_pieces(shape: tuple[int, int], double: bool) -> None:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    torch.manual_seed(0)
    matrix = torch.randn(shape).bfloat16()
    expected = dequantize_4bit(*quantize_4bit(matrix, blocksize=64, quant_type="nf4", compress_statistics=double))
    with Workers() as workers:
        packed = qdq.pack(
            lambda first, last: matrix.reshape(-1)[first:last], shape, Quantization(double=double), workers
        )
    assert torch.equal(packed.rows(0, shape[0]), expected.reshape(shape))
    parts = [packed.rows(start, min(start + 3, shape[0])) for start in range(0, shape[0], 3)]
    assert torch.equal(torch.cat(parts), expected.reshape(shape))


# --- how the training quantised --------------------------------------------------------------------------------

NF4 = {
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_compute_dtype": "torch.bfloat16",
    "llm_int8_skip_modules": ["lm_head"],
}
AS_NF4 = Quantization(double=True, compute_dtype="bfloat16", skip=("lm_head",))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    base = tiny.base(folder / "base")
    return base, tiny.train(tiny.load(base), folder / "adapter", target_modules=["q_proj"])


def copied(pair: tuple[Path, Path], out: Path) -> tuple[Path, Path]:
    import shutil

    return Path(shutil.copytree(pair[0], out / "base")), Path(shutil.copytree(pair[1], out / "adapter"))


def test_it_is_read_where_it_is_written(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = copied(pair, tmp_path)
    job = tiny.job(base, adapter, tmp_path / "out", "qdq")
    assert job.checkpoint.quantization == Quantization()
    assert any("nothing tells how the base was quantised" in note for note in job.notes)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": NF4}))
    job = tiny.job(base, adapter, tmp_path / "out", "qdq")
    assert job.checkpoint.quantization == AS_NF4
    assert not job.notes
    tiny.edit_config(adapter, quantization_config={"load_in_4bit": True})  # FP4, as BitsAndBytesConfig has it
    assert tiny.job(base, adapter, tmp_path / "out", "qdq").checkpoint.quantization == Quantization(type="fp4")
    ours = {"template": "s2", "quantization": {"blocksize": 128, "double": True}}
    (adapter / "s2train.json").write_text(json.dumps(ours))
    assert tiny.job(base, adapter, tmp_path / "out", "qdq").checkpoint.quantization == Quantization(
        blocksize=128, double=True
    )
    job = tiny.job(base, adapter, tmp_path / "out", "qdq", options={"type": "fp4", "double": False})
    assert job.checkpoint.quantization == Quantization(type="fp4", blocksize=128)
    job = tiny.job(base, adapter, tmp_path / "out", "bf16")
    assert job.checkpoint.quantization is None
    assert any("--method qdq merges it into what it was trained on" in note for note in job.notes)


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"load_in_8bit": True}, r"LLM.int8\(\)"),
        ({"quant_method": "gptq", "bits": 4}, "quantised with gptq"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "int4"}, "type 'int4'"),
    ],
)
def test_other_quantisations_are_refused(
    pair: tuple[Path, Path], tmp_path: Path, about: dict[str, Any], told: str
) -> None:
    base, adapter = copied(pair, tmp_path)
    tiny.edit_config(adapter, quantization_config=about)
    with pytest.raises(UsageError, match=told):
        tiny.job(base, adapter, tmp_path / "out", "qdq")


def test_adapters_of_differently_quantised_bases_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = copied(pair, tmp_path)
    other = tiny.train(tiny.load(base), tmp_path / "other", seed=3, target_modules=["q_proj"])
    for one, double in ((adapter, True), (other, False)):
        (one / "s2train.json").write_text(json.dumps({"template": "s2", "quantization": {"double": double}}))
    with pytest.raises(UsageError, match="not quantised in the same way each time"):
        tiny.job(base, [adapter, other], tmp_path / "out", "qdq")
    tiny.job(base, [adapter, other], tmp_path / "out", "bf16")
