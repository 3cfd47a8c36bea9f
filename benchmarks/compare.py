"""Two backends' log-likelihoods side by side, and the table's rows made of measured pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from benchmarks.record import Row
from s2eval.tasks.leaderboard.scores import mc2

if TYPE_CHECKING:
    from benchmarks.backends import Measured
    from benchmarks.likelihood import Pair, Plan

BATCHES = (4, 8, 16, 32)  # of hf, to choose from
MEMORY_BATCH = 8  # of hf, whose peak is the limit of ours
Result = tuple[float, bool]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two backends said to the same requests.

    Attributes:
        documents, requests: how many.
        difference: the largest of two log-likelihoods of one request, in nats.
        changed: documents in which another choice is best, by sum or by sum per character.
        greedy: requests of which only one says that its continuation is the greedy one.
        mc2: ours and the other's mean over the documents, in percent; None where documents have no labels.
    """

    documents: int
    requests: int
    difference: float
    changed: int
    greedy: int
    mc2: tuple[float, float] | None


def agreement(instances: Sequence[Any], ours: Sequence[Result], theirs: Sequence[Result]) -> Agreement:
    """Compare two lists of results of the same requests, those of a document beside one another."""
    changed = 0
    values: list[tuple[float, float]] = []
    documents = [list(numbers) for _, numbers in groupby(range(len(instances)), lambda n: instances[n].doc_id)]
    for numbers in documents:
        lengths = [len(instances[number].args[1]) - 1 for number in numbers]  # without the space before the choice
        one, other = ([side[number][0] for number in numbers] for side in (ours, theirs))
        changed += _best(one) != _best(other) or _best(_each(one, lengths)) != _best(_each(other, lengths))
        if labels := instances[numbers[0]].doc.get("labels"):
            values.append((100 * mc2(one, labels), 100 * mc2(other, labels)))
    both = list(zip(ours, theirs, strict=True))
    return Agreement(
        documents=len(documents),
        requests=len(instances),
        difference=max(abs(one[0] - other[0]) for one, other in both),
        changed=changed,
        greedy=sum(one[1] != other[1] for one, other in both),
        mc2=(fmean(one for one, _ in values), fmean(other for _, other in values)) if values else None,
    )


def _each(sums: Sequence[float], lengths: Sequence[int]) -> list[float]:
    return [value / length for value, length in zip(sums, lengths, strict=True)]


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def likelihood_rows(
    plan: Plan, tuned: Mapping[int, Measured], best: int, pairs: Sequence[Pair], alone: Sequence[Pair]
) -> list[Row]:
    """The table of one plan."""
    tried = ", ".join(f"{batch}: {measured.cpu:.3g}" for batch, measured in tuned.items())
    chosen = f"hf's batch size chosen on {plan.tune} documents of {plan.tasks[0]} (CPU s by size: {tried})"
    if left := ", ".join(str(batch) for batch in BATCHES if batch not in tuned):
        chosen += f"; {left} left out: its logits might not fit into the memory"
    everything = [*pairs, *alone]
    per_task = {pair.task: pair for pair in pairs}.values()  # a repeated pair decides nothing anew
    return [
        _time(f"CPU time, hf at its best batch size ({best})", pairs, f"≥ {plan.goal:g}", chosen),
        _time("CPU time, hf at batch size 1", alone, "", ""),
        Row(
            "largest difference of a log-likelihood",
            max(pair.agreement.difference for pair in everything),
            goal="≤ 2e-4",
            unit="nats",
            note="over all pairs of both rows above",
        ),
        Row(
            "decisions changed",
            sum(pair.agreement.changed for pair in everything),
            goal="≤ 0",
            unit="documents",
            note=f"best choice by sum, or by sum per character; {sum(p.agreement.documents for p in per_task)} "
            f"documents, {sum(p.agreement.requests for p in per_task)} requests; is_greedy differs in "
            f"{sum(p.agreement.greedy for p in everything)}",
        ),
        *(Row("mc2", *pair.agreement.mc2, unit="%") for pair in per_task if pair.agreement.mc2),
        *_work(pairs),
        _memory(plan, tuned, everything),
    ]


def _time(name: str, pairs: Sequence[Pair], goal: str, how: str) -> Row:
    ratios = [pair.hf.cpu / pair.ours.cpu for pair in pairs]
    each = "; ".join(
        f"{pair.task}, {pair.agreement.documents} documents: s2 {pair.ours.cpu:.3g}, hf {pair.hf.cpu:.4g} CPU s, "
        f"{ratio:.2f}×"
        for pair, ratio in zip(pairs, ratios, strict=True)
    )
    many = f"median of {len(pairs)} pairs" if len(pairs) > 1 else "one pair"
    note = ". ".join(part for part in (f"{many} ({each})", how) if part)
    ours, peer = median(pair.ours.cpu for pair in pairs), median(pair.hf.cpu for pair in pairs)
    return Row(name, ours, peer, median(ratios), goal, "CPU s", note)


def _work(pairs: Sequence[Pair]) -> list[Row]:
    """Tokens computed, and the rate at which."""
    most = max(pairs, key=lambda pair: pair.ours.work["computed"] / pair.necessary.unique)
    shares = [pair.necessary.flops / pair.ours.cpu / pair.rate for pair in pairs]
    whole = [(p.necessary.flops + p.necessary.check_flops) / p.ours.cpu / p.rate for p in pairs]
    rates = ", ".join(f"{pair.necessary.flops / pair.ours.cpu / 1e9:.1f} of {pair.rate / 1e9:.1f}" for pair in pairs)
    by_hf = sum(sum(pair.ours.work["by_hf"].values()) for pair in pairs)
    return [
        Row(
            "tokens computed / unique tokens",
            most.ours.work["computed"] / most.necessary.unique,
            goal="≤ 1.02",
            note=f"{most.ours.work['computed']:,} of {most.necessary.unique:,} unique, {most.ours.work['naive']:,} one "
            f"request at a time; the self-check's {most.necessary.checked:,} on hf's path are not among them, but are "
            f"in every CPU time; requests on hf's path: {by_hf}",
        ),
        Row(
            "rate / rate of bare matrix products",
            median(shares),
            goal="≥ 0.65",
            note=f"necessary FLOPs over all CPU time of the call, GFLOP a CPU second: {rates} (benchmarks/roof.py); "
            f"with the self-check's FLOPs {median(whole):.2f}",
        ),
    ]


def _memory(plan: Plan, tuned: Mapping[int, Measured], pairs: Sequence[Pair]) -> Row:
    ours = max(pair.ours.peak for pair in pairs)
    hf = tuned.get(MEMORY_BATCH)
    note = f"above imports, weights included; s2 on everything, hf on the {plan.tune} documents of the choice"
    peer = hf.peak if hf else None
    return Row(
        f"peak memory, hf at batch size {MEMORY_BATCH}",
        ours,
        peer,
        peer and peer / ours,
        "≥ 1" if peer else "",
        "MiB",
        note,
    )
