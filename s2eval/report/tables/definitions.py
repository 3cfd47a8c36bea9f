"""What the paper's tables are made of: columns, data sets, and the families of tasks that share data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Column:
    """Where the cells of a column come from.

    Attributes:
        title: its header.
        metric: metric in `scores.csv`.
        digits: decimals to print.
        best: which end is the better one; None where neither is.
        task: task without its family's prefix; "" = the data set of the row.
        published: column of the published table; "" = none.
        counted: whether the row's value is a share of items, to be shown as their number, without interval.
    """

    title: str
    metric: str
    digits: int
    best: Literal["high", "low"] | None = "high"
    task: str = ""
    published: str = ""
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A table of the paper.

    Attributes:
        name: its name, also that of the published table.
        number: its number in the paper.
        title: what it shows.
        columns: its columns.
        datasets: one block of rows each, task without prefix → name; ("", "") alone = one row a model.
        notes: sentences that always stand below it.
    """

    name: str
    number: int
    title: str
    columns: tuple[Column, ...]
    datasets: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """Tasks that may share a table: they have the same data.

    Attributes:
        prefix: what their names begin with, before "_".
        title: what follows the table's number.
        comparable: whether the paper's numbers may stand beside theirs.
        notes: sentences that stand below each of their tables.
    """

    prefix: str
    title: str
    comparable: bool
    notes: tuple[str, ...] = ()


FAMILIES = (
    Family("s2", "", comparable=True),
    Family(
        "s2demo",
        ", demonstration data",
        comparable=False,
        notes=("Small data written for the demonstration: no published number compares with these.",),
    ),
)

ONE_ROW_A_MODEL = (("", ""),)
QA_SETS = (("eli5", "ELI5"), ("wiki", "wiki"), ("full", "full"))

DEFINITIONS = (
    Definition(
        name="leaderboard",
        number=1,
        title="Open LLM Leaderboard of September 2023, percent",
        columns=(
            Column("Average", "leaderboard_pct", 2, task="leaderboard", published="average"),
            Column("ARC", "leaderboard_pct", 2, task="arc_challenge", published="arc"),
            Column("HellaSwag", "leaderboard_pct", 2, task="hellaswag", published="hellaswag"),
            Column("MMLU", "leaderboard_pct", 2, task="mmlu", published="mmlu"),
            Column("TruthfulQA", "leaderboard_pct", 2, task="truthfulqa_mc2", published="truthfulqa"),
        ),
        datasets=ONE_ROW_A_MODEL,
        notes=("Average: unweighted mean of the four. MMLU: unweighted mean over its subjects.",),
    ),
    Definition(
        name="rouge",
        number=2,
        title="ROUGE, F-measure",
        columns=(
            Column("ROUGE-1", "s2_rouge1", 4, published="rouge1"),
            Column("ROUGE-2", "s2_rouge2", 4, published="rouge2"),
            Column("ROUGE-L", "s2_rougeL", 4, published="rougeL"),
            Column("ROUGE-Lsum", "s2_rougeLsum", 4, published="rougeLsum"),
        ),
        datasets=QA_SETS,
    ),
    Definition(
        name="bertscore",
        number=3,
        title="BERTScore",
        columns=(
            Column("Precision", "s2_bertscore_precision", 4, published="precision"),
            Column("Recall", "s2_bertscore_recall", 4, published="recall"),
            Column("F1", "s2_bertscore_f1", 4, published="f1"),
        ),
        datasets=QA_SETS,
    ),
    Definition(
        name="readability",
        number=4,
        title="Flesch reading ease and Flesch-Kincaid grade",
        columns=(
            Column("FRE", "s2_fre", 4),
            Column("FKG", "s2_fkg", 3, best="low"),
            Column("FRE of 2023", "s2_fre_2023", 4, published="fre"),
            Column("FKG of 2023", "s2_fkg_2023", 3, best="low", published="fkg"),
            Column("FRE, whole text", "s2_fre_corpus", 2),
            Column("FKG, whole text", "s2_fkg_corpus", 1, best="low"),
            Column("Words per answer", "s2_words", 1, best=None),
            Column("Empty answers", "s2_empty", 0, best=None, counted=True),
            Column("Cut answers", "s2_cut", 0, best=None, counted=True),
        ),
        datasets=QA_SETS,
        notes=(
            "FRE (higher reads more easily) and FKG (a school grade: lower does): mean over answers, each "
            "rounded to 2 and 1 decimals. Whole text: of all answers together.",
            "Of 2023: as the textstat of then rounded, which the paper's numbers show, and counted syllables, "
            "which its date suggests; reading ease is some 6 to 9 points above today's.",
            "Empty answers score 0 and stay in every mean. Cut answers ended at the limit of new tokens.",
        ),
    ),
)
