"""Names that a wrapper around the model left something in: read without it, in every use of an adapter."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from s2eval.errors import UsageError
from s2eval.models.sources.adapter_names import plain_names
from s2eval.models.sources.adapters import attach
from tests.models.trained import TOKENS, WEIGHTS, load, lora, train

BEGIN = "base_model.model."
PLAIN = f"{BEGIN}model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (f"{PLAIN}.lora_A.default.weight", f"{PLAIN}.lora_A.weight"),
        (f"{PLAIN}.lora_B.default.bias", f"{PLAIN}.lora_B.bias"),
        (f"_orig_mod.module.{PLAIN}.lora_A.weight", f"{PLAIN}.lora_A.weight"),
        (f"module._orig_mod.{PLAIN}.lora_A.weight", f"{PLAIN}.lora_A.weight"),
        (PLAIN.replace("model.layers", "_orig_mod.model.layers") + ".lora_A.weight", f"{PLAIN}.lora_A.weight"),
        (PLAIN.replace("model.layers", "module.model.layers") + ".lora_A.weight", f"{PLAIN}.lora_A.weight"),
        (PLAIN.replace("layers.0", "layers.0._checkpoint_wrapped_module") + ".lora_A.weight", f"{PLAIN}.lora_A.weight"),
        (f"{BEGIN}model.embed_tokens.lora_embedding_A.default", f"{BEGIN}model.embed_tokens.lora_embedding_A"),
        (f"{PLAIN}.lora_magnitude_vector.default.weight", f"{PLAIN}.lora_magnitude_vector"),
        (f"{BEGIN}lm_head.modules_to_save.default.weight", f"{BEGIN}lm_head.weight"),
    ],
)
def test_what_is_taken_out(name: str, plain: str) -> None:
    names, taken = plain_names([name])
    assert names == {name: plain}
    assert taken


ORDINARY = (
    ".lora_A.weight",
    ".lora_B.weight",
    ".lora_B.bias",
    ".lora_embedding_A",
    ".lora_magnitude_vector",
    ".weight",
)


@given(
    st.lists(st.sampled_from(["model", "layers", "0", "default", "q_proj", "module_list", "h"])),
    st.sampled_from(ORDINARY),
)
def test_ordinary_names_stay(parts: list[str], end: str) -> None:
    name = ".".join([BEGIN + "model", *parts]) + end
    assert plain_names([name]) == ({name: name}, ())


def test_two_tensors_of_one_name_keep_theirs() -> None:
    names = [f"{PLAIN}.lora_A.weight", f"_orig_mod.{PLAIN}.lora_A.weight"]
    assert plain_names(names) == ({name: name for name in names}, ())


def test_an_adapter_beside_the_default_one(tiny_model: Path, adapter: Path) -> None:
    tensors = load_file(adapter / WEIGHTS)
    both = {name.replace(".weight", f".{one}.weight"): tensors[name].clone() for name in tensors for one in NAMES}
    save_file(both, adapter / WEIGHTS)
    with pytest.raises(UsageError, match=r"the model has no place for 8 of its 16 tensors \(.*\.reference\.weight"):
        attach(load(tiny_model), str(adapter))


NAMES = ("default", "reference")
WRAPPERS: dict[str, Callable[[str], str]] = {
    ".default.": lambda name: name.replace(".weight", ".default.weight") if ".lora_" in name else name,
    "_orig_mod.": lambda name: f"_orig_mod.{name}",
    "module.": lambda name: f"module.{name}",
    "all of them": lambda name: f"module.{name}".replace("model.layers", "_orig_mod.model.layers").replace(
        ".weight", ".default.weight"
    ),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_the_answers_are_those_of_the_ordinary_adapter(
    tiny_model: Path, adapter: Path, tmp_path: Path, wrapper: str, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrapped = Path(shutil.copytree(adapter, tmp_path / "wrapped"))
    tensors = {WRAPPERS[wrapper](name): tensor for name, tensor in load_file(adapter / WEIGHTS).items()}
    if form == "bin":
        (wrapped / WEIGHTS).unlink()
        torch.save(tensors, wrapped / "adapter_model.bin")
    else:
        save_file(tensors, wrapped / WEIGHTS)
    with torch.no_grad():
        mine, theirs = (attach(load(tiny_model), str(path))(TOKENS).logits for path in (wrapped, adapter))
    assert torch.equal(mine, theirs)
    assert "left by a wrapper around the model" in caplog.text


def test_the_state_of_a_model_with_a_whole_head(tiny_model: Path, tmp_path: Path) -> None:
    """`model.state_dict()` as it is: the base's tensors are among its own."""
    adapted = train(tiny_model, lora(modules_to_save=["lm_head"]), tmp_path / "adapter")
    wrapped = Path(shutil.copytree(tmp_path / "adapter", tmp_path / "wrapped"))
    state = {name: tensor.clone() for name, tensor in adapted.state_dict().items()}
    assert f"{BEGIN}lm_head.modules_to_save.default.weight" in state
    save_file(state, wrapped / WEIGHTS)
    with torch.no_grad():
        assert torch.equal(attach(load(tiny_model), str(wrapped))(TOKENS).logits, adapted(TOKENS).logits)
