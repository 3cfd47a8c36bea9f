"""The text of `s2eval run --dry-run`: a table of estimates, and how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from tabulate import tabulate

from s2eval.models.backend.backend_stats import BackendStats, remarks
from s2eval.run.estimate import Estimate
from s2eval.run.progress import duration

_HEADER = (
    *("model", "task", "documents", "requests", "tokens naive", "tokens shared", "ratio", "new tokens"),
    *("time", "memory"),
)
_TEXTS = 2  # columns of text
_WIDTH = 110  # of the notes


def describe(estimates: Sequence[Estimate], besides: int) -> str:
    """The table, a row a unit and a total, and below it what is counted and what estimated. `besides` are the bytes
    that Python and its libraries take without a model."""
    rows = [_row(part.unit.entry.name, part.unit.task.task_name, [part]) for part in estimates]
    grid = tabulate(
        [*rows, _row("total", "", estimates)],
        headers=_HEADER,
        tablefmt="simple",
        disable_numparse=True,
        colalign=["left"] * _TEXTS + ["right"] * (len(_HEADER) - _TEXTS),
    )
    return "\n".join([grid, "", *(fill(note, _WIDTH) for note in _notes(estimates, besides))])


def _row(model: str, task: str, estimates: Sequence[Estimate]) -> list[str]:
    """Sums; of the memory the largest, as one model is loaded at a time."""
    counts = [part.counts for part in estimates]
    naive, shared = sum(part.naive for part in counts), sum(part.read.tokens for part in counts)
    new, seconds = sum(part.written.tokens for part in counts), sum(part.seconds for part in estimates)
    return [
        model,
        task,
        f"{sum(part.unit.documents for part in estimates):,}",
        f"{sum(part.requests for part in counts):,}",
        quantity(naive),
        quantity(shared),
        f"{naive / shared:.1f}" if shared else "",
        f"≤ {quantity(new)}" if new else "",
        ("≤ " if new else "") + (duration(seconds) if seconds >= 1 else "< 1 s"),
        size(max(part.memory for part in estimates)),
    ]


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
    for part in estimates:
        if part.memory > part.free:
            yield f"{part.unit.name}: needs about {size(part.memory)}, and {size(part.free)} are free."
        counts = part.counts
        stats = BackendStats(counts.requests, counts.truncated, fallbacks=dict(counts.fallbacks))
        for remark in remarks([stats.as_dict()]):
            yield f"{part.unit.name}: {remark}."


def _basis(estimates: Sequence[Estimate]) -> str:
    """What the times rest on."""
    from s2eval.models.cost import arithmetic

    guessed = [part for part in estimates if not part.paced]
    paced = dict.fromkeys(part.unit.entry.name for part in estimates if part.paced)
    reasons: list[str] = []
    if guessed:
        best = {part.kind: max(other.rate for other in guessed if other.kind == part.kind) for part in guessed}
        rates = ", ".join(f"{quantity(rate)}FLOP/s in {kind}" for kind, rate in best.items())
        shares = {
            f"{arithmetic.READING:g} of it reading": any(not part.counts.fallbacks for part in guessed),
            f"{arithmetic.FALLBACK:g} on hf's path": any(part.counts.fallbacks for part in guessed),
            f"{arithmetic.WRITING:g} writing answers": any(part.counts.written.tokens for part in guessed),
        }
        used = ", ".join(share for share, needed in shares.items() if needed)
        reasons.append(
            f"the arithmetic of these tokens over the rate of matrix products here and now ({rates}), {used}"
        )
    if paced:
        reasons.append(f"the tokens a second of the units that are done, for {', '.join(paced)}")
    return "; ".join(reasons)


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
