"""Reward models on a tiny base: from the base and from an SFT adapter, measured, several on one base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from s2eval.errors import DataError, UsageError
from s2train import checkpoint
from s2train.losses import preference_loss
from s2train.training import calibration, models
from s2train.training.calibration import check_gate
from s2train.training.scores import reward_scores
from tests.s2train.training import tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, base: Path, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("reward")
    raw = tiny.recipe("reward", base, data, folder / "reward", num_train_epochs=4, save_steps=100)
    return tiny.train("reward", raw, folder).out


def test_what_comes_out(trained: Path) -> None:
    made = checkpoint.read(trained)
    assert made is not None
    assert made.kind == "reward"
    found = made.metrics
    assert found["pairs"] == 8
    assert found["accuracy"] == 1.0  # a word tells the two apart
    assert 0.6 < found["accuracy_low"] < 1.0  # Wilson of 8 of 8: 8 / (8 + 1.96²)
    assert found["accuracy_low"] == pytest.approx(8 / (8 + 1.96**2), abs=1e-3)
    assert found["accuracy/one_pairs"] == found["accuracy/two_pairs"] == 4
    assert found["passes_gate"] == 1.0
    assert check_gate(trained)["accuracy"] == 1.0
    assert any(name.endswith("score.weight") for name in tiny.weights(trained))
    assert sum(one["n"] for one in json.loads((trained / "calibration.json").read_text())) == 8
    held_out = [json.loads(line) for line in (trained / "held_out.jsonl").read_text().splitlines()]
    assert len(held_out) == 8
    assert all(pair["chosen"] > pair["rejected"] for pair in held_out)
    longer = sum(pair["chosen_tokens"] > pair["rejected_tokens"] for pair in held_out)
    shorter = sum(pair["chosen_tokens"] < pair["rejected_tokens"] for pair in held_out)
    assert found["by_length"] == max(longer, shorter) / 8
    assert found["over_length"] == pytest.approx(1 - found["by_length"])
    assert {"calibration.svg", "curves.svg"} <= {path.name for path in trained.iterdir()}
    about = json.loads((trained / "adapter_config.json").read_text())
    assert about["task_type"] == "SEQ_CLS"
    assert "score" in about["modules_to_save"]


def test_rewards_are_those_of_the_saved_adapter(trained: Path, base: Path, data: Path, tmp_path: Path) -> None:
    """Loaded by PEFT alone, in the order given and by any batch, it gives what was measured."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    job = tiny.job("reward", tiny.recipe("reward", base, data, trained, num_train_epochs=4, save_steps=100), tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model.config.pad_token_id = job.tokenizer.pad_token_id
    model = PeftModel.from_pretrained(model, str(trained))
    side = job.validation.columns
    one = reward_scores(model, side["chosen_ids"], job.tokenizer.pad_token_id, 1)
    many = reward_scores(model, side["chosen_ids"], job.tokenizer.pad_token_id, 8)
    assert one == pytest.approx(many, abs=1e-5)
    worse = reward_scores(model, side["rejected_ids"], job.tokenizer.pad_token_id, 3)
    assert all(a > b for a, b in zip(many, worse, strict=True))


def test_the_loss_is_ours(base: Path, data: Path, tmp_path: Path) -> None:
    """TRL's, with margin and centring, is that of `losses.preference_loss`."""
    from datasets import Dataset

    from s2train.training.trainers import Reward

    raw = tiny.recipe("reward", base, data, tmp_path / "out", center_rewards_coefficient=0.01, eval_strategy="no")
    raw["margin"] = 0.5
    job = tiny.job("reward", raw, tmp_path)
    model = models.load(job.plan)
    trainer = Reward(
        model=model,
        args=job.arguments,
        processing_class=job.tokenizer,
        train_dataset=Dataset.from_dict(job.train.columns),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    assert batch["margin"].tolist() == [0.5] * 4  # 0.5 × the rows' 1.0
    with torch.no_grad():
        theirs = trainer.compute_loss(trainer.model, dict(batch))
        rewards = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
    ours = preference_loss(*rewards.chunk(2), batch["margin"], centring=0.01)
    assert theirs.item() == pytest.approx(ours.item(), abs=1e-6)


def test_from_an_sft_adapter(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    """It takes over the factors, on the same base, with a head of its own."""
    raw = tiny.recipe("reward", base, data, tmp_path / "reward", max_steps=1, learning_rate=1e-9)
    raw["model"] = {"base": str(base), "adapter": str(sft)}
    job = tiny.train("reward", raw, tmp_path)
    before, after = tiny.weights(sft), tiny.weights(job.out)
    assert set(after) - set(before) == {"base_model.model.score.weight"}
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    mine, theirs = checkpoint.read(job.out), checkpoint.read(sft)
    assert mine is not None
    assert theirs is not None
    assert mine.base == theirs.base
    assert mine.template == theirs.template


def test_the_head_is_not_quantised(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("reward", base, data, tmp_path / "reward", max_steps=1)
    raw["model"]["method"] = "qlora"
    job = tiny.job("reward", raw, tmp_path)
    model = models.load(job.plan)
    kinds = {type(module).__name__ for name, module in model.named_modules() if name.endswith("_proj")}
    assert kinds == {"Linear4bit"}
    assert type(model.score) is torch.nn.Linear
    assert job.plan.quantization().skip == ("score",)  # type: ignore[union-attr]


def test_two_aspects_on_one_base(trained: Path, sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    raw = tiny.recipe("reward", base, data, tmp_path / "other", max_steps=2, seed=1)
    other = tiny.train("reward", raw, tmp_path).out
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    both = PeftModel.from_pretrained(model, str(trained), adapter_name="simplicity").eval()
    both.load_adapter(str(other), adapter_name="helpfulness")
    tokens = torch.arange(5, 25)[None]
    found: list[float] = []
    for name in ("simplicity", "helpfulness"):
        both.set_adapter(name)
        with torch.no_grad():
            found.append(both(input_ids=tokens).logits.item())
    assert found[0] != found[1]


def test_a_reward_model_is_nothing_to_start_from(trained: Path, base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    raw["model"] = {"base": str(base), "adapter": str(trained)}
    with pytest.raises(UsageError, match="task_type SEQ_CLS"):
        tiny.job("sft", raw, tmp_path)


@pytest.mark.parametrize("name", ["held_out.jsonl", "adapter_model.safetensors", "metrics.jsonl"])
def test_a_changed_file_is_noticed(trained: Path, base: Path, data: Path, tmp_path: Path, name: str) -> None:
    """Cut at a line boundary, or one byte of another value: it is no finished training any more."""
    out = shutil.copytree(trained, tmp_path / "reward")
    made = checkpoint.read(out)
    assert made is not None
    assert set(made.records) == {"held_out.jsonl", "metrics.jsonl"}
    listed = {**made.files, **made.records}
    assert checkpoint.problem(out, listed) == ""
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[: content.rindex(b"\n", 0, -1) + 1] if name.endswith("l") else content[:-1] + b"!")
    assert checkpoint.problem(out, listed) == f"{name} was changed since it was written"
    if name == calibration.HELD_OUT:
        with pytest.raises(DataError, match=r"held_out\.jsonl was changed"):
            calibration.check_gate(out)
    (out / name).unlink()
    assert checkpoint.problem(out, listed) == f"{name} is missing"
