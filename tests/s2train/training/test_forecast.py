"""The dry run: parameters, memory by role, steps and tokens by hand; nothing is loaded or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from s2train.training import forecast
from tests.s2train.training import tiny


def test_parameters_steps_tokens_and_memory(base: Path, data: Path, tmp_path: Path) -> None:
    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out", num_train_epochs=2), tmp_path)
    rank, hidden, inner, layers = 4, 64, 128, 2
    attention, mlp = 4 * rank * (hidden + hidden), 3 * rank * (hidden + inner)
    assert job.trainable == layers * (attention + mlp)
    effort = forecast.estimate(job)
    assert effort.steps == 12  # 2 × 24 / 4
    assert effort.tokens == 2 * job.train.tokens
    used = forecast.memory(job)
    assert used.base == (job.parameters - job.trainable) * 4 + _buffers(job)
    assert (used.adapter, used.gradients, used.optimizer) == (4 * job.trainable, 4 * job.trainable, 8 * job.trainable)
    assert used.total == used.base + 16 * job.trainable + used.activations
    text = "\n".join(forecast.lines(job))
    assert "12 steps of 4 rows" in text
    assert "time, estimated from the arithmetic and a matrix product measured" in text
    assert not list(tmp_path.glob(".out*"))


def test_processes_share_the_rows(base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """24 rows, twice, in steps of 2 × 4: 6; as many tokens as one process would see."""
    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out", num_train_epochs=2), tmp_path)
    monkeypatch.setattr("s2train.training.processes.count", lambda: 2)
    effort = forecast.estimate(job)
    assert (effort.steps, effort.tokens) == (6, 2 * job.train.tokens)
    assert "6 steps of 8 rows" in "\n".join(forecast.lines(job))


def _buffers(job: object) -> int:
    from s2train.training import models

    return sum(buffer.nbytes for buffer in models.outline(job.plan).buffers())  # type: ignore[attr-defined]


def test_packed_rows_are_packed_to_count_them(base: Path, data: Path, tmp_path: Path) -> None:
    job = tiny.job("sft", tiny.recipe("sft", base, data, tmp_path / "out", packing=True, max_length=128), tmp_path)
    least = -(-job.train.tokens // 128)
    steps = forecast.estimate(job).steps
    assert -(-least // 4) <= steps < 6  # 24 rows by 4 would be 6


@pytest.mark.parametrize(
    ("adapter", "precomputed", "reference"),
    [(False, False, 0), (True, False, 1), (True, True, 0)],
    ids=["switched off", "copied", "computed before"],
)
def test_the_reference_of_dpo(
    adapter: bool, precomputed: bool, reference: int, sft: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    raw = tiny.recipe("dpo", base, data, tmp_path / "out", precompute_ref_log_probs=precomputed)
    if adapter:
        raw["model"] = {"base": str(base), "adapter": str(sft)}
    job = tiny.job("dpo", raw, tmp_path)
    assert forecast.memory(job).reference == reference * 4 * job.trainable


def test_four_bits_and_small_states_take_less(base: Path, data: Path, tmp_path: Path) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out")
    plain = forecast.memory(tiny.job("sft", raw, tmp_path))
    raw["model"]["method"] = "qlora"
    small = forecast.memory(tiny.job("sft", raw, tmp_path, "arguments.optim=paged_adamw_8bit"))
    linear = 2 * (4 * 64 * 64 + 3 * 64 * 128)
    assert plain.base - small.base == linear * 4 - round(linear * (0.5 + 1 / 16))
    assert small.optimizer == plain.optimizer // 4


@pytest.mark.parametrize(
    ("arguments", "times"),
    [
        ({}, 2),  # two epochs
        ({"max_steps": 3}, 1),
        ({"max_steps": 7}, 2),  # 6 steps an epoch
        ({"eval_strategy": "no"}, 0),
        ({"eval_strategy": "steps", "eval_steps": 4}, 3),  # after 4, 8 and 12 of 12
        ({"eval_strategy": "steps", "eval_steps": 5}, 3),  # after 5, 10, and at the end
        ({"eval_strategy": "steps", "eval_steps": 0.5}, 2),
        ({"eval_on_start": True}, 3),
    ],
)
def test_evaluations_are_part_of_the_time(
    base: Path, data: Path, tmp_path: Path, arguments: dict[str, Any], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tiny.recipe("sft", base, data, tmp_path / "out", num_train_epochs=2, **arguments)
    job = tiny.job("sft", raw, tmp_path)
    effort = forecast.estimate(job)
    assert forecast.evaluations(job, effort) == times
    monkeypatch.setattr("s2eval.models.cost.arithmetic.rate", lambda *_: 1e6)
    tokens = times * (job.validation.tokens + 2 * 4)  # two sampled answers of four tokens
    assert forecast.evaluation_time(job, effort) == pytest.approx(forecast.forward_time(job, tokens))
    last = list(forecast.lines(job))[-1]
    if times:
        assert f"for {times} evaluation{'s' * (times > 1)} of 6 rows" in last
        assert forecast.evaluation_time(job, effort) > 0
    else:
        assert last.endswith("; nothing is evaluated")


def test_dpo_and_reward_models_take_more_to_evaluate(base: Path, data: Path, tmp_path: Path) -> None:
    job = tiny.job("reward", tiny.recipe("reward", base, data, tmp_path / "out", eval_strategy="no"), tmp_path)
    assert forecast.evaluations(job, forecast.estimate(job)) == 0
    assert "measuring 8 rows at the end" in list(forecast.lines(job))[-1]  # the gate needs it
    job = tiny.job("dpo", tiny.recipe("dpo", base, data, tmp_path / "out"), tmp_path)
    assert "for 1 evaluation of 8 rows" in list(forecast.lines(job))[-1]
