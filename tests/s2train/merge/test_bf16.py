"""`--method bf16` against PEFT's `merge_and_unload`, bit for bit, tensor by tensor."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from s2eval.errors import PrerequisiteError, UsageError
from tests.s2train.merge import tiny

KINDS: dict[str, dict[str, Any]] = {
    "all linears": {},
    "rsLoRA": {"use_rslora": True, "lora_alpha": 3},
    "patterns": {
        "rank_pattern": {"q_proj": 2, "layers.1.mlp.up_proj": 7},
        "alpha_pattern": {"v_proj": 3, "^model.layers.0.mlp.down_proj": 5},
    },
    "DoRA": {"use_dora": True},
    "DoRA and rsLoRA": {"use_dora": True, "use_rslora": True},
    "one layer only": {"target_modules": ["q_proj"], "layers_to_transform": [1]},
    "a head of its own": {"modules_to_save": ["lm_head"]},
    "embeddings and head of their own": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "norms of their own": {"modules_to_save": ["norm", "input_layernorm"]},
    "on embeddings": {"target_modules": ["embed_tokens", "q_proj"]},
    "on the head": {"target_modules": ["lm_head", "q_proj"]},
    "DoRA on embeddings": {"target_modules": ["embed_tokens", "q_proj"], "use_dora": True},
}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.base(tmp_path_factory.mktemp("bases") / "llama")


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_adapters(llama: Path, tmp_path: Path, kind: str) -> None:
    adapter = tiny.train(tiny.load(llama), tmp_path / "adapter", **KINDS[kind])
    made = tiny.merged(llama, adapter, tmp_path / "ours")
    ours, theirs = tiny.tensors(tmp_path / "ours"), tiny.peft(tiny.load(llama), adapter, tmp_path / "theirs")
    assert tiny.differences(ours, theirs) == []
    changed = {step.entry.name for step in made.plan.steps() if step.changed}
    assert changed == set(tiny.differences(ours, tiny.tensors(llama)))
    assert changed


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float32])
def test_types_of_base_and_adapter(tmp_path: Path, dtype: torch.dtype, stored: torch.dtype) -> None:
    base = tiny.base(tmp_path / "base", dtype)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", dtype=stored)
    tiny.merged(base, adapter, tmp_path / "ours")
    ours = tiny.tensors(tmp_path / "ours")
    assert tiny.differences(ours, tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")) == []
    assert {tensor.dtype for tensor in ours.values()} == {dtype}


def test_another_type_is_taken_before_anything_is_added(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", torch.float32)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    tiny.merged(base, adapter, tmp_path / "ours", dtype="bfloat16")
    theirs = tiny.peft(tiny.load(base, dtype=torch.bfloat16), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_number_too_large_for_fp16_is_told(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", torch.float16)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", lora_alpha=10**8)  # PEFT writes inf there
    with pytest.raises(PrerequisiteError, match=r"too large for float16.*--dtype bfloat16"):
        tiny.merged(base, adapter, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_names_in_which_a_wrapper_left_something(tmp_path: Path, form: str) -> None:
    base = tiny.base(tmp_path / "base")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["q_proj"], modules_to_save=["lm_head"])
    theirs = tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")
    plain = load_file(adapter / tiny.WEIGHTS)
    head = "base_model.model.lm_head"
    names = {name: f"_orig_mod.{name}".replace(".weight", ".default.weight") for name in plain}
    names[f"{head}.weight"] = f"_orig_mod.{head}.modules_to_save.default.weight"
    wrapped = {names[name]: tensor for name, tensor in plain.items()}
    if form == "bin":
        (adapter / tiny.WEIGHTS).unlink()
        torch.save(wrapped, adapter / "adapter_model.bin")
    else:
        save_file(wrapped, adapter / tiny.WEIGHTS)
    made = tiny.job(base, adapter, tmp_path / "ours")
    assert "its tensors' names hold '_orig_mod.', '.default.', left by a wrapper around the model" in " ".join(
        made.notes
    )
    assert made.run(prove=True) is not None
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []


BIG = 3e38  # in fp32 and bf16; times alpha / r = 2 it is none of either


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("method", ["bf16", "qdq"])
def test_a_change_that_overflows(tmp_path: Path, dtype: torch.dtype, method: str) -> None:
    base = tiny.base(tmp_path / "base", dtype)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["q_proj"])
    tiny.edit_tensors(adapter, lambda tensors: [tensor.fill_(BIG**0.5) for tensor in tensors.values()])
    with pytest.raises(PrerequisiteError, match=r"q_proj\.weight: merged, some numbers are too large for "):
        tiny.merged(base, adapter, tmp_path / "ours", method)
    assert not (tmp_path / "ours").exists()


def test_a_cast_that_overflows(tmp_path: Path) -> None:
    """Also of what the adapter does not change, and of what it brings whole."""
    base = tiny.base(tmp_path / "base", torch.float32)
    adapter = tiny.train(
        tiny.load(base), tmp_path / "adapter", target_modules=["q_proj"], modules_to_save=["embed_tokens"]
    )
    changed = Path(shutil.copytree(adapter, tmp_path / "changed"))
    name = next(name for name in load_file(adapter / tiny.WEIGHTS) if "embed_tokens" in name)
    tiny.edit_tensors(changed, lambda tensors: tensors[name].view(-1)[:1].fill_(1e5))
    with pytest.raises(PrerequisiteError, match=r"embed_tokens\.weight: merged, .* too large for float16.*bfloat16"):
        tiny.merged(base, changed, tmp_path / "ours", dtype="float16")
    tensors = tiny.tensors(base)
    tensors["model.norm.weight"][0] = 1e5
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(PrerequisiteError, match=r"model\.norm\.weight: merged, .* too large for float16"):
        tiny.merged(base, adapter, tmp_path / "ours", dtype="float16")
    tiny.merged(base, adapter, tmp_path / "ours", dtype="bfloat16")


@pytest.mark.parametrize("method", ["bf16", "qdq"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.self_attn.q_proj.weight", "lm_head.weight"])
def test_a_base_that_is_not_finite(tmp_path: Path, method: str, value: float, name: str) -> None:
    base = tiny.base(tmp_path / "base")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["q_proj"])
    tensors = tiny.tensors(base)
    tensors[name].view(-1)[-1] = value
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(PrerequisiteError, match=rf"base base: NaN or infinity stands in {name}"):
        tiny.merged(base, adapter, tmp_path / "ours", method)
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("options", [{"weights": (float("nan"),)}, {"weights": (float("inf"),)}])
def test_a_weight_that_is_no_number(tmp_path: Path, options: dict[str, Any]) -> None:
    base = tiny.base(tmp_path / "base")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["q_proj"])
    with pytest.raises(UsageError, match="finite"):
        tiny.merged(base, adapter, tmp_path / "ours", **options)


def test_shards_stay_what_they_are(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", shard="100KB")
    names = {path.name for path in base.glob("*.safetensors*")}
    assert len(names) > 3  # several shards and the index
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    tiny.merged(base, adapter, tmp_path / "ours")
    assert {path.name for path in (tmp_path / "ours").glob("*.safetensors*")} == names
    ours = tiny.tensors(tmp_path / "ours")
    assert tiny.differences(ours, tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")) == []
    index = json.loads((tmp_path / "ours" / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == ours.keys()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in ours.values())


def test_large_matrices_are_computed_in_pieces(tmp_path: Path) -> None:
    """1.8 MiB and more a matrix, 512 KiB a piece; 1733 rows are no multiple of anything."""
    base = tiny.base(tmp_path / "base", hidden_size=512, intermediate_size=1733, num_hidden_layers=1)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", use_dora=True, r=33)
    tiny.merged(base, adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []


# --- GPT-2: weights are stored in × out ------------------------------------------------------------------------

GPT2_KINDS: dict[str, dict[str, Any]] = {
    "attention and MLP": {},
    "DoRA": {"use_dora": True},
    "all biases": {"bias": "all"},
    "biases of what is adapted": {"bias": "lora_only"},
    "a bias of B": {"lora_bias": True},
    "a bias of B and all biases": {"lora_bias": True, "bias": "all"},
    "positions": {"target_modules": ["wpe", "c_attn"]},
    "DoRA on positions": {"target_modules": ["wpe", "c_attn"], "use_dora": True},
}


@pytest.mark.parametrize("kind", GPT2_KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_gpt2(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    base = tiny.base(tmp_path / "base", dtype, kind="gpt2")
    options = {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True, **GPT2_KINDS[kind]}
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", **options)
    tiny.merged(base, adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []


def test_a_checkpoint_without_the_models_prefix(tmp_path: Path) -> None:
    """As the original gpt2 is stored: `h.0.…` for `transformer.h.0.…`."""
    base = tiny.base(tmp_path / "base", kind="gpt2")
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=["c_attn"])
    path = base / "model.safetensors"
    trunk = {name.removeprefix("transformer."): tensor for name, tensor in tiny.tensors(base).items()}
    save_file({**trunk, "h.0.attn.bias": torch.ones(1, 1, 64, 64)}, path, {"format": "pt"})  # a mask, long obsolete
    made = tiny.merged(base, adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    assert made.plan.left_out == ("h.0.attn.bias",)


# --- tied and resized embeddings -------------------------------------------------------------------------------


def test_tied_embeddings_stay_tied(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", tie_word_embeddings=True)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    tiny.merged(base, adapter, tmp_path / "ours")
    ours = tiny.tensors(tmp_path / "ours")
    assert tiny.differences(ours, tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")) == []
    assert "lm_head.weight" not in ours
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["tie_word_embeddings"] is True


@pytest.mark.parametrize("saved", [["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"]])
def test_tied_embeddings_part_when_one_was_trained(tmp_path: Path, saved: list[str]) -> None:
    base = tiny.base(tmp_path / "base", tie_word_embeddings=True)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", modules_to_save=saved)
    made = tiny.merged(base, adapter, tmp_path / "ours")
    ours = tiny.tensors(tmp_path / "ours")
    assert tiny.differences(ours, tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")) == []
    assert made.plan.untied == ("lm_head.weight",)
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["tie_word_embeddings"] is False
    assert not torch.equal(ours["lm_head.weight"], ours["model.embed_tokens.weight"])


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_lora_on_one_of_two_tied_matrices_does_not_change_the_other(tmp_path: Path, target: str) -> None:
    """PEFT adds it to the tensor that both share, so that its merged model is not the one that was trained."""
    from peft import PeftModel

    base = tiny.base(tmp_path / "base", torch.float32, tie_word_embeddings=True)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter", target_modules=[target, "q_proj"])
    tiny.merged(base, adapter, tmp_path / "ours")
    tokens = torch.arange(40)[None]
    with torch.no_grad():
        adapted = PeftModel.from_pretrained(tiny.load(base), str(adapter))(input_ids=tokens).logits
        ours = tiny.load(tmp_path / "ours")(input_ids=tokens).logits
        theirs = PeftModel.from_pretrained(tiny.load(base), str(adapter)).merge_and_unload()(input_ids=tokens).logits
    torch.testing.assert_close(ours, adapted, rtol=1e-4, atol=1e-4)
    assert (theirs - adapted).abs().max() > 0.1


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("trained", [{}, {"target_modules": ["embed_tokens", "q_proj"]}])
def test_resized_embeddings(tmp_path: Path, tied: bool, trained: dict[str, Any]) -> None:
    """256 tokens, 3 more in training: the adapter's file holds the embeddings."""
    base = tiny.base(tmp_path / "base", tie_word_embeddings=tied)

    def resized() -> Any:
        torch.manual_seed(5)
        model = tiny.load(base)
        model.resize_token_embeddings(259)
        return model

    if trained and not tied:  # PEFT stores those twice
        trained = {"modules_to_save": ["embed_tokens", "lm_head"]}
    adapter = tiny.train(resized(), tmp_path / "adapter", **trained)
    made = tiny.merged(base, adapter, tmp_path / "ours")
    ours = tiny.tensors(tmp_path / "ours")
    assert ours["model.embed_tokens.weight"].shape == (259, 64)
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["vocab_size"] == 259
    theirs = tiny.peft(resized(), adapter, tmp_path / "theirs")
    if made.plan.untied:  # LoRA on one of the two: see above
        del ours["lm_head.weight"]
    assert tiny.differences(ours, theirs) == []


# --- classifiers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("tied", [True, False])
def test_a_score_head_on_a_language_models_base(tmp_path: Path, labels: int, tied: bool) -> None:
    base = tiny.base(tmp_path / "base", tie_word_embeddings=tied)
    options: dict[str, Any] = {"classifier": True, "num_labels": labels}
    adapter = tiny.train(
        tiny.load(base, **options), tmp_path / "adapter", task_type="SEQ_CLS", modules_to_save=["score"]
    )
    made = tiny.merged(base, adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(base, **options), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []
    assert made.plan.left_out == (() if tied else ("lm_head.weight",))
    model = tiny.load(tmp_path / "ours", classifier=True)
    assert type(model).__name__ == "LlamaForSequenceClassification"
    assert model.config.num_labels == labels


# --- several adapters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(), (0.7, 0.3), (1.5, -0.5)])
def test_several_adapters_add_up_as_in_pefts_cat(llama: Path, tmp_path: Path, weights: tuple[float, ...]) -> None:
    from peft import PeftModel

    first = tiny.train(tiny.load(llama), tmp_path / "first", rank_pattern={"k_proj": 6})
    second = tiny.train(tiny.load(llama), tmp_path / "second", seed=2, r=2, target_modules=["q_proj", "down_proj"])
    tiny.merged(llama, [first, second], tmp_path / "ours", weights=weights)
    model: Any = PeftModel.from_pretrained(tiny.load(llama), str(first), adapter_name="first")
    model.load_adapter(str(second), adapter_name="second")
    model.add_weighted_adapter(["first", "second"], list(weights or (1.0, 1.0)), "both", combination_type="cat")
    model.set_adapter("both")
    model.merge_and_unload().save_pretrained(tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), tiny.tensors(tmp_path / "theirs")) == []


def test_several_rslora_adapters_add_up_without_the_factor_that_peft_adds(tmp_path: Path) -> None:
    """PEFT scales the sum by √r once more, since it keeps use_rslora and sets alpha = r."""
    base = tiny.base(tmp_path / "base", torch.float32)
    adapters = [
        tiny.train(tiny.load(base), tmp_path / f"{seed}", seed=seed, use_rslora=True, target_modules=["q_proj"])
        for seed in (1, 2)
    ]
    tiny.merged(base, adapters, tmp_path / "ours")
    name = "model.layers.0.self_attn.q_proj"
    expected = tiny.tensors(base)[f"{name}.weight"]
    for adapter in adapters:
        own = tiny.tensors(adapter)
        a, b = (own[f"base_model.model.{name}.lora_{letter}.weight"] for letter in "AB")
        expected = expected + 8 / 4**0.5 * b @ a  # alpha / √r
    torch.testing.assert_close(tiny.tensors(tmp_path / "ours")[f"{name}.weight"], expected)


def test_a_weight_scales_what_one_adapter_adds(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base", torch.float32)
    adapter = tiny.train(tiny.load(base), tmp_path / "adapter")
    for out, weights in (("full", ()), ("half", (0.5,))):
        tiny.merged(base, adapter, tmp_path / out, weights=weights)
    plain, full, half = (tiny.tensors(tmp_path / name) for name in ("base", "full", "half"))
    for name, tensor in plain.items():
        torch.testing.assert_close(half[name] - tensor, 0.5 * (full[name] - tensor), rtol=1e-3, atol=1e-6)


# --- where the adapter comes from ------------------------------------------------------------------------------


def test_an_adapter_stored_as_pickle(llama: Path, tmp_path: Path) -> None:
    adapter = tiny.train(tiny.load(llama), tmp_path / "adapter", modules_to_save=["lm_head"])
    tiny.merged(llama, adapter, tmp_path / "ours")
    torch.save(tiny.tensors(adapter), adapter / "adapter_model.bin")
    (adapter / tiny.WEIGHTS).unlink()
    tiny.merged(llama, adapter, tmp_path / "pickled")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), tiny.tensors(tmp_path / "pickled")) == []
