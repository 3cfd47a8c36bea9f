"""`s2train ppo` as users call it, alone and in two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from s2train import checkpoint
from s2train.cli import main
from s2train.ppo import forecast
from s2train.training import progress
from tests.s2train.ppo import small
from tests.s2train.training import tiny

ROOT = Path(__file__).parents[3]


def s2train(*arguments: object) -> int:
    """The command's exit code; typer ends one that goes well by SystemExit."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_dry_run_then_training_then_nothing_to_do(
    base: Path, data: Path, sft: Path, reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small.write(small.recipe(base, data, tmp_path / "out", reward, sft), tmp_path)
    assert s2train("ppo", path, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "reward: 1 × simplicity (reward) - 0.05 × KL; reference: a frozen copy of that adapter" in told
    assert "4 steps of 4 answers, 8 updates; 16 answers of at most 80 tokens are sampled" in told  # 16 × 5
    assert "with a model of its own for each of the 4 roles" in told
    assert not (tmp_path / "out").exists()

    assert s2train("ppo", path) == 0
    told = capsys.readouterr()
    assert told.out.endswith(f"written: {tmp_path / 'out'}\n")
    assert "step 4 of 4: reward" in told.err
    out = tmp_path / "out"
    assert not (tmp_path / ".out.training").exists()
    names = {path.name for path in out.iterdir()}
    assert {"README.md", "adapter_config.json", "curves.svg", "generations.jsonl", "tokenizer.json"} <= names

    made = checkpoint.read(out)
    assert made is not None
    assert made.kind == "ppo"
    assert made.template == "s2"
    assert made.data.keys() == {"eli5/train.jsonl", "eli5/validation.jsonl", "adapter", "reward-simplicity"}
    assert made.metrics["steps"] == 4
    assert "eval_reward_before" in made.metrics
    logged = progress.read(out / progress.METRICS)
    assert [one["step"] for one in logged if "reward" in one] == [1, 2, 3, 4]
    assert [one["step"] for one in logged if "eval_reward" in one] == [0, 2, 4]
    said = progress.read(out / progress.GENERATIONS)
    assert len(said) == 3 * 3  # evaluations × prompts
    before = [one["rewards"]["simplicity"] for one in said if one["step"] == 0]
    assert logged[0]["eval_reward/simplicity"] == pytest.approx(sum(before) / 3)
    assert logged[0]["eval_kl"] == pytest.approx(0, abs=1e-4)  # the policy is the reference still

    assert s2train("ppo", path) == 0  # done already
    assert "step" not in capsys.readouterr().err


def test_what_comes_out_is_an_ordinary_adapter(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    """PEFT loads it: all of its tensors are taken, and the model is no longer its base."""
    out = small.train(small.recipe(base, data, tmp_path / "out", reward), tmp_path).out
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    tokens = torch.tensor([[5, 6, 7]])
    plain = AutoModelForCausalLM.from_pretrained(base)
    expected = plain(tokens).logits
    model = PeftModel.from_pretrained(plain, str(out))
    loaded = {name: weight for name, weight in model.state_dict().items() if "lora_" in name}
    there = tiny.weights(out)
    assert len(loaded) == len(there)
    for name, weight in there.items():
        assert torch.equal(weight, loaded[name.replace(".weight", ".default.weight")])
    assert not torch.allclose(model(tokens).logits, expected)


def test_forecast_counts_what_is_trained(base: Path, data: Path, sft: Path, reward: Path, tmp_path: Path) -> None:
    job = small.job(small.recipe(base, data, tmp_path / "out", reward, sft), tmp_path)
    used = forecast.memory(job)
    assert used.reference == used.policy == 4 * sum(weight.numel() for weight in tiny.weights(sft).values())
    assert used.optimizer == 8 * (job.policy + job.value)
    assert job.value == job.policy + 64 + 1  # the same shape, and a head of 64 weights and a bias
    assert used.apart - used.total == 3 * used.base  # value, reference, one reward
    much = forecast.effort(job)
    prompt = sum(map(len, job.train.tokens)) / len(job.train)
    tokens = round(16 * (prompt + 5))
    assert much.learnt == 2 * 2 * tokens  # roles × epochs
    assert much.passed == (1 + 4) * tokens + much.learnt  # sampled; policy, reference, value, reward


def test_several_rewards_and_files_of_prompts(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    raw = small.recipe(base, data, tmp_path / "out", reward)
    raw["rewards"] = {"one": str(reward), "two": {"adapter": str(reward), "weight": 0.5}}
    prompts = tiny.write(tmp_path / "p.jsonl", [{"question": "Why?"}, {"prompt": "Why?"}, {"prompt": "How?"}])
    raw["data"] = {"prompts": str(prompts), "max_prompt": 64}
    job = small.train(raw, tmp_path, "ppo.steps=1")
    assert (len(job.train), job.train.read, job.train.repeated) == (2, 3, 1)
    logged = progress.read(job.out / progress.METRICS)
    assert logged[0]["reward/one"] == logged[0]["reward/two"]
    assert not any("eval_reward" in one for one in logged)  # no validation side


def test_two_processes_end_with_the_same_parameters(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    """Each rank hashes its policy at the end; only the first writes."""
    raw = small.recipe(base, data, tmp_path / "out", reward)
    path = small.write(raw, tmp_path)
    script = tmp_path / "two.py"
    script.write_text(f"""
import hashlib, sys
from pathlib import Path
from s2train.ppo.learning import Learner
from s2train.training.processes import hush, rank
from s2train.cli import main
step = Learner.step
def told(self, number):
    made = step(self, number)
    digest = hashlib.sha256(b"".join(one.numpy().tobytes() for _, one in sorted(self.state()["policy"].items())))
    Path({str(tmp_path)!r}, f"{{rank()}}.{{number}}").write_text(digest.hexdigest())
    return made
Learner.step = told
hush()
raise SystemExit(main(sys.argv[1:]))
""")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*torchrun, str(script), "ppo", str(path)], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("written:") == 1
    for number in range(4):
        assert (tmp_path / f"0.{number}").read_text() == (tmp_path / f"1.{number}").read_text()
    made = checkpoint.read(tmp_path / "out")
    assert made is not None
    assert made.metrics["processes"] == 2
    assert [one["step"] for one in progress.read(tmp_path / "out" / progress.METRICS) if "reward" in one] == [
        1,
        2,
        3,
        4,
    ]


def test_a_world_that_nobody_joined_is_refused(
    base: Path, data: Path, reward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("WORLD_SIZE", "2")
    path = small.write(small.recipe(base, data, tmp_path / "out", reward), tmp_path)
    assert s2train("ppo", path) == 1
    assert "WORLD_SIZE is 2, but RANK or LOCAL_RANK is not set" in capsys.readouterr().err
