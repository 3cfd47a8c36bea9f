"""The tables of a report: columns, data sets, and the families of tasks that share data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from s2eval.metrics.bertscore import BERTSCORE
from s2eval.metrics.choices import POINTS
from s2eval.metrics.metric import Metric
from s2eval.metrics.readability import READABILITY
from s2eval.metrics.rouge import ROUGE
from s2eval.metrics.size import SIZE
from s2eval.metrics.table import of_answers
from s2eval.tasks import BENCHMARKS
from s2eval.tasks.benchmark import DEMO, PAPER


@dataclass(frozen=True, slots=True)
class Column:
    """Where the cells of a column come from.

    Attributes:
        metric: in `scores.csv`.
        best: which end is better; None where neither is.
        task: without its family's prefix; "" = the data set of the row.
        published: column of the published table; "" = none.
        counted: whether a share of items is shown as their number, without interval.
        secondary: whether a page may fold the column away.
    """

    title: str
    metric: str
    digits: int
    best: Literal["high", "low"] | None = "high"
    task: str = ""
    published: str = ""
    counted: bool = False
    secondary: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A table.

    Attributes:
        name: also that of the published table.
        number: in the paper; None where the paper has no such table.
        datasets: a block of rows each, task without prefix → name; a single one without name = one row a model.
        headline: metric of the table on the scoreboard; "" = that of its first column.
        headline_title: header of that column there; "" = as in the table.
    """

    name: str
    number: int | None
    title: str
    columns: tuple[Column, ...]
    datasets: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    headline: str = ""
    headline_title: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Tasks of the same data, which may share a table.

    Attributes:
        prefix: of their names, before "_".
        title: follows the table's number.
        comparable: whether published numbers may be set beside theirs.
        notes: sentences below each of their tables.
    """

    prefix: str
    title: str
    comparable: bool
    notes: tuple[str, ...] = ()


FAMILIES = (
    Family(PAPER, "", comparable=True),
    Family(
        DEMO,
        ", demonstration data",
        comparable=False,
        notes=("Small data written for the demonstration: no published number compares with these.",),
    ),
)


def datasets(table: str) -> tuple[tuple[str, str], ...]:
    """The benchmarks of a table: task without prefix → name."""
    return tuple((benchmark.name, benchmark.title) for benchmark in BENCHMARKS.values() if benchmark.table == table)


def definitions() -> tuple[Definition, ...]:
    """Every table: the paper's, then one for each other family of metrics, and each other benchmark with columns."""
    paper = _paper()
    known = {definition.name for definition in paper}
    families = (family for family in of_answers().values() if family.name not in known)
    return (
        *paper,
        *(
            Definition(family.name, None, family.title or family.name, _columns(family.metrics), datasets("qa"))
            for family in families
        ),
        *(
            Definition(benchmark.name, None, benchmark.title, _columns(benchmark.columns), ((benchmark.name, ""),))
            for benchmark in BENCHMARKS.values()
            if benchmark.columns
        ),
    )


def _columns(metrics: Iterable[Metric], published: Mapping[str, str] = MappingProxyType({})) -> tuple[Column, ...]:
    """A column for each metric; `published`: metric → its column of the published table."""
    return tuple(
        Column(
            metric.title or metric.name,
            metric.name,
            metric.digits,
            best=None if metric.counted else metric.best,
            published=published.get(metric.name, ""),
            counted=metric.counted,
            secondary=metric.secondary,
        )
        for metric in metrics
    )


def _paper() -> tuple[Definition, ...]:
    qa = datasets("qa")
    return (
        Definition(
            name="leaderboard",
            number=1,
            title="Open LLM Leaderboard of September 2023, percent",
            columns=(
                Column("Average", POINTS, 2, task="leaderboard", published="average"),
                *(
                    Column(benchmark.title, POINTS, 2, task=benchmark.name, published=benchmark.published)
                    for benchmark in BENCHMARKS.values()
                    if benchmark.table == "leaderboard"
                ),
            ),
            datasets=(("", ""),),
            notes=("Average: unweighted mean of the four. MMLU: unweighted mean over its subjects.",),
            headline_title="Leaderboard",
        ),
        Definition("rouge", 2, ROUGE.title, _columns(ROUGE.metrics, {name: name[3:] for name in ROUGE.names}), qa),
        Definition(
            "bertscore",
            3,
            BERTSCORE.title,
            _columns(BERTSCORE.metrics, {name: name.rpartition("_")[2] for name in BERTSCORE.names}),
            qa,
            headline="s2_bertscore_f1",
            headline_title="BERTScore F1",
        ),
        Definition(
            "readability",
            4,
            READABILITY.title,
            _columns(
                (
                    *(metric for metric in READABILITY.metrics if not metric.name.endswith("_unrounded")),
                    *SIZE.metrics,
                ),
                {"s2_fre_2023": "fre", "s2_fkg_2023": "fkg"},
            ),
            qa,
            notes=(
                "FRE (higher reads more easily) and FKG (a school grade: lower does): mean over answers, each "
                "rounded to 2 and 1 decimals. Whole text: of all answers together.",
                "Of 2023: as the textstat of then rounded, which the paper's numbers show, and counted syllables, "
                "which its date suggests; reading ease is some 6 to 9 points above today's.",
                "Empty answers score 0 and stay in every mean. Cut answers ended at the limit of new tokens.",
            ),
        ),
    )
