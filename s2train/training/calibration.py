"""How far a reward model may be believed: accuracy on held-out pairs, calibration, and the gate for PPO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from pathlib import Path

from s2eval.errors import DataError, UsageError
from s2eval.records import Estimate, Scale
from s2eval.report.charts.canvas import COLOURS, GREY, drawing
from s2eval.stats import clustered_mean, paired_difference, proportion
from s2train import checkpoint

HELD_OUT = "held_out.jsonl"
"""In a reward model's folder: the fields of `Judged`, a line a pair."""
SHARE = Scale(0.0, 1.0)
GATE = 0.70
BINS = 10
ACCURACY, PASSES = "accuracy", "passes_gate"


@dataclass(frozen=True, slots=True)
class Judged:
    """A held-out pair with its rewards; tokens are those of each answer with its prompt."""

    prompt: str
    source: str
    chosen: float
    rejected: float
    chosen_tokens: int
    rejected_tokens: int

    @property
    def right(self) -> bool:
        """Whether the chosen answer has the higher reward; equal ones are wrong."""
        return self.chosen > self.rejected


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of which the model is about equally sure.

    Attributes:
        low, high: bounds of its confidence σ(|r_a - r_b|) in the answer that it prefers.
        n: pairs.
        confidence: its mean.
        accuracy: the share that is right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Estimate


def accuracy(pairs: Sequence[Judged]) -> Estimate:
    """The share of pairs in the right order: Wilson's interval; clustered by prompt where prompts repeat."""
    return _share([pair.right for pair in pairs], pairs)


def _share(right: Sequence[bool], pairs: Sequence[Judged]) -> Estimate:
    prompts = _repeated_prompts(pairs)
    if not prompts:
        return proportion(sum(right), len(right))
    return clustered_mean([float(value) for value in right], prompts, within=SHARE)


def _repeated_prompts(pairs: Sequence[Judged]) -> list[str] | None:
    """Each pair's prompt where prompts repeat, so that pairs are clustered; else None."""
    prompts = [pair.prompt for pair in pairs]
    return prompts if len(set(prompts)) < len(prompts) else None


def by_length(pairs: Sequence[Judged]) -> list[bool]:
    """Which pairs length alone orders right: the longer answer or the shorter one, whichever does better on these.

    Answers of equal length are wrong, as equal rewards are.
    """
    longer = [pair.chosen_tokens > pair.rejected_tokens for pair in pairs]
    shorter = [pair.chosen_tokens < pair.rejected_tokens for pair in pairs]
    return max(longer, shorter, key=sum)


def confidence(pair: Judged) -> float:
    """σ(|r_chosen - r_rejected|), from ½: how sure the model is of the answer that it prefers (Bradley and Terry)."""
    return 1 / (1 + exp(-abs(pair.chosen - pair.rejected)))


def bins(pairs: Sequence[Judged], number: int = BINS) -> list[Bin]:
    """Pairs by confidence, in bins of about equal numbers; a well calibrated model is right as often as it is sure."""
    ordered = sorted(pairs, key=confidence)
    number = min(number, len(ordered))
    bounds = [round(place * len(ordered) / number) for place in range(number + 1)] if number else []
    result: list[Bin] = []
    for start, end in pairwise(bounds):
        part = [confidence(pair) for pair in ordered[start:end]]
        right = sum(pair.right for pair in ordered[start:end])
        result.append(Bin(part[0], part[-1], len(part), sum(part) / len(part), proportion(right, len(part))))
    return result


def calibration_error(bins: Sequence[Bin]) -> float:
    """Σ n |accuracy - confidence| / Σ n: the expected calibration error over bins of equal numbers.

    Source: Guo et al. 2017 (arXiv 1706.04599), equation 3, with bins as in Nguyen and O'Connor 2015.
    """
    total = sum(bin_.n for bin_ in bins)
    return sum(bin_.n * abs((bin_.accuracy.value or 0.0) - bin_.confidence) for bin_ in bins) / total


def metrics(pairs: Sequence[Judged], minimum: float = GATE) -> dict[str, float]:
    """The numbers of `s2train.json`.

    `passes_gate` is 1 where the accuracy is at least `minimum`, else 0; `over_length` is the accuracy less that of
    length alone, paired.
    """
    overall, shorter_or_longer = accuracy(pairs), by_length(pairs)
    assert overall.value is not None
    length = _share(shorter_or_longer, pairs)
    gain = paired_difference(
        [float(value) for value in shorter_or_longer],
        [float(pair.right) for pair in pairs],
        clusters=_repeated_prompts(pairs),
        within=SHARE,
    )
    numbers = {
        **_interval(ACCURACY, overall),
        "pairs": float(len(pairs)),
        PASSES: float(overall.value >= minimum),
        "gate": minimum,
        "ties": float(sum(pair.chosen == pair.rejected for pair in pairs)),
        "calibration_error": calibration_error(bins(pairs)),
        **_interval("by_length", length),
        **_interval("over_length", gain.estimate),
        "over_length_p": gain.p,
    }
    for name in sorted({pair.source for pair in pairs}):
        estimate = accuracy([pair for pair in pairs if pair.source == name])
        numbers |= {**_interval(f"accuracy/{name}", estimate), f"accuracy/{name}_pairs": estimate.n}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def _interval(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.value, f"{name}_low": estimate.ci_low, f"{name}_high": estimate.ci_high}


def check_gate(folder: Path, *, minimum: float = GATE, allow: bool = False) -> Mapping[str, float]:
    """The metrics of a reward model whose accuracy on held-out pairs is at least `minimum`, or that is allowed anyway.

    Raises:
        DataError: the folder holds no reward model, or its held-out pairs were changed.
        UsageError: it was never measured, or it is wrong too often.
    """
    about = checkpoint.read(folder)
    if about is None or about.kind != "reward":
        raise DataError(f"{folder}: no reward model of s2train: s2train reward makes one")
    recorded = {name: digest for name, digest in about.records.items() if name == HELD_OUT and (folder / name).exists()}
    if problem := checkpoint.problem(folder, recorded):
        raise DataError(f"{folder}: {problem}: its accuracy is of other pairs. Restore the file, or train again")
    accuracy = about.metrics.get(ACCURACY)
    if allow or (accuracy is not None and accuracy >= minimum):
        return about.metrics
    if accuracy is None:
        raise UsageError(f"reward model {folder.name}: it was never measured on held-out pairs, so nobody knows it")
    low, high = about.metrics.get(f"{ACCURACY}_low"), about.metrics.get(f"{ACCURACY}_high")
    interval = "too few for an interval" if low is None or high is None else f"{low:.1%} to {high:.1%}"
    raise UsageError(
        f"reward model {folder.name}: it orders {accuracy:.1%} of held-out pairs as people did ({interval}), less "
        f"than {minimum:.0%}: a policy would learn its mistakes. Train a better one"
    )


def table(bins: Sequence[Bin]) -> list[dict[str, float | None]]:
    """The bins as JSON holds them."""
    return [
        {
            "low": bin_.low, "high": bin_.high, "n": bin_.n, "confidence": bin_.confidence,
            "accuracy": bin_.accuracy.value, "ci_low": bin_.accuracy.ci_low, "ci_high": bin_.accuracy.ci_high,
        }
        for bin_ in bins
    ]  # fmt: skip


def draw(bins: Sequence[Bin], path: Path) -> None:
    """An SVG: how often it is right over how sure it is, with intervals and the line of a calibrated model."""
    with drawing(4.5, 4, layout="constrained") as drawn:
        axes = drawn.figure.add_subplot()
        axes.plot([0.5, 1], [0.5, 1], color=GREY, linewidth=1, linestyle="--", label="calibrated")
        confidences, values = [bin_.confidence for bin_ in bins], [bin_.accuracy.value or 0.0 for bin_ in bins]
        lows, highs = list[float](), list[float]()
        for bin_, value in zip(bins, values, strict=True):
            low, high = bin_.accuracy.ci_low, bin_.accuracy.ci_high
            lows.append(0.0 if low is None else value - low)
            highs.append(0.0 if high is None else high - value)
        axes.errorbar(
            confidences, values, [lows, highs], fmt="o", color=COLOURS[0], capsize=2, label="held-out pairs, 95%"
        )
        axes.set(xlabel="how sure: σ(|difference of rewards|)", ylabel="share in the right order", ylim=(0, 1.03))
        axes.grid()
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    description = "Share of held-out pairs in the right order over the model's confidence, with 95% intervals."
    path.write_text(drawn.file("Calibration of the reward model", description), encoding="utf-8")
