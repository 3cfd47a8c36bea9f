"""The 2023 leaderboard: every request's checksum, and the arithmetic of the scores."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2eval import data
from s2eval.tasks.leaderboard import documents as leaderboard
from s2eval.tasks.leaderboard import rows, scores
from s2eval.tasks.leaderboard.documents import SHOTS, Document
from s2eval.tasks.leaderboard.rows import SUBJECTS, ArcRow, HellaswagRow, MmluRow


def _arc(root: Path) -> list[Document]:
    test, train = data.load(rows.ARC, "test", root), data.load(rows.ARC, "train", root)
    return leaderboard.drawn(
        [leaderboard.arc_item(row) for row in test],
        [leaderboard.arc_item(row) for row in train],
        SHOTS["arc_challenge"],
    )


def _hellaswag(root: Path) -> list[Document]:
    items, pool = (
        [leaderboard.hellaswag_item(row) for row in data.load(rows.HELLASWAG, split, root)]
        for split in ("validation", "train")
    )
    return leaderboard.drawn(items, pool, SHOTS["hellaswag"])


def _truthfulqa(root: Path) -> list[Document]:
    items = map(leaderboard.truthfulqa_item, data.load(rows.TRUTHFULQA, "validation", root))
    return leaderboard.drawn(list(items), (), 0)


def _mmlu(subject: str) -> Callable[[Path], list[Document]]:
    def documents(root: Path) -> list[Document]:
        source = rows.MMLU.part(subject)
        return leaderboard.mmlu_subject(subject, data.load(source, "test", root), data.load(source, "dev", root))

    return documents


# those of which ../shared/data has the rows
CHECKED_SUBJECTS = (
    *("abstract_algebra", "anatomy", "astronomy", "college_computer_science", "elementary_mathematics"),
    *("global_facts", "high_school_biology", "high_school_geography", "human_sexuality", "marketing"),
    *("nutrition", "world_religions"),
)
BUILDERS = {"arc_challenge": _arc, "hellaswag": _hellaswag, "truthfulqa_mc2": _truthfulqa} | {
    f"mmlu/{subject}": _mmlu(subject) for subject in CHECKED_SUBJECTS
}


def context(document: Document) -> str:
    """The request's text without the continuation."""
    shots = "".join(f"{shot.query} {shot.target}\n\n" for shot in document.shots)
    return document.description + shots + document.item.query


def checksum(documents: Sequence[Document]) -> tuple[int, str]:
    """Requests and their SHA-256 as the harness at the pinned commit sends them: context NUL continuation SOH."""
    digest, requests = hashlib.sha256(), 0
    for document in documents:
        for choice in document.item.choices:
            digest.update(f"{context(document)}\0 {choice}\1".encode())
            requests += 1
    return requests, digest.hexdigest()


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, dict[str, Any]]:
    return json.loads((shared_data / "leaderboard" / "golden_requests.json").read_text())


@pytest.mark.parametrize("name", BUILDERS)
def test_every_request_is_the_one_of_2023(name: str, golden: dict[str, dict[str, Any]], shared_data: Path) -> None:
    documents = BUILDERS[name](shared_data / "leaderboard")
    wanted = golden[name]
    assert len(documents) == wanted["n_docs"]
    assert checksum(documents) == (wanted["n_requests"], wanted["sha256"])
    assert checksum(documents[:20])[1] == wanted["sha256_first_20_docs"]


def test_all_that_have_a_checksum_are_tested(golden: dict[str, dict[str, Any]]) -> None:
    assert set(golden) == set(BUILDERS)


def test_there_are_57_subjects() -> None:
    assert len(set(SUBJECTS)) == 57


def test_an_arc_answer_may_be_a_letter_or_a_digit() -> None:
    row = ArcRow.model_validate(
        {"id": "1", "question": "Q?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"}
    )
    item = leaderboard.arc_item(row)
    assert (item.query, item.gold) == ("Question: Q?\nAnswer:", 1)


def test_hellaswag_markers_are_cleaned() -> None:
    row = HellaswagRow(
        activity_label="Tea",
        ctx_a="[header] How to make tea [title] Boil  water. [step] Wait.",
        ctx_b="the man",
        endings=["[substeps] drinks.", "b", "c", "d"],
        label="0",
    )
    item = leaderboard.hellaswag_item(row)
    # "[title]" becomes ". ", other brackets vanish, each double space shrinks once
    assert item.query == "Tea: How to make tea. Boil water. Wait. The man"
    assert item.choices[0] == " drinks."


def test_an_mmlu_question_and_its_shots() -> None:
    row = MmluRow(question=" Why? ", choices=["a", "b", "c", "d"], answer=2)
    (document,) = leaderboard.mmlu_subject("global_facts", [row], [row] * 7)
    asked = "Why?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
    head = "The following are multiple choice questions (with answers) about global facts.\n\n"
    assert context(document) == head + f"{asked} C\n\n" * 5 + asked  # 5 shots of the 7


def test_interleaving_takes_some_of_every_subject() -> None:
    first, second = (
        [Document(leaderboard.Item("q", ("a",), 0), subject=name) for _ in range(n)] for name, n in (("x", 3), ("y", 1))
    )
    assert [one.subject for one in leaderboard.interleave([first, second])] == ["x", "y", "x", "x"]


def test_acc_and_acc_norm_can_disagree() -> None:
    # -4 beats -6; over characters -4/2 = -2 loses to -6/6 = -1
    assert scores.accuracy([-4.0, -6.0], ["ab", "abcdef"], gold=1) == (0.0, 1.0)


def test_the_first_of_equals_counts() -> None:
    assert scores.accuracy([-1.0, -1.0], ["a", "b"], gold=0) == (1.0, 1.0)


def test_mc2_is_the_share_of_the_true_choices() -> None:
    logs = [math.log(p) for p in (0.2, 0.1, 0.1, 0.4)]
    assert scores.mc2(logs, [1, 1, 0, 0]) == pytest.approx(0.3 / 0.8)  # (0.2 + 0.1) / 0.8


def test_mc2_does_not_underflow() -> None:
    assert scores.mc2([-2000.0, -2000.0], [1, 0]) == pytest.approx(0.5)  # exp(-2000) is 0 in floats


@given(st.lists(st.floats(-500, 0), min_size=2, max_size=8), st.floats(-100, 100))
def test_mc2_is_a_share_and_ignores_a_common_factor(logs: list[float], shift: float) -> None:
    labels = [1] + [0] * (len(logs) - 1)
    value = scores.mc2(logs, labels)
    assert 0 <= value <= 1
    assert scores.mc2([one + shift for one in logs], labels) == pytest.approx(value, abs=1e-9)
