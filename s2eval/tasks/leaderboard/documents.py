"""The Open LLM Leaderboard of September 2023: its documents, shots and requests, exactly.

The leaderboard pinned lm-evaluation-harness at commit b281b0921b636bc36ad05c0b0b0763bd6dd43463, which made requests so
(docs/leaderboard.md lists the differences from lm-eval's `openllm` group today):

1. The test split (HellaSwag, TruthfulQA: validation) is shuffled by one generator seeded with 42.
2. For each document in that order the same generator draws the shots, `sample(training documents, k)`, for ARC
   (25) and HellaSwag (10). MMLU takes the first 5 of `dev`; TruthfulQA has a fixed preamble and no shots.
3. A request is the description, the shots joined by blank lines, the query; its continuation " " + choice.

`tests/tasks/test_leaderboard.py` holds the checksums of every request.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from s2eval import paths
from s2eval.tasks.leaderboard.rows import ArcRow, HellaswagRow, MmluRow, TruthfulqaRow

SEED = 42
SHOTS = {"arc_challenge": 25, "hellaswag": 10, "truthfulqa_mc2": 0, "mmlu": 5}


@dataclass(frozen=True, slots=True)
class Item:
    """A question in the leaderboard's wording, as a shot or as a document.

    Attributes:
        query: the text up to where the choice begins, without the space before it.
        gold: index of the correct choice; for mc2, where several are true, 0.
        labels: 1 for every true choice (mc2); empty where exactly one is correct.
    """

    query: str
    choices: tuple[str, ...]
    gold: int
    labels: tuple[int, ...] = ()

    @property
    def target(self) -> str:
        """The correct choice."""
        return self.choices[self.gold]


@dataclass(frozen=True, slots=True)
class Document:
    """An item with the shots before it."""

    item: Item
    shots: tuple[Item, ...] = ()
    description: str = ""
    subject: str = ""
    source_id: str = ""

    def as_row(self) -> dict[str, object]:
        """The document as lm-eval's task sees it; the keys are what the task YAML names."""
        return {
            "id": self.source_id,
            "subject": self.subject,
            "description": self.description,
            "query": self.item.query,
            "target": self.item.target,
            "choices": list(self.item.choices),
            "gold": self.item.gold,
            "labels": list(self.item.labels),
            "shots": [{"query": shot.query, "target": shot.target} for shot in self.shots],
        }


# --- one item of each data set -------------------------------------------------------------------------------


def arc_item(row: ArcRow) -> Item:
    """An ARC question; a choice is its text, not its letter."""
    return Item(f"Question: {row.question}\nAnswer:", tuple(row.choices.text), row.gold)


def hellaswag_item(row: HellaswagRow) -> Item:
    """A HellaSwag context, its bracket markers cleaned."""
    context = f"{row.ctx_a} {row.ctx_b.capitalize()}"
    return Item(
        _clean(f"{row.activity_label}: {context}"),
        tuple(_clean(ending) for ending in row.endings),
        int(row.label),
    )


def _clean(text: str) -> str:
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def mmlu_item(row: MmluRow) -> Item:
    """An MMLU question with its lettered choices; the choices to score are the letters."""
    letters = "ABCD"
    lines = "".join(f"{letter}. {choice}\n" for letter, choice in zip(letters, row.choices, strict=True))
    return Item(f"{row.question.strip()}\n{lines}Answer:", tuple(letters), row.answer)


def truthfulqa_item(row: TruthfulqaRow) -> Item:
    """A TruthfulQA question with its mc2 choices, after the fixed six pairs."""
    query = f"{_preamble()}Q: {row.question}\nA:"
    return Item(query, tuple(row.mc2_targets.choices), 0, tuple(row.mc2_targets.labels))


@cache
def _preamble() -> str:
    return (paths.tasks() / "leaderboard" / "truthfulqa_preamble.txt").read_text(encoding="utf-8") + "\n"


# --- documents in the leaderboard's order --------------------------------------------------------------------


def drawn(items: Sequence[Item], pool: Sequence[Item], shots: int, ids: Sequence[str] = ()) -> list[Document]:
    """Documents shuffled, each with shots drawn by the same generator (ARC, HellaSwag; TruthfulQA with 0 shots).

    Args:
        items: the evaluated split in file order; `ids` their names, if they have any.
        pool: the training split in file order, at least `shots` long.
    """
    generator = random.Random(SEED)
    numbered = list(enumerate(items))
    generator.shuffle(numbered)
    return [
        Document(
            item,
            tuple(generator.sample(list(pool), shots)) if shots else (),
            source_id=ids[number] if ids else str(number),
        )
        for number, item in numbered
    ]


def mmlu_subject(subject: str, test: Iterable[MmluRow], dev: Sequence[MmluRow]) -> list[Document]:
    """One subject's documents: shuffled, each after the first five of `dev`."""
    title = " ".join(subject.split("_"))
    description = f"The following are multiple choice questions (with answers) about {title}.\n\n"
    shots = tuple(mmlu_item(row) for row in dev[: SHOTS["mmlu"]])
    documents = drawn([mmlu_item(row) for row in test], (), 0)
    return [
        Document(document.item, shots, description, subject, f"{subject}/{document.source_id}")
        for document in documents
    ]


def interleave(subjects: Sequence[Sequence[Document]]) -> list[Document]:
    """The first document of every subject, then the second of every subject …: a limit takes some of each."""
    return [document for turn in zip_longest(*subjects) for document in turn if document is not None]
