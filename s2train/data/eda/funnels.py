"""What each step of a build left out, by the manifest: bars, a table, and examples to open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from s2eval.report.document import Block, Charts, Details, Prose, TextTable
from s2train.data.build.manifest import Drop
from s2train.data.eda.charts import bars
from s2train.data.eda.numbers import percent


def funnel(read: int, drops: Sequence[Drop], unit: str = "records") -> Iterator[Block]:
    """How many each step left out and why."""
    rows = [["read", "", f"{read:,}", "100.0%", ""]]
    remaining = {"read": read}
    texts, left = [f"{read:,}"], read
    for drop in drops:
        if drop.dropped:
            left -= drop.dropped
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in drop.reasons.items())
            rows.append([drop.step, f"{drop.dropped:,}", f"{left:,}", percent(left, read), reasons])
            remaining[drop.step] = left
            texts.append(f"{left:,} (−{drop.dropped:,})")
    head = ["step", "left out", f"{unit} left", "of all", "why"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    if left < read:
        steps = "; ".join(f"{label}: {text}" for label, text in zip(remaining, texts, strict=True))
        chart = bars(
            f"{unit} left after each step",
            f"{unit} left (% of those read)",
            list(remaining),
            [("left", "after", [count / read * 100 for count in remaining.values()])],
            alt=f"Bars of the {unit} left after each step. {steps}.",
            texts=texts,
        )
        yield Charts([chart])
    yield TextTable(head, rows, words=(0, 4))
    if nothing := [drop.step for drop in drops if not drop.dropped]:
        yield Prose(f"Left out nothing: {', '.join(nothing)}.")


def examples(drops: Iterable[Drop]) -> Iterator[Block]:
    """Some of what each step left out, from the manifest, which cuts them and masks personal data."""
    columns = ("reason", "question", "answer", "id")
    for drop in drops:
        if drop.examples:
            rows = [[example[column] for column in columns] for example in drop.examples]
            table = TextTable(columns, rows, words=range(4))
            yield Details(f"{drop.step}: {len(rows)} of {drop.dropped:,}, personal data masked", table)
