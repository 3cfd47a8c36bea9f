"""Adapters on a base: all of the file in use, or an error that says which of it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config
from safetensors.torch import load_file

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models.base import Base
from s2eval.models.sources.adapters import attach, logits
from tests.models.trained import TOKENS, WEIGHTS, change, load, lora, train

pytestmark = pytest.mark.filterwarnings("ignore")  # what PEFT says about training
FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"


def refused(base: Path, adapter: Path) -> str:
    with pytest.raises(UsageError) as caught:
        attach(load(base), str(adapter))
    message = str(caught.value)
    assert message.startswith(f"adapter {adapter} on {base}: ")
    return message


# --- what fits -------------------------------------------------------------------------------------------------


def test_a_lora_adds_b_times_a(tiny_model: Path, adapter: Path) -> None:
    """By hand, without PEFT: W + (alpha / r) · B · A, with alpha / r = 8 / 4."""
    model = load(tiny_model)
    tensors = load_file(adapter / WEIGHTS)
    with torch.no_grad():
        for key in [key for key in tensors if key.endswith("lora_A.weight")]:
            name = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            delta = tensors[key.replace("lora_A", "lora_B")] @ tensors[key]
            model.get_submodule(name).weight += 8 / 4 * delta
    by_hand = logits(model, TOKENS)
    attached = logits(attach(load(tiny_model), str(adapter)), TOKENS)
    torch.testing.assert_close(attached, by_hand, rtol=1e-4, atol=1e-5)
    assert (attached - logits(load(tiny_model), TOKENS)).abs().max() > 1e-3  # what the tolerance must not hide


def test_the_older_file_format(tiny_model: Path, adapter: Path) -> None:
    wanted = logits(attach(load(tiny_model), str(adapter)), TOKENS)
    torch.save(load_file(adapter / WEIGHTS), adapter / "adapter_model.bin")
    (adapter / WEIGHTS).unlink()
    assert torch.equal(logits(attach(load(tiny_model), str(adapter)), TOKENS), wanted)


def test_half_precision_is_only_rounding(tiny_model: Path, adapter: Path) -> None:
    def halve(tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({key: tensor.bfloat16() for key, tensor in tensors.items()})

    wanted = logits(attach(load(tiny_model), str(adapter)), TOKENS)
    change(adapter, halve)
    found = logits(attach(load(tiny_model).bfloat16(), str(adapter)), TOKENS)
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05)


# --- added tokens ----------------------------------------------------------------------------------------------


def test_added_tokens_resize_the_embeddings_first(tiny_model: Path, tmp_path: Path) -> None:
    """As lm-eval's `hf` does it; such a base cannot be given back, and says so."""
    wider = tmp_path / "wider"
    model = load(tiny_model)
    model.resize_token_embeddings(1003)
    model.save_pretrained(wider)
    wanted = logits(train(wider, lora(modules_to_save=["embed_tokens", "lm_head"]), tmp_path / "adapter"), TOKENS)
    base = Base(load(tiny_model))
    attached = attach(base.model, str(tmp_path / "adapter"), vocabulary=1003)
    assert torch.equal(logits(attached, TOKENS), wanted)
    assert not base.restore()
    told = refused(tiny_model, tmp_path / "adapter")  # without the adapter's tokenizer
    assert "the model wants another shape for 2 of its 10 tensors" in told
    assert "embed_tokens.weight is 1003×64, there 1000×64" in told
    assert f"args: {{tokenizer: {tmp_path / 'adapter'}}}" in told


def test_embeddings_longer_than_the_tokenizer(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    """Padded, as Qwen's and Pythia's are: cut to the tokenizer's length as by hf, unless the adapter has a head."""
    assert attach(load(tiny_model), str(adapter), vocabulary=990).lm_head.weight.shape == (990, 64)
    wanted = logits(train(tiny_model, lora(modules_to_save=["lm_head"]), tmp_path / "head"), TOKENS)
    base = Base(load(tiny_model))
    assert torch.equal(logits(attach(base.model, str(tmp_path / "head"), vocabulary=990), TOKENS), wanted)
    assert base.restore()


def test_a_vocabulary_of_the_right_length_changes_nothing(tiny_model: Path, adapter: Path) -> None:
    base = Base(load(tiny_model))
    attach(base.model, str(adapter), vocabulary=1000)
    assert base.restore()


def test_an_adapter_that_trained_rare_tokens_only_is_no_untrained_one(tiny_model: Path, tmp_path: Path) -> None:
    """Its tokens are put among those that base and adapter are compared on; 3 of 1,000 would hardly be met."""
    from peft import TrainableTokensConfig

    config = TrainableTokensConfig(task_type="CAUSAL_LM", token_indices=[301, 302, 303])
    wanted = logits(train(tiny_model, config, tmp_path / "tokens"), TOKENS)
    assert torch.equal(wanted, logits(load(tiny_model), TOKENS))  # without those tokens it changes nothing
    attach(load(tiny_model), str(tmp_path / "tokens"))


# --- what does not fit -----------------------------------------------------------------------------------------


def test_an_adapter_that_was_never_trained(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, lora(), tmp_path / "fresh", step=0)
    told = refused(tiny_model, tmp_path / "fresh")
    assert told.endswith(
        "the model answers exactly as it does without it: every LoRA B matrix is zero, as it is before the first step "
        "of training. Was it ever trained?"
    )


def test_an_adapter_without_effect_that_is_no_lora(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, IA3Config(task_type="CAUSAL_LM"), tmp_path / "fresh", step=0)  # factors of 1
    assert "answers exactly as it does without it. Its scores would be the base's" in refused(
        tiny_model, tmp_path / "fresh"
    )


def test_a_tensor_too_many(tiny_model: Path, adapter: Path) -> None:
    extra = FIRST.replace("q_proj", "k_proj")
    change(adapter, lambda tensors: tensors.update({extra: torch.ones(64, 4)}))
    told = refused(tiny_model, adapter)
    assert f"the model has no place for 1 of its 9 tensors ({extra})" in told
    assert f"Is that the base it was trained on? Its adapter_config.json names {tiny_model}. " in told


def test_a_tensor_too_few(tiny_model: Path, adapter: Path) -> None:
    change(adapter, lambda tensors: tensors.pop(FIRST))
    assert f"its configuration asks for 1 more than its file has ({FIRST})" in refused(tiny_model, adapter)


def test_a_whole_module_too_few(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, lora(modules_to_save=["lm_head"]), tmp_path / "adapter")
    change(tmp_path / "adapter", lambda tensors: tensors.pop("base_model.model.lm_head.weight"))
    assert "asks for more than its file has (base_model.model.lm_head.weight, for one)" in refused(
        tiny_model, tmp_path / "adapter"
    )


def test_a_tensor_of_a_wrong_shape(tiny_model: Path, adapter: Path) -> None:
    change(adapter, lambda tensors: tensors.update({FIRST: torch.ones(8, 4)}))
    assert f"the model wants another shape for 1 of its 8 tensors ({FIRST} is 8×4, there 64×4)" in refused(
        tiny_model, adapter
    )


def test_a_tensor_that_is_no_number(tiny_model: Path, adapter: Path) -> None:
    change(adapter, lambda tensors: tensors[FIRST].fill_(float("nan")))
    assert f"NaN or infinity stands in 1 of its 8 tensors ({FIRST})" in refused(tiny_model, adapter)


def test_a_tensor_that_diverged(tiny_model: Path, adapter: Path) -> None:
    change(adapter, lambda tensors: tensors[FIRST].fill_(1e38))
    assert "with it the model's logits are NaN or infinite" in refused(tiny_model, adapter)


def test_two_tensors_for_one_place(tiny_model: Path, adapter: Path) -> None:
    """PEFT takes the one that comes last, in silence."""
    twin = FIRST.replace(".weight", ".default.weight")
    change(adapter, lambda tensors: tensors.update({twin: torch.ones(64, 4)}))
    assert "the model does not compute with 1 of its 9 tensors (" in refused(tiny_model, adapter)


def rename(adapter: Path, name: str) -> None:
    """Put an adapter's name into the keys, as they are in a model's own state: saved by another way than PEFT's."""

    def edit(tensors: dict[str, torch.Tensor]) -> None:
        for key in list(tensors):
            tensors[key.replace(".weight", f".{name}.weight")] = tensors.pop(key)

    change(adapter, edit)


def test_names_of_which_peft_knows_none(tiny_model: Path, adapter: Path) -> None:
    """PEFT warns and goes on with the base; so did lm-eval."""
    from peft import PeftModel

    rename(adapter, "eli5")
    silent = PeftModel.from_pretrained(load(tiny_model), str(adapter))
    assert torch.equal(logits(silent, TOKENS), logits(load(tiny_model), TOKENS))  # the fault that must not pass
    told = refused(tiny_model, adapter)
    assert "the model has no place for 8 of its 8 tensors" in told
    assert "its configuration asks for 8 more than its file has" in told
    assert told.count(".eli5.weight") == 3  # the first of them only
    assert ", …)" in told


def test_names_that_peft_takes_as_they_are(tiny_model: Path, adapter: Path) -> None:
    """Its own name for the adapter is in them; every tensor is loaded, so that is no error."""
    wanted = logits(attach(load(tiny_model), str(adapter)), TOKENS)
    rename(adapter, "default")
    assert torch.equal(logits(attach(load(tiny_model), str(adapter)), TOKENS), wanted)


def test_an_adapter_of_another_architecture(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    other = tmp_path / "gpt2"
    GPT2LMHeadModel(GPT2Config(vocab_size=1000, n_embd=16, n_layer=1, n_head=2)).save_pretrained(other)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(other)
    told = refused(other, adapter)
    assert "PEFT cannot put it on this base: Target modules" in told
    assert "not found in the base model" in told


def test_an_adapter_of_a_deeper_model(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig, LlamaForCausalLM

    config = AutoConfig.from_pretrained(tiny_model)
    config.num_hidden_layers = 3
    LlamaForCausalLM(config).save_pretrained(tmp_path / "deeper")
    train(tmp_path / "deeper", lora(), tmp_path / "adapter")
    assert "the model has no place for 4 of its 12 tensors" in refused(tiny_model, tmp_path / "adapter")


@pytest.mark.parametrize("task_type", ["SEQ_CLS", "TOKEN_CLS", "FEATURE_EXTRACTION", "SEQ_2_SEQ_LM"])
def test_an_adapter_of_something_else_than_a_language_model(task_type: str, tiny_model: Path, adapter: Path) -> None:
    edit_config(adapter, task_type=task_type)
    told = refused(tiny_model, adapter)
    assert f"its task_type is {task_type}: it makes another thing of the base than a language model" in told


def edit_config(adapter: Path, **values: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_a_task_type_may_be_missing(tiny_model: Path, adapter: Path) -> None:
    wanted = logits(attach(load(tiny_model), str(adapter)), TOKENS)
    edit_config(adapter, task_type=None)
    assert torch.equal(logits(attach(load(tiny_model), str(adapter)), TOKENS), wanted)


# --- what cannot be read ---------------------------------------------------------------------------------------


def test_a_kind_that_peft_does_not_know(tiny_model: Path, adapter: Path) -> None:
    edit_config(adapter, peft_type="LORA_OF_TOMORROW")
    with pytest.raises(PrerequisiteError, match=r"of no kind that the installed PEFT knows .*pip install -U peft"):
        attach(load(tiny_model), str(adapter))


def test_no_configuration(tiny_model: Path, adapter: Path) -> None:
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(PrerequisiteError, match=r"adapter_config\.json cannot be read"):
        attach(load(tiny_model), str(adapter))


def test_weights_that_were_cut_off(tiny_model: Path, adapter: Path) -> None:
    path = adapter / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(PrerequisiteError, match=r"its weights .* cannot be read: "):
        attach(load(tiny_model), str(adapter))


def test_a_hub_id_that_is_not_here(tiny_model: Path) -> None:
    with pytest.raises(PrerequisiteError, match=r"adapter some/adapter: its adapter_config\.json cannot be read"):
        attach(load(tiny_model), "some/adapter")
