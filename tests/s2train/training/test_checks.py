"""What is refused before a first step, and the stop at a loss that is no number."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from trl import SFTTrainer  # pyright: ignore[reportPrivateImportUsage]

from s2eval.errors import ConfigError, DataError, PrerequisiteError, UsageError
from s2train import checkpoint
from s2train.training import preparation as jobs
from s2train.training import progress
from s2train.training.progress import BROKEN, DivergedError
from s2train.training.run import run
from tests.s2train.training import tiny


def test_an_adapter_of_another_base(sft: Path, smollm2: Path, data: Path, tmp_path: Path) -> None:
    other = tiny.base(tmp_path / "other", smollm2, seed=1)
    raw = tiny.recipe("dpo", other, data, tmp_path / "out")
    raw["model"] = {"base": str(other), "adapter": str(sft)}
    with pytest.raises(UsageError, match=r"adapter sft: it was trained on other weights than those of other"):
        tiny.job("dpo", raw, tmp_path)


@pytest.mark.parametrize("stage", ["sft", "reward"])
def test_an_adapter_whose_tensors_do_not_all_fit(stage: str, sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    adapter = Path(shutil.copytree(sft, tmp_path / "adapter"))
    tensors = tiny.weights(adapter)
    name = next(name for name in tensors if "layers.1" in name)
    tensors[name.replace("layers.1", "layers.7")] = tensors.pop(name)
    save_file(tensors, adapter / tiny.WEIGHTS)
    raw = tiny.recipe(stage, base, data, tmp_path / "out")
    raw["model"] = {"base": str(base), "adapter": str(adapter)}
    with pytest.raises(UsageError, match=r"adapter .*: the model has no place for 1 of its"):
        tiny.train(stage, raw, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("stage", "lacking"), [("sft", "lm_head.weight"), ("reward", "model.norm.weight")])
def test_a_base_that_lacks_tensors(
    stage: str, lacking: str, base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded, and again when it is loaded."""
    broken = Path(shutil.copytree(base, tmp_path / "broken"))
    tensors = {name: tensor for name, tensor in load_file(base / "model.safetensors").items() if name != lacking}
    old = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    save_file(tensors | old, broken / "model.safetensors", {"format": "pt"})
    raw = tiny.recipe(stage, broken, data, tmp_path / "out")
    with pytest.raises(PrerequisiteError, match=rf"base broken: its files lack 1 tensors of Llama.* \({lacking}\)"):
        tiny.job(stage, raw, tmp_path)
    monkeypatch.setattr(jobs, "check_shapes", lambda *_: None)
    with pytest.raises(PrerequisiteError, match=rf"base broken: its files lack 1 tensors of Llama.* \({lacking}\)"):
        tiny.train(stage, raw, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["sft", "reward"])
def test_an_adapter_in_whose_names_a_wrapper_left_something(
    stage: str, sft: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    """The training that starts from it ends where the one from the ordinary adapter does."""
    adapter = Path(shutil.copytree(sft, tmp_path / "adapter"))
    wrapped = {f"module.{name}".replace(".weight", ".default.weight"): one for name, one in tiny.weights(sft).items()}
    save_file(wrapped, adapter / tiny.WEIGHTS)
    ended: list[dict[str, Any]] = []
    for number, start in enumerate((sft, adapter)):
        raw = tiny.recipe(stage, base, data, tmp_path / f"out{number}", max_steps=1)
        raw["model"] = {"base": str(base), "adapter": str(start)}
        ended.append(tiny.weights(tiny.train(stage, raw, tmp_path).out))
    assert ended[0].keys() == ended[1].keys()
    assert all(torch.equal(tensor, ended[1][name]) for name, tensor in ended[0].items())


def test_a_reward_model_needs_no_language_models_head(base: Path, data: Path, tmp_path: Path) -> None:
    trunk = Path(shutil.copytree(base, tmp_path / "trunk"))
    tensors = load_file(base / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, trunk / "model.safetensors", {"format": "pt"})
    raw = tiny.recipe("reward", trunk, data, tmp_path / "out", max_steps=1)
    assert tiny.train("reward", raw, tmp_path).out.is_dir()


def test_an_adapter_that_was_trained_anew_is_another_start(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    """Its name is the same: what s2train.json keeps is the hash of its tensors."""
    adapter = Path(shutil.copytree(sft, tmp_path / "adapter"))
    raw = tiny.recipe("dpo", base, data, tmp_path / "out", max_steps=1)
    raw["model"] = {"base": str(base), "adapter": str(adapter)}
    made = checkpoint.read(tiny.train("dpo", raw, tmp_path).out)
    assert made is not None
    assert made.data["adapter"] == hashlib.sha256((sft / tiny.WEIGHTS).read_bytes()).hexdigest()
    run(tiny.job("dpo", raw, tmp_path))  # done already
    save_file({name: weight * 2 for name, weight in tiny.weights(sft).items()}, adapter / tiny.WEIGHTS)
    with pytest.raises(UsageError, match=r"a checkpoint of another training is there \(data differ\)"):
        run(tiny.job("dpo", raw, tmp_path))


def test_weights_may_be_read_by_those_who_may_read_the_rest(sft: Path) -> None:
    assert (sft / tiny.WEIGHTS).stat().st_mode == (sft / "s2train.json").stat().st_mode


def test_a_tokenizer_that_differs(sft: Path, base: Path, data: Path, tmp_path: Path) -> None:
    adapter = Path(shutil.copytree(sft, tmp_path / "adapter"))
    path = adapter / "tokenizer.json"
    told = json.loads(path.read_text())
    vocabulary = told["model"]["vocab"]
    one, other = list(vocabulary)[300:302]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    path.write_text(json.dumps(told))
    raw = tiny.recipe("dpo", base, data, tmp_path / "out")
    raw["model"] = {"base": str(base), "adapter": str(adapter)}
    with pytest.raises(UsageError, match="its tokenizer differs from the base's in 2 tokens"):
        tiny.job("dpo", raw, tmp_path)


def test_data_that_are_not_there_broken_or_empty(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    with pytest.raises(DataError, match=r"no file .*nowhere/eli5/train.jsonl; s2train data makes it"):
        tiny.job("sft", raw, tmp_path, f"data.dir={tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match=r"data.train: no file"):
        tiny.job("sft", raw, tmp_path, "data.train=missing.jsonl")
    empty = tiny.write(tmp_path / "empty.jsonl", [])
    with pytest.raises(DataError, match=r"empty.jsonl: nothing to train on: it has no rows"):
        tiny.job("sft", raw, tmp_path, f"data.train={empty}")
    broken = tiny.write(tmp_path / "broken.jsonl", [*tiny.pairs(2), {"id": "x", "question": "Why?"}])
    with pytest.raises(DataError, match=r"broken.jsonl:3: field 'answer'"):
        tiny.job("sft", raw, tmp_path, f"data.train={broken}")


def test_prompts_longer_than_the_context(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"arguments.max_length: 300: expected 2 to 256, the base's context"):
        tiny.job("sft", raw, tmp_path, "arguments.max_length=300")
    with pytest.raises(DataError, match=r"all 24 rows have more than 5 tokens"):
        tiny.job("sft", raw, tmp_path, "arguments.max_length=5")


@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_preference_files_of_which_nothing_is_left(base: Path, data: Path, tmp_path: Path, stage: str) -> None:
    raw = tiny.recipe(stage, base, data, tmp_path / "out")
    rows = tiny.preferences(4)
    same = tiny.write(tmp_path / "same.jsonl", [{**row, "rejected": row["chosen"]} for row in rows])
    with pytest.raises(DataError, match=r"same.jsonl: nothing to train on: of 4 rows 4 with two equal answers"):
        tiny.job(stage, raw, tmp_path, f"data.train={same}")
    other = tiny.write(tmp_path / "other.jsonl", [{**row, "aspect": "harmlessness"} for row in rows])
    with pytest.raises(DataError, match=r"of 4 rows 4 about harmlessness, not data.aspect=simplicity"):
        tiny.job(stage, raw, tmp_path, f"data.train={other}")
    with pytest.raises(DataError, match=r"other.jsonl: nothing to train on"):  # on the validation side too
        tiny.job(stage, raw, tmp_path, f"data.validation={other}")
    some = tiny.write(tmp_path / "some.jsonl", [*rows, {**rows[0], "chosen": " "}])
    job = tiny.job(stage, raw, tmp_path, f"data.train={some}")
    assert (len(job.train), job.train.unusable) == (4, {"blank": 1})
    assert any("1 blank: left out" in text for text in job.lines())
    endless = tmp_path / "endless.jsonl"
    endless.write_text(json.dumps(rows[0]).replace("1.0", "NaN") + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"endless.jsonl:1: field 'margin'"):
        tiny.job(stage, raw, tmp_path, f"data.train={endless}")


def test_a_file_of_its_own_has_no_validation_side(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    file = tiny.write(tmp_path / "mine.jsonl", tiny.pairs(5))
    job = tiny.job("sft", raw, tmp_path, f"data.train={file}")
    assert (len(job.train), len(job.validation)) == (5, 0)
    assert set(job.data) == {"mine.jsonl"}
    assert job.arguments.eval_strategy == "no"
    with pytest.raises(ConfigError, match="no validation side"):
        tiny.job("sft", raw, tmp_path, f"data.train={file}", "arguments.eval_strategy=epoch")


def test_a_nearly_full_disk(base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out"), tmp_path)
    usage = type("usage", (), {"free": 10 << 20})
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(PrerequisiteError, match=r"0.0 GB are free on its disk, training needs about 0.1 GB"):
        run(job)


def test_a_folder_that_is_no_checkpoint_is_left_alone(base: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("all of it")
    with pytest.raises(UsageError, match="already exists and is not an s2train checkpoint"):
        tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out"), tmp_path)


def test_trls_own_refusals_are_errors_of_the_configuration(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    with pytest.raises(ConfigError, match="arguments: "):
        tiny.job("sft", raw, tmp_path, "arguments.load_best_model_at_end=true", "arguments.eval_strategy=epoch")


def test_no_module_of_that_name(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    with pytest.raises(UsageError, match=r"model.lora: .*q_prj"):
        tiny.job("sft", raw, tmp_path, "model.lora.target_modules=[q_prj]")


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_no_number_stops_with_its_batch(
    what: str, base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out"), tmp_path)
    step = SFTTrainer.training_step

    def break_third(self: Any, model: Any, *more: Any, **options: Any) -> torch.Tensor:
        found = step(self, model, *more, **options)
        if self.state.global_step == 2:
            if what == "loss":
                return found * float("inf")
            next(weight for weight in model.parameters() if weight.grad is not None).grad[0] = float("nan")
        return found

    monkeypatch.setattr(SFTTrainer, "training_step", break_third)
    with pytest.raises(DivergedError, match=r"step 3: (the loss is inf|a gradient is NaN or infinite)"):
        run(job)
    kept = torch.load(job.work / f"{BROKEN}.pt", weights_only=True)
    assert kept["step"] == 3
    assert kept["inputs"]["input_ids"].shape[0] == 4
    assert "### Human: Why is number" in json.loads((job.work / f"{BROKEN}.json").read_text())["texts"][0]
    assert not job.out.exists()
    assert progress.newest_complete(job.work) is not None


def test_a_configuration_of_an_adapter_that_nests_without_end(
    base: Path, data: Path, sft: Path, tmp_path: Path
) -> None:
    import shutil

    adapter = shutil.copytree(sft, tmp_path / "deep")
    (adapter / "adapter_config.json").write_text("[" * 100_000, encoding="utf-8")
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    raw["model"] = {"base": str(base), "adapter": str(adapter)}
    with pytest.raises(PrerequisiteError, match=r"adapter_config.json: cannot be read"):
        tiny.job("sft", raw, tmp_path)
