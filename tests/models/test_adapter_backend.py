"""`lm_eval --model s2 --model_args pretrained=BASE,peft=ADAPTER`: hf's numbers, with the checks of `s2eval run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from s2eval.errors import UsageError
from s2eval.models.s2 import S2LM
from s2eval.models.sources.adapters import logits
from tests.models.trained import KINDS, TOKENS, load, lora, train

pytestmark = pytest.mark.filterwarnings("ignore")  # what PEFT says about training
QUESTION = "Why is the sky blue?"


def likelihoods(model: Any) -> list[float]:
    """Of three choices."""
    choices = ("Light is scattered.", "Nobody knows.", "It is not.")
    requests = [Instance("loglikelihood", {"id": 0}, (QUESTION, choice), 0, ("task", 0, 1)) for choice in choices]
    return [total for total, _ in model.loglikelihood(requests, disable_tqdm=True)]


@pytest.mark.parametrize("kind", ["lora", "dora", "modules_to_save: both", "prefix"])
def test_the_backend_gives_what_lm_evals_own_gives(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, KINDS[kind](), tmp_path / "adapter", step=0.3)
    hf: Any = HFLM(pretrained=str(tiny_model), peft=str(tmp_path / "adapter"), device="cpu", dtype="float32")
    ours: Any = S2LM.create_from_arg_string(f"pretrained={tiny_model},peft={tmp_path / 'adapter'}", {"device": "cpu"})
    plain: Any = S2LM(str(tiny_model), device="cpu")
    assert likelihoods(ours) == pytest.approx(likelihoods(hf), abs=1e-4)
    assert likelihoods(ours) != pytest.approx(likelihoods(plain), abs=1e-2)
    assert ours.peft == str(tmp_path / "adapter")


@pytest.mark.parametrize("kind", ["modules_to_save: head", "modules_to_save: embeddings", "some tokens"])
def test_the_backend_does_not_tie_what_an_adapter_brought(kind: str, tied_model: Path, tmp_path: Path) -> None:
    """lm-eval's own ties the embeddings after the adapter was put on: it fails, or computes another model."""
    wanted = logits(train(tied_model, KINDS[kind](), tmp_path / "adapter"), TOKENS)
    ours: Any = S2LM(str(tied_model), peft=str(tmp_path / "adapter"), device="cpu")
    assert torch.equal(logits(ours.model, TOKENS), wanted)


def test_the_backend_refuses_an_untrained_adapter(tiny_model: Path, tmp_path: Path) -> None:
    """`lm_eval --model s2 --model_args pretrained=BASE,peft=ADAPTER` has the same checks as `s2eval run`."""
    train(tiny_model, lora(), tmp_path / "fresh", step=0)
    with pytest.raises(UsageError, match="every LoRA B matrix is zero"):
        S2LM(str(tiny_model), peft=str(tmp_path / "fresh"), device="cpu")


def test_an_adapter_for_a_model_that_is_in_memory(tiny_model: Path, adapter: Path) -> None:
    """lm-eval's own forgets `peft` where `pretrained` is no name."""
    from transformers import AutoTokenizer

    ours: Any = S2LM(load(tiny_model), tokenizer=AutoTokenizer.from_pretrained(tiny_model), peft=str(adapter))
    assert likelihoods(ours) == likelihoods(S2LM(str(tiny_model), peft=str(adapter), device="cpu"))


def test_an_adapter_and_delta_weights(tiny_model: Path, adapter: Path) -> None:
    with pytest.raises(UsageError, match="peft and delta"):
        S2LM(str(tiny_model), peft=str(adapter), delta=str(tiny_model), device="cpu")


def test_a_tokenizer_with_added_tokens(tiny_model: Path, tmp_path: Path) -> None:
    """Its length is what the embeddings are resized to, as by lm-eval's own."""
    from transformers import AutoTokenizer

    wider, adapter = tmp_path / "wider", tmp_path / "adapter"
    model, tokenizer = load(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_tokens(["<a>", "<b>"])
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(wider)
    wanted = logits(train(wider, lora(modules_to_save=["embed_tokens", "lm_head"]), adapter), TOKENS)
    tokenizer.save_pretrained(adapter)
    ours: Any = S2LM(str(tiny_model), peft=str(adapter), tokenizer=str(adapter), device="cpu")
    assert torch.equal(logits(ours.model, TOKENS), wanted)
