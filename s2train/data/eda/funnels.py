"""What each step of a build left out, by the manifest: tables, bars, and examples to open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from s2eval.report.document import Block, Details, Prose, TextTable
from s2train.data.build.manifest import Drop
from s2train.data.eda.chart_kinds import Bars, Series
from s2train.data.eda.charts import charts
from s2train.data.eda.numbers import percent


def funnel(read: int, drops: Sequence[Drop], unit: str = "records") -> Iterator[Block]:
    """How many each step left out and why."""
    rows: list[list[str]] = [["read", "", f"{read:,}", "100.0%", ""]]
    labels, lefts, texts, left = ["read"], [read], [f"{read:,}"], read
    for drop in drops:
        if not drop.dropped:
            continue
        left -= drop.dropped
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in drop.reasons.items())
        rows.append([drop.step, f"{drop.dropped:,}", f"{left:,}", percent(left, read), reasons])
        labels.append(drop.step)
        lefts.append(left)
        texts.append(f"{left:,} (−{drop.dropped:,})")
    head = ["step", "left out", f"{unit} left", "of all", "why"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    if left < read:
        steps = "; ".join(f"{label}: {text}" for label, text in zip(labels, texts, strict=True))
        yield charts(
            [
                Bars(
                    title=f"{unit} left after each step",
                    axis=f"{unit} left (% of those read)",
                    labels=labels,
                    series=[Series("left", "after", lefts, read)],
                    alt=f"Bars of the {unit} left after each step. {steps}.",
                    texts=texts,
                )
            ]
        )
    yield TextTable(head, rows, words=(0, 4))
    nothing = [drop.step for drop in drops if not drop.dropped]
    if nothing:
        yield Prose(f"Left out nothing: {', '.join(nothing)}.")


def templates(lost: Mapping[str, int]) -> Iterator[Block]:
    """Templates of wikitext for which sentences were left out."""
    if lost:
        rows = [[name, f"{count:,}"] for name, count in lost.items()]
        table = TextTable(["template", "sentences left out"], rows, words=(0,))
        yield Details(f"{sum(lost.values()):,} sentences held a template whose text is not known", table)


def examples(drops: Iterable[Drop]) -> Iterator[Block]:
    """Some of what each step left out, as the manifest has them: cut, and personal data masked."""
    for drop in drops:
        if drop.examples:
            rows = [
                [example["reason"], example["question"], example["answer"], example["id"]] for example in drop.examples
            ]
            table = TextTable(["reason", "question", "answer", "id"], rows, words=range(4))
            yield Details(f"{drop.step}: {len(rows)} of {drop.dropped:,}, personal data masked", table)
