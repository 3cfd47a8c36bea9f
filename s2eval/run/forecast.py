"""The text of `s2eval run --dry-run`: a table of estimates, and how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from tabulate import tabulate

from s2eval.models.backend.backend_stats import remarks
from s2eval.run.estimate import Estimate
from s2eval.run.progress import duration

_HEADER = (
    *("model", "task", "documents", "requests", "tokens naive", "tokens shared", "ratio", "new tokens"),
    *("time", "memory"),
)
_TEXTS = 2  # columns of text
_WIDTH = 110  # of the notes


def describe(estimates: Sequence[Estimate], besides: int) -> str:
    """The table, a row a unit and a total, and below it what is counted and what estimated.

    Args:
        besides: bytes that Python and its libraries take without a model.
    """
    rows = [_row(one) for one in estimates]
    grid = tabulate(
        [*rows, _total(estimates)],
        headers=_HEADER,
        tablefmt="simple",
        disable_numparse=True,
        colalign=["left"] * _TEXTS + ["right"] * (len(_HEADER) - _TEXTS),
    )
    return "\n".join([grid, "", *(fill(note, _WIDTH) for note in _notes(estimates, besides))])


def _row(one: Estimate) -> list[str]:
    counts, most = one.counts, "≤ " if one.counts.written.tokens else ""
    return [
        one.unit.entry.name,
        one.unit.task.task_name,
        f"{one.unit.documents:,}",
        *_tokens(counts.requests, counts.naive, counts.read.tokens, counts.written.tokens),
        most + _time(one.seconds),
        size(one.memory),
    ]


def _total(estimates: Sequence[Estimate]) -> list[str]:
    """Sums; of the memory the largest, as one model is loaded at a time."""
    counts = [one.counts for one in estimates]
    read, new = sum(one.read.tokens for one in counts), sum(one.written.tokens for one in counts)
    most = "≤ " if new else ""
    return [
        "total",
        "",
        f"{sum(one.unit.documents for one in estimates):,}",
        *_tokens(sum(one.requests for one in counts), sum(one.naive for one in counts), read, new),
        most + _time(sum(one.seconds for one in estimates)),
        size(max(one.memory for one in estimates)),
    ]


def _tokens(requests: int, naive: int, shared: int, new: int) -> list[str]:
    ratio = f"{naive / shared:.1f}" if shared else ""
    return [f"{requests:,}", quantity(naive), quantity(shared), ratio, f"≤ {quantity(new)}" if new else ""]


def _notes(estimates: Sequence[Estimate], besides: int) -> Iterator[str]:
    yield (
        "Tokens are counted: naive as if every request were computed by itself, shared as they will be computed, each "
        "common beginning once. New tokens, and times marked ≤: if no answer ends before its limit."
    )
    yield f"Times are estimates, without loading the models and without BERTScore: {_basis(estimates)}."
    yield (
        "Memory is an estimate: weights, keys and values, one forward pass. Python and its libraries take "
        f"{size(besides)} besides."
    )
    for one in estimates:
        if one.memory > one.free:
            yield f"{one.unit.name}: needs about {size(one.memory)}, and {size(one.free)} are free."
        work = {"requests": one.counts.requests, "truncated": one.counts.truncated, "by_hf": one.counts.fallbacks}
        for remark in remarks([{**work, "rescored": 0}]):
            yield f"{one.unit.name}: {remark}."


def _basis(estimates: Sequence[Estimate]) -> str:
    """What the times rest on."""
    from s2eval.models.cost import arithmetic

    guessed = [one for one in estimates if not one.paced]
    paced = dict.fromkeys(one.unit.entry.name for one in estimates if one.paced)
    parts: list[str] = []
    if guessed:
        best = {one.kind: max(other.rate for other in guessed if other.kind == one.kind) for one in guessed}
        rates = ", ".join(f"{quantity(rate)}FLOP/s in {kind}" for kind, rate in best.items())
        shares = {
            f"{arithmetic.READING:g} of it reading": any(not one.counts.fallbacks for one in guessed),
            f"{arithmetic.FALLBACK:g} on hf's path": any(one.counts.fallbacks for one in guessed),
            f"{arithmetic.WRITING:g} writing answers": any(one.counts.written.tokens for one in guessed),
        }
        used = ", ".join(share for share, needed in shares.items() if needed)
        parts.append(f"the arithmetic of these tokens over the rate of matrix products here and now ({rates}), {used}")
    if paced:
        parts.append(f"the tokens a second of the units that are done, for {', '.join(paced)}")
    return "; ".join(parts)


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "< 1 s"


def quantity(number: float) -> str:
    """`815`, `12.3 k`, `1.2 M`, `240 M`."""
    for unit in ("", " k", " M", " G"):
        if number < 999.5:
            return f"{number:.{1 if unit and number < 99.95 else 0}f}{unit}"
        number /= 1000
    return f"{number:.1f} T"


def size(number: int) -> str:
    """`539 MB`, `1.4 GB`."""
    return f"{quantity(max(number, 1000))}B"
