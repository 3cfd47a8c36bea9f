"""Distributions of models on the same tokens: the arithmetic, which positions count, and which prompts there are."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval import prompts
from s2eval.errors import DataError, PrerequisiteError, UsageError
from s2eval.models import parse
from s2eval.models.sources import quantized
from s2train.checkpoint import Quantization
from s2train.merge.effect import BF16, QDQ, TRAINED, predictions
from s2train.merge.effect.models import compared_models, loaded
from s2train.merge.effect.predictions import Prompt
from tests.models.trained import load, lora, train
from tests.s2train.merge import tiny


def test_divergence_by_hand() -> None:
    """½ ln(½ / ¼) + ½ ln(½ / ¾) = ½ ln(4/3), and nothing between equal ones."""
    first = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    second = torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log()
    (one, same_one), (other, same_other) = predictions.divergence(first + 7, second)  # logits have any origin
    assert one == pytest.approx(0.5 * math.log(4 / 3), rel=1e-5)
    assert not same_one  # of two equal ones the first; second's best is the other
    assert other == pytest.approx(0, abs=1e-12)
    assert same_other


def test_surprise_by_hand() -> None:
    """-ln ¼ and -ln 1."""
    found = torch.tensor([[0.25, 0.75], [1e-9, 1.0]]).log()
    assert predictions.surprise(found, (0, 1)) == pytest.approx([math.log(4), 0], abs=1e-6)


def test_rows_that_only_one_vocabulary_has_do_not_count() -> None:
    first = torch.tensor([[0.0, 1.0, 2.0]])
    second = torch.tensor([[0.0, 1.0, 2.0, 50.0]])
    assert predictions.divergence(first, second) == [(0.0, True)]


def test_positions(tiny_model: Path) -> None:
    """Of a prompt all; of an answer those that predict its tokens: the first is the last before it."""
    from s2eval.models.s2 import S2LM

    lm = S2LM(pretrained=str(tiny_model))
    plain = prompts.get("s2")
    bare, answered = predictions.encode(lm, [Prompt("Why?"), Prompt("Why?", "So it is.")], plain)
    assert (bare.first, bare.stop) == (0, len(bare.tokens))
    assert lm.tok_decode(list(bare.tokens)).endswith("### Human: Why? ###Assistant:")
    assert (answered.first, answered.stop) == (len(bare.tokens) - 1, len(answered.tokens) - 1)
    assert answered.tokens[: len(bare.tokens)] == bare.tokens
    assert lm.tok_decode(list(answered.tokens[answered.first + 1 :])) == " So it is."


def test_the_prompts_that_come_along() -> None:
    found = predictions.read_prompts(None)
    assert len(found) == 60
    assert found[0].question.startswith("I am nine. Why does the Moon")
    assert found[0].answer is None


def test_prompts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "a", "answer": "b", "id": 7}\n{"question": "c", "answer": "d"}\n')
    assert predictions.read_prompts(path) == [Prompt("a", "b"), Prompt("c", "d")]
    path.write_text('{"question": "a", "answer": "b"}\n{"question": "c"}\n')
    with pytest.raises(UsageError, match="1 of 2 lines have an answer"):
        predictions.read_prompts(path)
    path.write_text('{"question": ""}\n{"q": 1}\n')
    with pytest.raises(DataError, match=r"(?s)2 errors.*line 1: question.*line 2: question"):
        predictions.read_prompts(path)
    path.write_text("")
    with pytest.raises((DataError, UsageError)):
        predictions.read_prompts(path)


@pytest.fixture(scope="module")
def trio(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("trio")
    train(tiny_model, lora(target_modules="all-linear"), out / "adapter", step=0.3)
    folders = {method: out / method for method in (QDQ, BF16)}
    for method, folder in folders.items():
        tiny.merged(tiny_model, out / "adapter", folder, method)
    return compared_models(parse(f"adapter:{out / 'adapter'}@{tiny_model}"), Quantization(), folders, {})


def test_all_pairs_position_by_position(trio: dict[str, Any], tmp_path: Path, tiny_model: Path) -> None:
    """As transformers and PEFT compute them without us: base → NF4 → back, adapter put on, against the merge."""
    from peft import PeftModel
    from transformers import AutoTokenizer, BitsAndBytesConfig

    met: list[str] = []
    found = predictions.compare(
        trio, [Prompt("Why?"), Prompt("How come?")], "s2", tmp_path, lambda name, _: met.append(name)
    )
    assert met == [TRAINED, QDQ, BF16]
    assert [(pair.model, pair.other) for pair in found.pairs] == [(TRAINED, QDQ), (TRAINED, BF16), (QDQ, BF16)]
    assert list(tmp_path.iterdir()) == []
    assert found.dtype == "float32"

    nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    base = quantized.dequantize(tiny.load(tiny_model, dtype=torch.float32, quantization_config=nf4))
    adapter = parse(trio[TRAINED].model).peft
    trained = PeftModel.from_pretrained(base, str(adapter)).eval()
    merged = load(Path(trio[BF16].model))
    tokens = AutoTokenizer.from_pretrained(tiny_model)("### Human: How come? ###Assistant:", return_tensors="pt")
    ids = tokens["input_ids"]
    with torch.no_grad():
        one, other = (model(input_ids=ids).logits[0].double().log_softmax(-1) for model in (trained, merged))
    expected = (one.exp() * (one - other)).sum(-1).tolist()
    assert found.clusters.count(1) == len(expected)
    assert found.pairs[1].divergences[-len(expected) :] == pytest.approx(expected, rel=1e-3)
    assert max(found.pairs[0].divergences) < 0.01 * min(found.pairs[1].divergences)
    assert all(found.pairs[0].agreements)


def test_answers_have_losses(trio: dict[str, Any], tmp_path: Path, tiny_model: Path) -> None:
    """The mean over an answer's tokens is transformers' own loss with the prompt masked."""
    from transformers import AutoTokenizer

    found = predictions.compare(trio, [Prompt("Why?", "So it is.")], "s2", tmp_path, lambda *_: None)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    ids = tokenizer("### Human: Why? ###Assistant: So it is.", return_tensors="pt")["input_ids"]
    labels = ids.clone()
    labels[:, : len(tokenizer("### Human: Why? ###Assistant:")["input_ids"])] = -100
    with torch.no_grad():
        loss = load(Path(trio[BF16].model))(input_ids=ids, labels=labels).loss
    assert found.loss(BF16).value == pytest.approx(float(loss), rel=1e-4)
    assert list(found.losses) == [TRAINED, QDQ, BF16]
    assert len(found.clusters) == len(found.losses[QDQ]) == int((labels != -100).sum())


def test_no_room_for_logits(trio: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(PrerequisiteError, match=r"the logits on these prompts take 0\.0 GB"):
        predictions.compare(trio, [Prompt("Why?")], "s2", tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_cannot_be_loaded(trio: dict[str, Any], tmp_path: Path) -> None:
    entry = dataclasses.replace(trio[BF16], args={"tokenizer": str(tmp_path / "none")})
    with pytest.raises(PrerequisiteError, match="cannot be loaded"), loaded(entry):
        pass
