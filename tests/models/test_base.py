"""A base is after an adapter what it was before, bit for bit, or says that it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import IA3Config

from s2eval.errors import UsageError
from s2eval.models.base import Base
from s2eval.models.sources import quantized
from s2eval.models.sources.adapters import attach, logits
from tests.models.trained import KINDS, TOKENS, change, load, lora, train

pytestmark = pytest.mark.filterwarnings("ignore")  # what PEFT says about training


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_every_kind_computes_what_was_trained_and_leaves_nothing(
    kind: str, tied: bool, tiny_model: Path, tied_model: Path, tmp_path: Path
) -> None:
    folder = tied_model if tied else tiny_model
    wanted = logits(train(folder, KINDS[kind](), tmp_path / "adapter"), TOKENS)
    base = Base(load(folder))
    before = logits(base.model, TOKENS)
    assert torch.equal(logits(attach(base.model, str(tmp_path / "adapter")), TOKENS), wanted)
    assert not torch.equal(wanted, before)
    assert base.restore()
    assert torch.equal(logits(base.model, TOKENS), before)
    assert torch.equal(logits(load(folder), TOKENS), before)


def test_one_adapter_sees_nothing_of_another(tiny_model: Path, tmp_path: Path) -> None:
    """A, B, A on one base, of kinds that PEFT cannot hold at the same time; each as on a base of its own."""
    configs = {"a": lora(modules_to_save=["lm_head"]), "b": IA3Config(task_type="CAUSAL_LM"), "c": lora(use_dora=True)}
    wanted = {
        name: logits(train(tiny_model, config, tmp_path / name, seed=number), TOKENS)
        for number, (name, config) in enumerate(configs.items())
    }
    base = Base(load(tiny_model))
    for name in ("a", "b", "c", "b", "a"):
        assert torch.equal(logits(attach(base.model, str(tmp_path / name)), TOKENS), wanted[name])
        assert base.restore()
    assert torch.equal(logits(base.model, TOKENS), logits(load(tiny_model), TOKENS))


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_weights_that_an_adapter_changed_in_place_are_noticed(init: str, tiny_model: Path, tmp_path: Path) -> None:
    """PiSSA and OLoRA subtract their start from the base's weights (OLoRA even without autograd's noticing)."""
    wanted = logits(train(tiny_model, lora(init_lora_weights=init), tmp_path / init), TOKENS)
    base = Base(load(tiny_model))
    assert torch.equal(logits(attach(base.model, str(tmp_path / init)), TOKENS), wanted)
    assert not base.restore()


def test_a_failed_adapter_leaves_nothing(tiny_model: Path, adapter: Path) -> None:
    change(adapter, lambda tensors: tensors.popitem())
    base = Base(load(tiny_model))
    before = logits(base.model, TOKENS)
    with pytest.raises(UsageError):
        attach(base.model, str(adapter))
    assert base.restore()
    assert torch.equal(logits(base.model, TOKENS), before)


def test_a_base_in_four_bits(tiny_model: Path, tmp_path: Path) -> None:
    """Its weights are packed in bytes; adapters with a head of their own, and one that repacks the weights."""
    pytest.importorskip("bitsandbytes")
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = AutoModelForCausalLM.from_pretrained(tiny_model, quantization_config=nf4, dtype=torch.float32)
    quantized.use_exact_kernels(model)
    base = Base(model)
    before = logits(base.model, TOKENS)
    assert not torch.equal(before, logits(load(tiny_model), TOKENS))  # it is another model
    for name, options in {"head": {"modules_to_save": ["lm_head"]}, "olora": {"init_lora_weights": "olora"}}.items():
        train(tiny_model, lora(**options), tmp_path / name)
        assert not torch.equal(logits(attach(base.model, str(tmp_path / name)), TOKENS), before)
        assert base.restore()
        assert torch.equal(logits(base.model, TOKENS), before)
