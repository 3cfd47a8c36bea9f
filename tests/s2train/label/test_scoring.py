"""Scores against transformers and PEFT alone: one text at a time, no padding, prompts written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, BitsAndBytesConfig

from s2eval.errors import UsageError
from s2eval.models.sources import quantized
from s2train.label.bases import Bases
from s2train.label.rankings import Ranker
from s2train.label.scoring import scorer
from tests.s2train.label.test_rankings import ranking
from tests.s2train.training import tiny

PAIRS = [
    ("Why is the sky blue?", "since light of short waves is scattered"),
    ("Why?", "notwithstanding"),
    ("Why is the sky blue?", "it is. It is so, notwithstanding notwithstanding the light of long waves by air."),
    ("\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: Why so?\n\nAssistant:", "by air"),
]
ASKED = [
    "### Human: Why is the sky blue? ###Assistant:",
    "### Human: Why? ###Assistant:",
    "### Human: Why is the sky blue? ###Assistant:",
    "### Human: Why? ###Assistant: So. ### Human: Why so? ###Assistant:",
]


def ranker(made: dict[str, Path], text: str) -> Ranker:
    return ranking(made, text).parts[0][0]


def scores(bases: Bases, one: Ranker) -> list[float]:
    return scorer(bases, one)(PAIRS)


def alone(made: dict[str, Path], adapter: str | None, place: int) -> float:
    """log π(answer, end-of-text | prompt) of a pair."""
    model: Any = AutoModelForCausalLM.from_pretrained(made["base"])
    if adapter:
        model = PeftModel.from_pretrained(model, str(made[adapter])).eval()
    words = AutoTokenizer.from_pretrained(made["base"])
    start = len(words(ASKED[place])["input_ids"])
    tokens = words(f"{ASKED[place]} {PAIRS[place][1]}{words.eos_token}")["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens])).logits[0]
    return sum(float(logits[n - 1].log_softmax(-1)[tokens[n]]) for n in range(start, len(tokens)))


def test_a_reward_models_score(made: dict[str, Path]) -> None:
    words = AutoTokenizer.from_pretrained(made["base"])
    found = scores(Bases(), ranker(made, f"reward:{made['plain']}"))
    whole = AutoModelForSequenceClassification.from_pretrained(
        made["base"], num_labels=1, pad_token_id=words.pad_token_id
    )
    judge = PeftModel.from_pretrained(whole, str(made["plain"])).eval()
    for place, (asked, (_, answer)) in enumerate(zip(ASKED, PAIRS, strict=True)):
        tokens = words(f"{asked} {answer}{words.eos_token}")["input_ids"]
        with torch.no_grad():
            wanted = judge(input_ids=torch.tensor([tokens])).logits[0, 0].item()
        assert found[place] == pytest.approx(wanted, abs=1e-5)
    assert found[0] > found[1]  # it was trained to dislike that word


@pytest.mark.parametrize(("adapter", "reference", "beta"), [("dpo", None, 0.3), ("dpo-sft", "sft", 0.1)])
def test_the_implicit_reward(made: dict[str, Path], adapter: str, reference: str | None, beta: float) -> None:
    found = scores(Bases(), ranker(made, f"dpo:{made[adapter]}"))
    for place in range(len(PAIRS)):
        wanted = beta * (alone(made, adapter, place) - alone(made, reference, place))
        assert found[place] == pytest.approx(wanted, abs=1e-4)
    assert max(map(abs, found)) > 0.01


def test_none_changes_another(made: dict[str, Path]) -> None:
    """One base in memory carries all of them in turn, and each says what it says alone."""
    bases = Bases()
    names = [f"reward:{made['plain']}", f"dpo:{made['dpo-sft']}", f"reward:{made['other']}", f"dpo:{made['dpo']}"]
    base_checkpoint = ranker(made, names[0]).base_checkpoint
    base = bases.get(base_checkpoint)
    together = [scores(bases, ranker(made, name)) for name in names]
    assert bases.get(base_checkpoint) is base
    assert together == [scores(Bases(), ranker(made, name)) for name in names]


def test_an_adapter_whose_tensors_are_not_all_there(made: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    lame = shutil.copytree(made["plain"], tmp_path / "lame")
    tensors = load_file(lame / tiny.WEIGHTS)
    tensors.pop(next(name for name in tensors if "q_proj.lora_B" in name))
    save_file(tensors, lame / tiny.WEIGHTS)
    with pytest.raises(UsageError, match="adapter lame: its configuration asks for 1 more than its file has"):
        scores(Bases(), ranker(made, f"reward:{lame}"))


@pytest.mark.parametrize(
    ("value", "message"),
    [(torch.inf, "NaN or infinity stands in 1 of its"), (3e38, "a score is NaN or infinite")],  # 64 of them: no fp32
)
def test_a_score_that_is_no_number(made: dict[str, Path], tmp_path: Path, value: float, message: str) -> None:
    import shutil

    broken = shutil.copytree(made["plain"], tmp_path / "broken")
    tensors = load_file(broken / tiny.WEIGHTS)
    head = next(name for name in tensors if "score" in name)
    tensors[head] = tensors[head].sign() * value
    save_file(tensors, broken / tiny.WEIGHTS)
    with pytest.raises(UsageError, match=message):
        scores(Bases(), ranker(made, f"reward:{broken}"))


def test_answers_beyond_the_context(made: dict[str, Path]) -> None:
    score = scorer(Bases(), ranker(made, f"dpo:{made['dpo']}"))
    with pytest.raises(UsageError, match="has 256"):
        score([("Why?", "air " * 300)])


def test_a_base_in_four_bits(made: dict[str, Path], tmp_path: Path) -> None:
    """An adapter that was trained on a quantised base is asked on that, not on the base as its files have it."""
    raw = tiny.recipe("reward", made["base"], made["data"], tmp_path / "four", num_train_epochs=2, save_steps=100)
    raw["model"]["method"] = "qlora"
    tiny.train("reward", raw, tmp_path)
    one = ranking(made, f"reward:{tmp_path / 'four'}", allow_below_gate=True).parts[0][0]
    assert one.base_checkpoint.quantization is not None
    found = scores(Bases(), one)
    words = AutoTokenizer.from_pretrained(made["base"])
    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["score"],
    )
    options: dict[str, Any] = {"num_labels": 1, "pad_token_id": words.pad_token_id, "dtype": torch.float32}
    four = AutoModelForSequenceClassification.from_pretrained(made["base"], quantization_config=how, **options)
    quantized.use_exact_kernels(four)
    plain = AutoModelForSequenceClassification.from_pretrained(made["base"], **options)
    by: list[float] = []
    for model in (four, plain):
        judge = PeftModel.from_pretrained(model, str(one.folder)).eval()
        tokens = words(f"{ASKED[0]} {PAIRS[0][1]}{words.eos_token}")["input_ids"]
        with torch.no_grad():
            by.append(judge(input_ids=torch.tensor([tokens])).logits[0, 0].item())
    assert found[0] == pytest.approx(by[0], abs=1e-4)
    assert abs(by[0] - by[1]) > 1e-3
