"""What `s2train ppo` refuses before any weights are loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from s2eval.errors import ConfigError, DataError, PrerequisiteError, UsageError
from s2train.ppo import run as runs
from s2train.training import preparation as jobs
from tests.s2train.ppo import small
from tests.s2train.training import tiny


@pytest.fixture
def raw(base: Path, data: Path, reward: Path, tmp_path: Path) -> dict[str, Any]:
    return small.recipe(base, data, tmp_path / "out", reward)


def changed(adapter: Path, out: Path, **values: Any) -> Path:
    """A copy whose `s2train.json` says something else."""
    shutil.copytree(adapter, out)
    path = out / "s2train.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ppo.answers=5", "answers (5) must be a multiple of minibatch (4)"),
        ("rewards={}", "rewards"),
        ("rewards={a.b: x}", "'a.b': expected letters, digits, - and _"),
        ("model={base: b, method: full}", "method full changes the base"),
        ("data={set: eli5}", "names no data"),
        ("ppo.klt=1", "ppo.klt: unknown key"),
        ("report_to=printer", "report_to"),
    ],
)
def test_configurations(raw: Mapping[str, Any], tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        small.job(raw, tmp_path, override)
    assert message in str(told.value)


def test_prompts_and_answers_over_the_context(raw: Mapping[str, Any], tmp_path: Path) -> None:
    """The tiny base has room for 256 tokens: 252 of a prompt and 5 of an answer are one too many."""
    small.job(raw, tmp_path, "data.max_prompt=251")
    with pytest.raises(ConfigError, match="more than the base's context of 256"):
        small.job(raw, tmp_path, "data.max_prompt=252")


def test_long_prompts_are_counted_and_none_left_is_refused(raw: Mapping[str, Any], tmp_path: Path) -> None:
    asked = ["Why?", "How?", "Why is the sky over the sea so very blue?"]
    file = tiny.write(tmp_path / "asked.jsonl", [{"question": one} for one in asked])
    whole = small.job(raw, tmp_path, f"data.prompts={file}")
    assert whole.train.longest == len(whole.train.tokens[2]) > len(whole.train.tokens[0])
    job = small.job(raw, tmp_path, f"data.prompts={file}", f"data.max_prompt={whole.train.longest - 1}")
    assert (len(job.train), job.train.read, job.train.dropped) == (2, 3, 1)
    assert "train: 2 prompts of 3 lines" in "\n".join(job.lines())
    assert "1 were too long and left out" in "\n".join(job.lines())
    with pytest.raises(DataError, match="all 24 prompts have more than 3 tokens"):
        small.job(raw, tmp_path, "data.max_prompt=3")
    with pytest.raises(DataError, match="no file"):
        small.job(raw, tmp_path, "data.set=wiki")
    empty = tiny.write(tmp_path / "empty.jsonl", [])
    with pytest.raises(DataError, match="it has no lines"):
        small.job(raw, tmp_path, f"data.prompts={empty}")
    wrong = tiny.write(tmp_path / "wrong.jsonl", [{"question": "a"}, {"text": "b"}])
    with pytest.raises(DataError, match=r"wrong\.jsonl:2"):
        small.job(raw, tmp_path, f"data.prompts={wrong}")


def test_a_reward_below_the_gate(raw: dict[str, Any], reward: Path, tmp_path: Path) -> None:
    metrics = {"accuracy": 0.6, "accuracy_low": 0.4, "accuracy_high": 0.8}
    raw["rewards"] = {"poor": str(changed(reward, tmp_path / "poor", metrics=metrics))}
    small.job(raw, tmp_path, "gate=0.6", "allow_below_gate=false")
    with pytest.raises(UsageError, match="less than 70%"):
        small.job(raw, tmp_path, "allow_below_gate=false")


def test_a_reward_of_another_base_or_template(raw: dict[str, Any], reward: Path, tmp_path: Path) -> None:
    raw["rewards"] = {"other": str(changed(reward, tmp_path / "other", base={"name": "b", "sha256": "0" * 64}))}
    with pytest.raises(UsageError, match="trained on other weights"):
        small.job(raw, tmp_path)
    raw["rewards"] = {"other": str(changed(reward, tmp_path / "template", template="s2-space"))}
    with pytest.raises(UsageError, match="template s2-space, the policy's is s2"):
        small.job(raw, tmp_path)
    raw["rewards"] = {"none": str(tmp_path)}
    with pytest.raises(DataError, match="no reward model of s2train"):
        small.job(raw, tmp_path)


def test_a_policy_adapter_of_another_base(raw: dict[str, Any], base: Path, sft: Path, tmp_path: Path) -> None:
    raw["model"] = {
        "base": str(base),
        "adapter": str(changed(sft, tmp_path / "s", base={"name": "b", "sha256": "0" * 64})),
    }
    with pytest.raises(UsageError, match="trained on other weights"):
        small.job(raw, tmp_path)


def test_a_tokenizer_that_differs(raw: dict[str, Any], reward: Path, tmp_path: Path) -> None:
    other = changed(reward, tmp_path / "other")
    path = other / "tokenizer.json"
    words = json.loads(path.read_text())
    vocabulary = words["model"]["vocab"]
    first, second = list(vocabulary)[1000:1002]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    path.write_text(json.dumps(words))
    raw["rewards"] = {"other": str(other)}
    with pytest.raises(UsageError, match="tokenizer differs from the base's in 2 tokens"):
        small.job(raw, tmp_path)


def test_another_quantisation_is_told(raw: dict[str, Any], reward: Path, tmp_path: Path) -> None:
    how = {"type": "nf4", "double": True}
    raw["rewards"] = {"four": str(changed(reward, tmp_path / "four", quantization=how))}
    told = "\n".join(small.job(raw, tmp_path).lines())
    assert "warning: reward four was trained on a base with nf4, double, here it stands on one with no quantis" in told


@pytest.mark.parametrize(
    ("loss", "message"), [("missing", "asks for 1 more than its file has"), ("more", "has no place for 1 of its 29")]
)
def test_tensors_that_do_not_all_load(
    raw: dict[str, Any], reward: Path, tmp_path: Path, loss: str, message: str
) -> None:
    broken = changed(reward, tmp_path / "broken")
    path = broken / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "lora_A" in name)
    if loss == "missing":
        del tensors[name]
    else:
        tensors[name.replace("layers.0", "layers.7")] = tensors[name].clone()
    save_file(tensors, path)
    raw["rewards"] = {"broken": str(broken)}
    with pytest.raises(UsageError, match=message):
        runs.run(small.job(raw, tmp_path))


def test_a_full_disk_and_a_name_that_is_taken(
    raw: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(UsageError, match="already exists"):
        small.job(raw, tmp_path, f"out={tmp_path / 'taken'}")
    job = small.job(raw, tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(jobs.shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(PrerequisiteError, match="are free on its disk"):
        runs.run(job)


def test_a_tracker_that_is_not_installed(raw: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2train.training.trackers.find_spec", lambda _: None)
    with pytest.raises(PrerequisiteError, match="wandb is not installed"):
        small.job(raw, tmp_path, "report_to=wandb")
