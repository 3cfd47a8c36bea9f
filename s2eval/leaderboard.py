"""The Open LLM Leaderboard of September 2023: its documents, shots, requests and scores, exactly.

The leaderboard pinned lm-evaluation-harness at commit b281b0921b636bc36ad05c0b0b0763bd6dd43463. How that commit
made its requests, as an algorithm (docs/leaderboard.md tells what differs from lm-eval's `openllm` group today):

1. The test split (HellaSwag, TruthfulQA: validation) is shuffled by one generator seeded with 42.
2. For each document in that order the same generator draws the shots, `sample(training documents, k)`, for ARC
   (25) and HellaSwag (10). MMLU takes the first 5 of `dev`; TruthfulQA has a fixed preamble and no shots.
3. A request is the description, the shots joined by blank lines, the query; its continuation " " + choice.

`tests/test_leaderboard.py` holds the checksums of every request.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest

from s2eval import paths
from s2eval.data import ArcRow, HellaswagRow, MmluRow, TruthfulqaRow

SEED = 42
SHOTS = {"arc_challenge": 25, "hellaswag": 10, "truthfulqa_mc2": 0, "mmlu": 5}

# All 57, in the leaderboard's (alphabetical) order.
SUBJECTS = tuple(
    [
        "abstract_algebra",
        "anatomy",
        "astronomy",
        "business_ethics",
        "clinical_knowledge",
        "college_biology",
        "college_chemistry",
        "college_computer_science",
        "college_mathematics",
        "college_medicine",
        "college_physics",
        "computer_security",
        "conceptual_physics",
        "econometrics",
        "electrical_engineering",
        "elementary_mathematics",
        "formal_logic",
        "global_facts",
        "high_school_biology",
        "high_school_chemistry",
        "high_school_computer_science",
        "high_school_european_history",
        "high_school_geography",
        "high_school_government_and_politics",
        "high_school_macroeconomics",
        "high_school_mathematics",
        "high_school_microeconomics",
        "high_school_physics",
        "high_school_psychology",
        "high_school_statistics",
        "high_school_us_history",
        "high_school_world_history",
        "human_aging",
        "human_sexuality",
        "international_law",
        "jurisprudence",
        "logical_fallacies",
        "machine_learning",
        "management",
        "marketing",
        "medical_genetics",
        "miscellaneous",
        "moral_disputes",
        "moral_scenarios",
        "nutrition",
        "philosophy",
        "prehistory",
        "professional_accounting",
        "professional_law",
        "professional_medicine",
        "professional_psychology",
        "public_relations",
        "security_studies",
        "sociology",
        "us_foreign_policy",
        "virology",
        "world_religions",
    ]
)


@dataclass(frozen=True, slots=True)
class Item:
    """A question in the form in which it is asked, as a shot or as a document.

    Attributes:
        query: the text up to where the choice begins, without the space before it.
        choices: the texts among which the model chooses.
        gold: index of the right choice; for mc2, where several are true, 0.
        labels: 1 for every true choice (mc2); empty where exactly one is right.
    """

    query: str
    choices: tuple[str, ...]
    gold: int
    labels: tuple[int, ...] = ()

    @property
    def shot(self) -> dict[str, str]:
        """The item as an example with its answer."""
        return {"query": self.query, "target": self.choices[self.gold]}


@dataclass(frozen=True, slots=True)
class Document:
    """An item to be asked, with the shots that stand before it."""

    item: Item
    shots: tuple[Item, ...] = ()
    description: str = ""
    subject: str = ""
    source_id: str = field(default="")

    def as_row(self) -> dict[str, object]:
        """The document as lm-eval's task sees it; the keys are what the task YAML names."""
        return {
            "id": self.source_id,
            "subject": self.subject,
            "description": self.description,
            "query": self.item.query,
            "target": self.item.choices[self.item.gold],
            "choices": list(self.item.choices),
            "gold": self.item.gold,
            "labels": list(self.item.labels),
            "shots": [shot.shot for shot in self.shots],
        }

    @property
    def context(self) -> str:
        """The request's text without the continuation."""
        shots = "".join(f"{shot.query} {shot.choices[shot.gold]}\n\n" for shot in self.shots)
        return self.description + shots + self.item.query


# --- one item of each data set -------------------------------------------------------------------------------


def arc_item(row: ArcRow) -> Item:
    """An ARC question; a choice is its text, not its letter."""
    return Item(f"Question: {row.question}\nAnswer:", tuple(row.choices.text), row.choices.label.index(row.answerKey))


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


# --- scores ----------------------------------------------------------------------------------------------------


def accuracy(loglikelihoods: Sequence[float], choices: Sequence[str], gold: int) -> tuple[float, float]:
    """(acc, acc_norm) of a document, each 0.0 or 1.0.

    acc: the likeliest choice is the right one. acc_norm: the same with each log-likelihood divided by the number
    of characters of its choice (without the space before it). The first of equals counts, as with numpy's argmax.
    """
    normed = [value / len(choice) for value, choice in zip(loglikelihoods, choices, strict=True)]
    return float(_argmax(loglikelihoods) == gold), float(_argmax(normed) == gold)


def _argmax(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda index: values[index])


def mc2(loglikelihoods: Sequence[float], labels: Sequence[int]) -> float:
    """TruthfulQA mc2, in 0..1: the share of probability that lies on the true choices (Lin et al. 2022).

    >>> round(mc2([math.log(0.2), math.log(0.1), math.log(0.1)], [1, 0, 0]), 6)  # 0.2 / 0.4
    0.5
    """
    top = max(loglikelihoods)
    masses = [math.exp(value - top) for value in loglikelihoods]  # the ratio is unchanged, nothing underflows to 0/0
    return sum(mass for mass, label in zip(masses, labels, strict=True) if label) / sum(masses)


# The metric of each data set that the leaderboard counted.
POINTS = "leaderboard_pct"
COUNTED = {"arc_challenge": "acc_norm", "hellaswag": "acc_norm", "mmlu": "acc", "truthfulqa_mc2": "mc2"}


def score(dataset: str, row: Mapping[str, object], loglikelihoods: Sequence[float]) -> dict[str, float]:
    """All metrics of one document; `leaderboard_pct` is the one that the leaderboard counted, in percent."""
    return _SCORERS[dataset](row, loglikelihoods)


def _score_choices(counted: str) -> Callable[[Mapping[str, object], Sequence[float]], dict[str, float]]:
    def scorer(row: Mapping[str, object], loglikelihoods: Sequence[float]) -> dict[str, float]:
        acc, acc_norm = accuracy(loglikelihoods, row["choices"], row["gold"])  # type: ignore[arg-type]
        values = {"acc": acc} if counted == "acc" else {"acc": acc, "acc_norm": acc_norm}
        return values | {POINTS: 100 * values[counted]}

    return scorer


def _score_mc2(row: Mapping[str, object], loglikelihoods: Sequence[float]) -> dict[str, float]:
    value = mc2(loglikelihoods, row["labels"])  # type: ignore[arg-type]
    return {"mc2": value, POINTS: 100 * value}


_SCORERS = {
    dataset: _score_mc2 if counted == "mc2" else _score_choices(counted) for dataset, counted in COUNTED.items()
}
