"""The backend `s2`: what it adds to lm-eval's `hf`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from s2eval.models.s2 import S2LM

PROMPTS = ["Why is the sky blue?", "What is a cat?", "How do boats float on water when they are so heavy?"]


def requests(until: list[str], limit: int) -> list[Instance]:
    """One generation request a prompt."""
    options = {"until": until, "max_gen_toks": limit, "do_sample": False}
    return [
        Instance("generate_until", {}, (prompt, dict(options)), number, ("task", number, 1))
        for number, prompt in enumerate(PROMPTS)
    ]


@pytest.fixture(scope="module", params=[True, False], ids=["trie", "hf's path"])
def model(request: pytest.FixtureRequest, tiny_model: Path) -> Any:
    return S2LM(pretrained=str(tiny_model), device="cpu", batch_size=2, trie=request.param)


def test_on_a_cpu_the_weights_are_fp32(model: Any) -> None:
    assert model.model.dtype == torch.float32


def test_answers_are_those_of_hf(model: Any, tiny_model: Path) -> None:
    hf: Any = HFLM(pretrained=str(tiny_model), device="cpu", dtype="float32", batch_size=2)
    assert model.generate_until(requests(["###"], 12)) == hf.generate_until(requests(["###"], 12))


def test_an_answer_that_reaches_the_limit_is_cut(model: Any) -> None:
    model.generate_until(requests(["never to be seen"], 6))
    assert model.cut == dict.fromkeys(PROMPTS, True)


def test_an_answer_that_meets_its_stop_is_not_cut(model: Any) -> None:
    first = model.generate_until(requests(["never to be seen"], 6))[0].strip()[0]
    model.cut.clear()
    answers = model.generate_until(requests([first], 6))
    assert answers[0].strip() == ""  # it stops at its first character
    assert model.cut[PROMPTS[0]] is False
    assert set(model.cut) == set(PROMPTS)


def test_an_answer_that_ends_by_itself_is_not_cut(tiny_model: Path) -> None:
    model: Any = S2LM(pretrained=str(tiny_model), device="cpu", batch_size=2)
    with torch.no_grad():  # a head that says "end" whatever it is asked
        model.model.lm_head.weight.zero_()
    model.model.lm_head.bias = torch.nn.Parameter(torch.zeros(model.model.config.vocab_size))
    model.model.lm_head.bias.data[model.eot_token_id] = 1.0
    assert model.generate_until(requests(["never to be seen"], 6)) == ["", "", ""]
    assert model.cut == dict.fromkeys(PROMPTS, False)
