"""Accuracy, calibration and the gate, by hand."""

from __future__ import annotations

from math import log
from pathlib import Path

import pytest

from s2eval.errors import DataError, UsageError
from s2eval.stats import proportion
from s2train import checkpoint
from s2train.checkpoint import Checkpoint
from s2train.training.calibration import (
    Judged,
    accuracy,
    bins,
    by_length,
    calibration_error,
    check_gate,
    confidence,
    draw,
    metrics,
    table,
)


def judged(difference: float, prompt: str = "", source: str = "s") -> Judged:
    return Judged(prompt or str(difference), source, difference, 0.0, 7, 7)


def test_accuracy_has_wilsons_interval_where_prompts_differ() -> None:
    pairs = [judged(float(number) - 2.5) for number in range(10)]  # -2.5 … 6.5: 7 of 10 are right
    found = accuracy(pairs)
    assert found.value == 0.7
    assert found.method == "wilson"
    assert (found.ci_low, found.ci_high) == (proportion(7, 10).ci_low, proportion(7, 10).ci_high)


def test_pairs_of_one_prompt_are_one_piece_of_evidence() -> None:
    pairs = [Judged(f"p{number // 5}", "s", float(number < 15), 0.5, 7, 7) for number in range(20)]  # 4 prompts of 5
    found = accuracy(pairs)
    apart = accuracy([Judged(f"p{number}", "s", pair.chosen, 0.5, 7, 7) for number, pair in enumerate(pairs)])
    assert found.value == apart.value == 0.75
    assert found.ci_low is not None
    assert apart.ci_low is not None
    assert found.ci_low < apart.ci_low  # three prompts right and one wrong tell less than fifteen pairs and five


def test_an_interval_of_a_share_stays_within_0_and_1() -> None:
    """Of 4 prompts two are all right and two all wrong; of 2 nothing can be told, and a report says so."""
    pairs = [Judged(f"p{number // 2}", "s", float(number < 4), 0.5, 7, 7) for number in range(8)]
    found = accuracy(pairs)
    assert found.value == 0.5
    assert 0 < found.ci_low < 0.5 < found.ci_high < 1
    few = accuracy(pairs[2:6])
    assert (few.value, few.ci_low, few.ci_high, few.method) == (0.5, None, None, "too-few")


def test_equal_rewards_are_not_right() -> None:
    assert accuracy([judged(0.0, "a"), judged(1.0, "b")]).value == 0.5
    assert metrics([judged(0.0, "a"), judged(1.0, "b")])["ties"] == 1


def test_length_alone_is_set_beside_it() -> None:
    """The shorter answer is right for 8 of 10, the longer for 1, one pair has equal lengths; the model: the first 9."""
    lengths = [(5, 9)] * 8 + [(9, 5), (7, 7)]
    pairs = [Judged(f"p{place}", "s", float(place < 9), 0.5, *each) for place, each in enumerate(lengths)]
    assert by_length(pairs) == [True] * 8 + [False, False]
    found = metrics(pairs)
    assert found["by_length"] == 0.8
    assert (found["by_length_low"], found["by_length_high"]) == (proportion(8, 10).ci_low, proportion(8, 10).ci_high)
    assert found["over_length"] == pytest.approx(0.1)  # 9/10 - 8/10
    assert found["over_length_p"] == 0.5  # McNemar's mid-p of 1 against 0: 2 × ½ - ½
    assert found["over_length_low"] < 0.1 < found["over_length_high"]


def test_length_is_compared_by_prompts_where_they_repeat() -> None:
    """The model is right where length is wrong, on every pair of 4 prompts: 4 signs, not 16."""
    pairs = [Judged(f"p{place // 4}", "s", 1.0, 0.5, 9, 5 if place % 4 < 2 else 13) for place in range(16)]
    found = metrics(pairs)
    assert (found["by_length"], found["over_length"]) == (0.5, 0.5)  # the longer or the shorter: half of each prompt
    assert found["over_length_p"] == 0.125  # 2 of the 2⁴ sign patterns are as far from 0


def test_by_source() -> None:
    pairs = [judged(1, "a", "one"), judged(-1, "b", "one"), judged(1, "c", "two")]
    found = metrics(pairs)
    assert (found["accuracy/one"], found["accuracy/one_pairs"], found["accuracy/two"]) == (0.5, 2, 1)


def test_confidence_is_that_of_bradley_and_terry() -> None:
    assert confidence(judged(log(3))) == pytest.approx(0.75)  # σ(log 3) = 3 / (1 + 3)
    assert confidence(judged(-log(3))) == pytest.approx(0.75)  # as sure, and wrong


def test_bins_and_the_calibration_error() -> None:
    sure, less = log(9), log(1.5)  # 90% and 60%
    pairs = [judged(sure)] * 3 + [judged(-sure)] + [judged(less)] * 2 + [judged(-less)] * 2
    found = bins(pairs, 2)
    assert [(one.n, one.accuracy.value) for one in found] == [(4, 0.5), (4, 0.75)]
    assert [one.confidence for one in found] == pytest.approx([0.6, 0.9])
    assert calibration_error(found) == pytest.approx((4 * 0.1 + 4 * 0.15) / 8)
    assert table(found)[0]["n"] == 4
    assert len(bins(pairs[:3], 10)) == 3  # no bin is empty


def test_the_picture(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(bins([judged(float(number) / 3) for number in range(20)]), tmp_path / name)
    assert "calibrated" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(("right", "passes"), [(7, 1.0), (6, 0.0)])
def test_the_gate_is_at_seventy_percent(right: int, passes: float) -> None:
    pairs = [judged(1.0 if number < right else -1.0, str(number)) for number in range(10)]
    assert metrics(pairs)["passes_gate"] == passes  # 7/10 ≥ 0.70 > 6/10
    assert metrics(pairs, minimum=0.6)["passes_gate"] == 1.0


def reward(folder: Path, **measured: float) -> Path:
    folder.mkdir()
    checkpoint.write(folder, Checkpoint(template="s2", kind="reward", metrics=measured))
    return folder


def test_ppo_is_refused_a_model_below_the_gate_unless_told_otherwise(tmp_path: Path) -> None:
    bad = reward(tmp_path / "bad", accuracy=0.65, accuracy_low=0.6, accuracy_high=0.7)
    with pytest.raises(
        UsageError, match=r"bad: it orders 65.0% of held-out pairs .* \(60.0% to 70.0%\), less than 70%"
    ):
        check_gate(bad)
    assert check_gate(bad, allow=True)["accuracy"] == 0.65
    assert check_gate(bad, minimum=0.6)["accuracy"] == 0.65
    assert check_gate(reward(tmp_path / "good", accuracy=0.7))["accuracy"] == 0.7
    with pytest.raises(UsageError, match="never measured"):
        check_gate(reward(tmp_path / "unknown"))
    with pytest.raises(DataError, match="no reward model"):
        check_gate(tmp_path)
