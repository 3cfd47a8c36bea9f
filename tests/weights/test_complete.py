"""A checkpoint that does not fill its model is refused, with the tensors' names; one that does is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from s2eval.errors import PrerequisiteError
from s2eval.models.cost.meta_model import MetaModel
from s2eval.models.s2 import S2LM
from s2eval.weights import check_shapes, complete, shapes
from tests.models import architectures

Tensors = dict[str, torch.Tensor]
NORM, HEAD = "model.norm.weight", "lm_head.weight"
OLD = {
    f"model.layers.{layer}.self_attn.{name}": torch.ones(4)
    for layer in range(2)
    for name in ("rotary_emb.inv_freq", "masked_bias")
}


def changed(model: Path, out: Path, change: Callable[[Tensors], Mapping[str, torch.Tensor]]) -> Path:
    """A copy of a model's folder with other tensors."""
    shutil.copytree(model, out)
    save_file(dict(change(load_file(out / "model.safetensors"))), out / "model.safetensors", {"format": "pt"})
    return out


def without(*names: str, **more: Any) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names} | more.get("old", {})


def load(folder: Path, **options: Any) -> Any:
    return S2LM(pretrained=str(folder), device="cpu", **options)


LACKING: dict[str, tuple[Callable[[Tensors], Mapping[str, torch.Tensor]], str]] = {
    "a norm": (without(NORM), r"lack 1 tensors of LlamaForCausalLM \(model\.norm\.weight\)"),
    "head and norm beside old buffers": (without(NORM, HEAD, old=OLD), rf"lack 2 tensors .*\({HEAD}, {NORM}\)\. trans"),
    "another shape": (lambda tensors: {**tensors, NORM: torch.ones(8)}, r"model\.norm\.weight is 8, not \d\d"),
    "a wrapper's prefix": (
        lambda tensors: {f"_orig_mod.{name}": tensor for name, tensor in tensors.items()},
        r"begin with '_orig_mod\.', which a wrapper left",
    ),
}


@pytest.mark.parametrize("name", LACKING)
@pytest.mark.parametrize("kind", [S2LM, MetaModel], ids=["evaluation", "dry run"])
def test_an_incomplete_model_is_not_evaluated(tiny_model: Path, tmp_path: Path, name: str, kind: Any) -> None:
    change, expected = LACKING[name]
    folder = changed(tiny_model, tmp_path / "model", change)
    with pytest.raises(PrerequisiteError, match=expected):
        kind(pretrained=str(folder), device="cpu")


def test_no_option_lets_it_pass(tiny_model: Path, tmp_path: Path) -> None:
    folder = changed(tiny_model, tmp_path / "model", LACKING["another shape"][0])
    with pytest.raises(PrerequisiteError, match="is 8, not"):
        load(folder, ignore_mismatched_sizes=True)


def test_old_buffers_do_not_matter(tiny_model: Path, tmp_path: Path) -> None:
    folder = changed(tiny_model, tmp_path / "model", without(old=OLD))
    MetaModel(pretrained=str(folder), device="cpu")
    for mine, theirs in zip(load(folder).model.parameters(), load(tiny_model).model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_pickled_weights(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(without(NORM)(tensors), folder / "pytorch_model.bin")
    for kind in (MetaModel, S2LM):
        with pytest.raises(PrerequisiteError, match=r"lack 1 tensors of LlamaForCausalLM \(model\.norm\.weight\)"):
            kind(pretrained=str(folder), device="cpu")
    torch.save(tensors, folder / "pytorch_model.bin")
    MetaModel(pretrained=str(folder), device="cpu")
    load(folder)


def test_a_tied_head_is_not_missing(tmp_path: Path) -> None:
    architectures.make("smollm2", 300).save_pretrained(tmp_path)
    assert HEAD not in load_file(tmp_path / "model.safetensors")
    check(tmp_path)


def test_a_checkpoint_without_the_models_prefix(tmp_path: Path) -> None:
    """As the original gpt2 is stored, with its masks."""
    architectures.make("gpt2", 300).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    trunk = {name.removeprefix("transformer."): tensor for name, tensor in load_file(path).items()}
    masks = {f"h.{layer}.attn.bias": torch.ones(1, 1, 64, 64) for layer in range(2)}
    save_file(trunk | masks, path, {"format": "pt"})
    check(tmp_path)
    save_file({name: tensor for name, tensor in (trunk | masks).items() if name != "ln_f.bias"}, path, {"format": "pt"})
    with pytest.raises(PrerequisiteError, match=r"lack 1 tensors of GPT2LMHeadModel \(transformer\.ln_f\.bias\)"):
        check(tmp_path)


def test_parts_of_a_tensor_that_are_stored_apart(tmp_path: Path) -> None:
    """Mixtral's files have a matrix an expert, its class all experts in one."""
    from transformers import MixtralConfig, MixtralForCausalLM

    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 99}
    heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4}
    MixtralForCausalLM(MixtralConfig(**sizes, **heads)).save_pretrained(tmp_path)
    path, expert = tmp_path / "model.safetensors", "model.layers.0.block_sparse_moe.experts.3"
    tensors = load_file(path)
    check(tmp_path)
    save_file(without(f"{expert}.w1.weight")(tensors), path, {"format": "pt"})
    with pytest.raises(PrerequisiteError, match=rf"lack 1 tensors of MixtralForCausalLM \({expert}\.w1\.weight\)"):
        check(tmp_path)
    save_file(without(f"{expert}.w2.weight")(tensors), path, {"format": "pt"})
    with pytest.raises(PrerequisiteError, match=r"mlp\.experts\.down_proj is 3×32×64, not 4×32×64"):
        check(tmp_path)


def check(folder: Path) -> None:
    """By the heads of the files, and by a load."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    check_shapes(model, shapes(folder, "base"), "base")
    with complete("base"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_only_the_head_that_is_meant_to_be_new_may_be(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification as Classifier

    with complete("base", new=("score",)):
        Classifier.from_pretrained(tiny_model, num_labels=1)
    with (
        pytest.raises(PrerequisiteError, match=r"base: its files lack 1 tensors of .* \(score\.weight\)"),
        complete("base"),
    ):
        Classifier.from_pretrained(tiny_model, num_labels=1)
    folder = changed(tiny_model, tmp_path / "model", without(NORM))
    with (
        pytest.raises(PrerequisiteError, match=r"lack 1 tensors of .* \(model\.norm\.weight\)"),
        complete("b", ("score",)),
    ):
        Classifier.from_pretrained(folder, num_labels=1)


def test_afterwards_transformers_loads_as_before(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, PreTrainedModel

    before = PreTrainedModel.__dict__["from_pretrained"]
    folder = changed(tiny_model, tmp_path / "model", without(NORM))
    with pytest.raises(PrerequisiteError), complete("base"):
        AutoModelForCausalLM.from_pretrained(folder)
    assert PreTrainedModel.__dict__["from_pretrained"] is before
    AutoModelForCausalLM.from_pretrained(folder)
