"""RLOO and GRPO with reward adapters on the policy's base."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from s2eval.errors import ConfigError, UsageError
from s2train import checkpoint
from s2train.ppo import online
from s2train.ppo.reward_functions import MissingEnd, Reward
from s2train.ppo.roles import read
from s2train.stages import STAGES, load, training_for
from s2train.training import models, progress, run
from s2train.training.rows import tokens_of
from s2train.training.run import run as train
from tests.s2train.training import tiny

KINDS = ("rloo", "grpo")


def job(name: str, raw: dict[str, Any], folder: Path, *overrides: str) -> online.OnlineJob:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**raw, "algorithm": name}), encoding="utf-8")
    settings = load(STAGES["ppo"], path, overrides)
    return training_for(STAGES["ppo"], settings.algorithm).prepare(settings, path.name)


def killed(action: Callable[[], object]) -> None:
    """Run it in a process of its own, which must end by SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=action)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("name", KINDS)
def test_rewards_are_those_of_a_classification_model(
    name: str, base: Path, data: Path, sft: Path, reward: Path, tmp_path: Path
) -> None:
    """The adapter on the policy's base gives the digits of transformers' own model; the policy stays as it was."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    raw = tiny.online(base, data, reward, tmp_path / "out")
    raw["model"] = {"base": str(base), "adapter": str(sft)}
    made = job(name, raw, tmp_path)
    made.work.mkdir()
    trainer = run._trainer(made)
    function = trainer.reward_funcs[0]
    tokenizer = made.tokenizer
    prompts = made.train.prompts[:3]
    answers = [
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (" the sky", " notwithstanding", " a")
    ]
    answers[1].append(tokenizer.eos_token_id)
    trainer.model.train()
    state = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trained = [key for key, weight in trainer.model.named_parameters() if weight.requires_grad]
    tokens = torch.tensor([tokens_of(tokenizer, prompts[:1])[0]])

    def logits() -> torch.Tensor:
        """Without the policy's own dropout."""
        with torch.no_grad():
            trainer.model.eval()
            made = trainer.model(input_ids=tokens).logits
        trainer.model.train()
        return made

    before = logits()
    found = function(prompts=prompts, completions=None, completion_ids=answers, trainer_state=None)

    alone: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    alone.config.pad_token_id = tokenizer.pad_token_id
    alone = PeftModel.from_pretrained(alone, str(reward)).eval()
    for prompt, answer, value in zip(prompts, answers, found, strict=True):
        whole = tokenizer(prompt)["input_ids"] + answer
        with torch.no_grad():
            expected = alone(input_ids=torch.tensor([whole])).logits.item()
        assert value == pytest.approx(expected, abs=1e-5)
    assert len(set(found)) == 3
    assert trainer.model.training
    assert torch.equal(logits(), before)
    assert all(torch.equal(value, state[key]) for key, value in trainer.model.state_dict().items())
    assert trained == [key for key, weight in trainer.model.named_parameters() if weight.requires_grad]
    assert all(".default." in key for key in trained)
    assert trainer.reward_weights.tolist() == [1.0, 1.0]
    assert trainer.reward_funcs[1](completion_ids=[[5], [5, tokenizer.eos_token_id]]) == [-1.0, 0.0]


def test_a_penalty_is_for_answers_without_an_end() -> None:
    penalty = MissingEnd(0.5)
    penalty.ends = frozenset({2, 7})
    assert penalty(completion_ids=[[1, 2], [1], [7], [2, 1], []]) == [0.0, -0.5, 0.0, -0.5, -0.5]


class Favourite:
    """As a reward model's: the share of tokens below 400 (of 2,000), which is easy to learn."""

    @staticmethod
    def call(_: Any, prompts: Any, completion_ids: Any, **more: Any) -> list[float]:
        del prompts, more
        return [sum(token < 400 for token in tokens) / len(tokens) for tokens in completion_ids]


@pytest.mark.parametrize("name", KINDS)
def test_an_easy_reward_rises(
    name: str, base: Path, data: Path, reward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights begin at about 400 / 2,000 = 0.2 of such tokens; one direction of the hidden state, which the
    base's head is given here, makes them likelier.
    """
    loaded = models.load

    def load_leaning(plan: models.Plan) -> Any:
        model = loaded(plan)
        model.lm_head.weight.data[:400, 0] += 1.0
        return model

    monkeypatch.setattr(models, "load", load_leaning)
    monkeypatch.setattr(Reward, "__call__", Favourite.call)
    more = {"max_steps": 8, "max_completion_length": 4, "learning_rate": 0.1, "beta": 0.0, "save_steps": 8}
    raw = tiny.online(base, data, reward, tmp_path / "out", **more)
    raw["missing_end_penalty"], raw["generations"] = 0.0, {"prompts": 0}
    made = job(name, raw, tmp_path)
    train(made)
    rewards = [line["reward"] for line in progress.read(made.out / progress.METRICS) if "reward" in line]
    assert len(rewards) == 8
    assert rewards[0] < 0.4
    assert sum(rewards[-4:]) / 4 > rewards[0] + 0.2


@pytest.mark.parametrize("name", KINDS)
def test_a_checkpoint_is_an_ordinary_adapter(
    name: str, base: Path, data: Path, sft: Path, reward: Path, tmp_path: Path
) -> None:
    """From an SFT adapter, with an evaluation and a reference; neither it nor the rewards are in the folder."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    raw = tiny.online(base, data, reward, tmp_path / "out", max_steps=2)
    raw["model"] = {"base": str(base), "adapter": str(sft)}
    raw["rewards"] = {"plain": {"adapter": str(reward), "weight": 2.0}}
    made = job(name, raw, tmp_path)
    measured = train(made)
    assert "eval_reward" in measured
    assert "eval_rewards/plain/mean" in measured
    assert not [path for path in made.out.iterdir() if path.is_dir()]
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(made.out))
    assert model.peft_config.keys() == {"default"}
    assert not [key for key in tiny.weights(made.out) if "score" in key or "reward" in key]
    assert not tiny.same(made.out, sft)
    written = checkpoint.read(made.out)
    assert written is not None
    assert written.kind == name
    assert written.recipe["rewards"] == {"plain": {"adapter": "plain", "weight": 2.0}}  # type: ignore[index,call-overload]
    assert "reward-plain" in written.data
    assert str(tmp_path) not in json.dumps(written.recipe)


@pytest.mark.parametrize("name", KINDS)
def test_killed_and_the_same_parameters(
    name: str, base: Path, data: Path, reward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second epoch of 4 prompts, after checkpoint-4 of 6."""
    from s2train.training.trainers import Recorder

    raw = tiny.online(base, data, reward, tmp_path / "whole", max_steps=6)
    raw["data"]["limit"] = 4
    whole = job(name, raw, tmp_path)
    train(whole)
    again = job(name, raw, tmp_path, f"out={tmp_path / 'killed'}")

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_step_end", on_step_end)
        killed(lambda: train(again))
    kept = again.work / "checkpoint-4"
    assert (kept / progress.COMPLETE).is_file()
    assert not [path for path in kept.iterdir() if path.is_dir()]  # no copies of rewards
    train(again)
    assert tiny.same(whole.out, again.out)


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("model.method=full", "method full changes the base"),
        ("rewards={}", "rewards"),
        ("arguments.max_completion_length=64", "nothing of arguments.max_length"),
        ("data.limit=1", "1 prompts, but 2 are answered together"),
        ("arguments.steps_per_generation=2", "save_steps: 3 is no multiple of 2"),
        ("data.overlong=truncate", "a cut prompt is another question"),
        ("arguments.per_device_eval_batch_size=2", "must be a multiple of 4"),
        ("arguments.train_sampling_strategy=group_by_length", "answers are not there yet"),
        ("gate=1.1", "gate"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    override: str, what: str, base: Path, data: Path, reward: Path, tmp_path: Path
) -> None:
    raw = tiny.online(base, data, reward, tmp_path / "out", save_steps=3)
    if "method=full" in override:
        del raw["model"]["lora"]
    with pytest.raises(UsageError, match=what):
        job("rloo", raw, tmp_path, override)


def test_reward_models_that_do_not_belong_here_are_refused(
    base: Path, data: Path, sft: Path, reward: Path, smollm2: Path, tmp_path: Path
) -> None:
    def refused(**changes: Any) -> str:
        with pytest.raises(UsageError) as told:
            job("grpo", {**tiny.online(base, data, reward, tmp_path / "out"), **changes}, tmp_path)
        return str(told.value)

    assert "no reward model of s2train" in refused(rewards={"plain": str(sft)})
    assert "less than 100%" in refused(gate=1.0, rewards={"plain": str(below(reward, tmp_path / "below"))})
    other = tiny.base(tmp_path / "other", smollm2, seed=1)
    model = {"base": str(other), "method": "lora"}
    assert "it was trained on other weights" in refused(model=model)
    chat = {"base": str(base), "method": "lora", "template": "s2-space"}
    assert "trained on prompts of template s2" in refused(model=chat)


def below(reward: Path, out: Path) -> Path:
    """The same, less accurate."""
    import shutil

    shutil.copytree(reward, out)
    made = checkpoint.read(out)
    assert made is not None
    checkpoint.write(out, made.model_copy(update={"metrics": {**made.metrics, "accuracy": 0.9}}))
    return out


def test_the_dry_run_tells_steps_answers_and_rewards(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    """4 steps of 8 answers, 4 to a prompt."""
    raw = tiny.online(base, data, reward, tmp_path / "out")
    told = "\n".join(online.lines(job("rloo", raw, tmp_path)))
    assert "4 steps; 32 answers are sampled, 4 to a prompt" in told
    assert "reward: 1 × plain (plain), -1 for an answer that does not end" in told
    assert not (tmp_path / "out").exists()


def test_a_config_error_names_the_key(base: Path, data: Path, reward: Path, tmp_path: Path) -> None:
    raw = tiny.online(base, data, reward, tmp_path / "out")
    raw["rewards"] = {"plain": {"adapter": str(reward), "wait": 1}}
    with pytest.raises(ConfigError, match=r"rewards\.plain\.wait"):
        job("rloo", raw, tmp_path)


def test_a_reward_without_a_head_is_refused(sft: Path) -> None:
    with pytest.raises(UsageError, match="no score head"):
        Reward("plain", read(str(sft)), None, 1)
