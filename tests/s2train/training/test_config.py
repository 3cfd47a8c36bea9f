"""Configurations: every error at once, TRL's fields by their own names and types, recipes that load."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from s2eval.errors import ConfigError
from s2train.stages import STAGES, load
from s2train.training.hardware import choose

RECIPES = sorted((Path(__file__).parents[3] / "examples" / "recipes").glob("*.yaml"))
SMALL = {"out": "o", "model": {"base": "b"}, "data": {"dir": "d"}}


def written(folder: Path, raw: object) -> Path:
    path = folder / "some.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def test_all_errors_at_once_with_the_nearest_name(tmp_path: Path) -> None:
    raw = {
        "out": "o",
        "model": {"base": "b", "metod": "lora"},
        "data": {"dir": "d", "set": "elli5"},
        "arguments": {"lerning_rate": 1, "num_train_epoch": 2, "packing_strategy": "wrapped", "output_dir": "x"},
    }
    with pytest.raises(ConfigError) as caught:
        load(STAGES["sft"], written(tmp_path, raw), ["arguments.save_total_limit=1", "arguments.max_steps=many"])
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 8
    assert "model.metod: unknown key; did you mean 'method'?" in problems
    assert "data.set: unknown name 'elli5'; did you mean 'eli5'?" in problems
    assert "arguments.lerning_rate: unknown key; did you mean 'learning_rate'?" in problems
    assert "arguments.num_train_epoch: unknown key; did you mean 'num_train_epochs'?" in problems
    assert "arguments.packing_strategy: 'wrapped': only 'bfd' keeps" in problems
    assert "arguments.output_dir: not to be set: `out:` says where" in problems
    assert "arguments.save_total_limit: at least 2" in problems
    assert "arguments.max_steps: Input should be a valid integer" in problems


def test_a_number_that_is_a_text_to_yaml_is_a_number(tmp_path: Path) -> None:
    made = load(STAGES["sft"], written(tmp_path, SMALL), ["arguments.learning_rate=2e-4", "arguments.tf32=null"])
    assert yaml.safe_load("2e-4") == "2e-4"
    assert made.arguments.learning_rate == 0.0002
    assert made.arguments.model_fields_set == {"learning_rate", "tf32"}


def test_no_is_a_word_where_words_are_expected(tmp_path: Path) -> None:
    raw = {**SMALL, "arguments": {"save_strategy": "no"}}
    made = load(STAGES["sft"], written(tmp_path, raw), ["arguments.eval_strategy=no"])
    assert yaml.safe_load("no") is False
    assert (made.arguments.eval_strategy, made.arguments.save_strategy) == ("no", "no")


def test_fields_of_one_stage_are_unknown_to_another(tmp_path: Path) -> None:
    assert load(STAGES["dpo"], written(tmp_path, SMALL), ["arguments.beta=0.3"]).arguments.beta == 0.3
    with pytest.raises(ConfigError, match=r"arguments.beta: unknown key"):
        load(STAGES["sft"], written(tmp_path, SMALL), ["arguments.beta=0.3"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model={base: b, adapter: a, method: full}", "merge it first"),
        ("model={base: b, adapter: a, lora: {r: 4}}", "has its own shape"),
        ("model={base: b, method: lora, quantization: {type: fp4}}", "only method qlora quantises"),
        ("data={set: eli5}", "names no data"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(STAGES["sft"], written(tmp_path, SMALL), [override])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads(path: Path) -> None:
    stage = next(stage for stage in STAGES if not STAGES[stage].command and f"-{stage}" in path.stem)
    made = load(STAGES[stage], path)
    assert made.out == f"runs/{path.stem}"
    own = getattr(made, "ppo", None) or made.arguments
    assert own.model_fields_set


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 17  # smollm2: sft, reward, dpo, ppo, grpo; both Llamas: sft on three sets, reward, dpo, ppo


@pytest.mark.parametrize(
    ("asked", "method", "device", "bf16", "dtype", "compute"),
    [
        ("auto", "lora", "cpu", False, "float32", "float32"),
        ("auto", "qlora", "cpu", True, "float32", "float32"),  # a CPU computes bf16 slower than fp32
        ("auto", "lora", "cuda", True, "bfloat16", "bfloat16"),
        ("auto", "full", "cuda", True, "float32", "bfloat16"),  # what is trained keeps 32 bits
        ("auto", "lora", "cuda", False, "float16", "float16"),
        ("float32", "lora", "cuda", True, "float32", "bfloat16"),
        ("bfloat16", "lora", "cpu", False, "bfloat16", "bfloat16"),
        ("auto", "lora", "mps", False, "float32", "float32"),
    ],
)
def test_types_by_hardware(asked: str, method: str, device: str, bf16: bool, dtype: str, compute: str) -> None:
    found = choose(asked, method, device, bf16)
    assert (found.dtype, found.compute) == (dtype, compute)


@pytest.mark.parametrize(
    ("assignment", "meant"),
    [
        ("model.lora.rank=8", "r"),
        ("model.lora.lora_r=8", "r"),
        ("model.lora.lora_alpha=16", "alpha"),
        ("model.lora.use_dora=true", "dora"),
        ("model.base_model=x", "base"),
        ("model.torch_dtype=float32", "dtype"),
        ("arguments.lr=1e-4", "learning_rate"),
        ("arguments.epochs=3", "num_train_epochs"),
        ("arguments.batch_size=8", "per_device_train_batch_size"),
        ("arguments.grad_accum=8", "gradient_accumulation_steps"),
        ("arguments.max_seq_length=8", "max_length"),
        ("arguments.warmup=8", "warmup_steps"),
        ("arguments.scheduler=cosine", "lr_scheduler_type"),
        ("output_dir=x", "out"),
        ("learning_rate=1e-4", "arguments.learning_rate"),
        ("epochs=3", "arguments.num_train_epochs"),
        ("model.rank=8", "model.lora.r"),
        ("model.r=8", "model.lora.r"),
        ("arguments.rank=8", "model.lora.r"),
    ],
)
def test_an_unknown_key_is_answered_with_what_it_means(tmp_path: Path, assignment: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(STAGES["sft"], written(tmp_path, SMALL), [assignment])
    key = assignment.partition("=")[0]
    assert list(caught.value.problems) == [f"{key}: unknown key; did you mean {meant!r}?"]


def test_a_key_that_means_nothing_here_is_answered_without_a_long_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(STAGES["sft"], written(tmp_path, SMALL), ["arguments.zzqqxx=1", "generations.zzqqxx=1"])
    problems = sorted(caught.value.problems)
    assert problems[0].startswith("arguments.zzqqxx: unknown key")
    assert len(problems[0]) < 200
    assert problems[1] == "generations.zzqqxx: unknown key; known: prompts, max_tokens"
