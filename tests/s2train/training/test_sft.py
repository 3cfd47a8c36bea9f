"""SFT on a tiny model: what comes out, packing, full weights, 4 bits, going on from an adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from s2eval import prompts
from s2eval.errors import PrerequisiteError, UsageError
from s2train import checkpoint
from s2train.training import models, progress
from s2train.training.rows import Encoder, answered
from s2train.training.run import is_done, run
from s2train.training.trainers import Sft
from s2train.weights import shards
from tests.s2train.training import tiny


def test_what_comes_out(sft: Path, base: Path, data: Path) -> None:
    names = {path.name for path in sft.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "s2train.json"} <= names
    assert {"README.md", "metrics.jsonl", "generations.jsonl", "curves.svg"} <= names
    assert not list(sft.parent.glob(".sft*"))  # nothing is left beside it

    made = checkpoint.read(sft)
    assert made is not None
    assert (made.kind, made.template) == ("sft", "s2")
    assert made.base is not None
    assert made.base.sha256 == shards.fingerprint(shards.find(base))
    assert set(made.data) == {"eli5/train.jsonl", "eli5/validation.jsonl"}
    assert set(made.files) == {"adapter_model.safetensors"}
    assert made.metrics["steps"] == 6  # 24 rows by 4
    assert made.metrics["eval_loss"] > 0
    assert str(base.parent) not in (sft / "s2train.json").read_text()
    assert str(data) not in (sft / "s2train.json").read_text()
    assert prompts.trained_with(sft) == "s2"

    logged = progress.read(sft / "metrics.jsonl")
    losses = [record["loss"] for record in logged if "loss" in record]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    answers = progress.read(sft / "generations.jsonl")
    assert [one["prompt"] for one in answers] == [
        "### Human: Why is number 100 so? ###Assistant:",
        "### Human: Why is number 101 so? ###Assistant:",
    ]
    assert json.loads((sft / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    card = (sft / "README.md").read_text()
    assert "Made by `s2train sft`" in card
    assert "curves.svg" in card


def test_the_adapter_is_used_by_evaluation(sft: Path, base: Path) -> None:
    from transformers import AutoModelForCausalLM

    from s2eval.models.sources import adapters

    adapters.attach(AutoModelForCausalLM.from_pretrained(base), str(sft))  # refuses one that changes nothing


def test_a_finished_training_is_not_done_again(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, sft)
    before = (sft / tiny.WEIGHTS).stat().st_mtime_ns
    assert is_done(tiny.job("sft", raw, tmp_path))
    assert run(tiny.job("sft", raw, tmp_path))["steps"] == 6
    assert (sft / tiny.WEIGHTS).stat().st_mtime_ns == before
    with pytest.raises(UsageError, match=r"another training is there \(recipe differ\)"):
        is_done(tiny.job("sft", raw, tmp_path, "arguments.seed=1"))


def _dataset(job: Any) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(job.train.columns)


def test_packed_loss_is_the_padded_loss(base: Path, data: Path, tmp_path: Path) -> None:
    """The same rows in one batch: Σ of their tokens' losses over the same number of tokens."""
    found: dict[bool, float] = {}
    for packing in (False, True):
        raw = tiny.recipe("sft", base, data, tmp_path / "out", packing=packing, max_length=256, eval_strategy="no")
        job = tiny.job("sft", raw, tmp_path, "data.limit=8", "arguments.per_device_train_batch_size=8")
        model = models.load(job.plan)
        trainer = Sft(model=model, args=job.arguments, processing_class=job.tokenizer, train_dataset=_dataset(job))
        batches = list(trainer.get_train_dataloader())
        assert len(batches) == 1
        assert ("attention_mask" in batches[0]) is not packing
        with torch.no_grad():
            found[packing] = float(trainer.compute_loss(trainer.model, dict(batches[0])))
    assert found[True] == pytest.approx(found[False], abs=2e-6)

    lines = [tiny.pairs(8)[number] for number in range(8)]  # and by hand, row by row
    from s2train.data.records import PairLine

    rows = answered(Encoder(job.tokenizer, job.template, 256), [PairLine.model_validate(one) for one in lines])
    model, total, count = models.load(job.plan), 0.0, 0
    for tokens, labels in zip(rows.columns["input_ids"], rows.columns["labels"], strict=True):
        with torch.no_grad():
            logits = model(torch.as_tensor(tokens)[None].long()).logits[0, :-1]
        wanted = torch.as_tensor(labels)[1:].long()
        total += float(torch.nn.functional.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum"))
        count += int((wanted != -100).sum())
    assert found[False] == pytest.approx(total / count, abs=2e-6)


def test_all_weights(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "full", max_steps=2, packing=True)
    raw["model"] = {"base": str(base), "method": "full"}
    job = tiny.train("sft", raw, tmp_path)
    assert job.trainable == job.parameters
    made = checkpoint.read(job.out)
    assert made is not None
    assert set(made.files) == {"model.safetensors"}
    assert made.quantization is None
    assert (job.out / "config.json").is_file()


def test_four_bits_on_a_cpu(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "qlora", max_steps=2)
    raw["model"]["method"] = "qlora"
    job = tiny.train("sft", raw, tmp_path)
    made = checkpoint.read(job.out)
    assert made is not None
    assert made.quantization is not None
    assert (made.quantization.type, made.quantization.double, made.quantization.compute_dtype) == (
        "nf4",
        True,
        "float32",
    )
    assert all(tensor.dtype == torch.float32 for tensor in tiny.weights(job.out).values())


def test_going_on_from_an_adapter(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "more", max_steps=1, learning_rate=1e-9)
    raw["model"] = {"base": str(base), "adapter": str(sft)}
    job = tiny.train("sft", raw, tmp_path)
    before, after = tiny.weights(sft), tiny.weights(job.out)
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)  # one step of nearly nothing
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_second_command_does_not_train_at_the_same_time(base: Path, data: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out"), tmp_path)
    with (
        FileLock(tmp_path / ".out.training.lock"),
        pytest.raises(PrerequisiteError, match="another process is training"),
    ):
        run(job)


def test_without_an_evaluation_nothing_is_evaluated(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out", max_steps=2, eval_strategy="no")
    job = tiny.train("sft", raw, tmp_path)
    assert not (job.out / "generations.jsonl").exists()
    records = [json.loads(line) for line in (job.out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert records
    assert not [name for record in records for name in record if name.startswith("eval_")]
