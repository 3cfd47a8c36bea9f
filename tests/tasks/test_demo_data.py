"""The data that the repository carries: enough of it, in the right form, and its own."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s2eval import data, paths
from s2eval.data import Source
from s2eval.tasks.leaderboard import documents as leaderboard
from s2eval.tasks.leaderboard import rows
from s2eval.tasks.leaderboard.documents import SHOTS
from s2eval.tasks.leaderboard.rows import SUBJECTS
from s2eval.tasks.qa.documents import PAIRS

ROOT = paths.demo_data()
DEMO_SUBJECTS = sorted(path.name for path in (ROOT / "mmlu").iterdir())

FILES: dict[str, tuple[Source[Any], str]] = {
    "arc_challenge/train": (rows.ARC, "train"),
    "arc_challenge/test": (rows.ARC, "test"),
    "hellaswag/train": (rows.HELLASWAG, "train"),
    "hellaswag/validation": (rows.HELLASWAG, "validation"),
    "truthfulqa/validation": (rows.TRUTHFULQA, "validation"),
    "eli5/validation": (PAIRS["eli5"], "validation"),
    "wiki/validation": (PAIRS["wiki"], "validation"),
} | {
    f"mmlu/{subject}/{split}": (rows.MMLU.part(subject), split)
    for subject in DEMO_SUBJECTS
    for split in ("dev", "test")
}
TRAINING = [name for name in FILES if name.endswith(("/train", "/dev"))]


def load(name: str) -> list[Any]:
    source, split = FILES[name]
    return data.load(source, split, ROOT)


def raw(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def question(row: dict[str, Any]) -> str:
    """What a row asks, without what does not make it another question: case, punctuation, white space."""
    text = row["question"] if "question" in row else f"{row['ctx_a']} {row['ctx_b']}"
    return plain(text)


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


# --- how much --------------------------------------------------------------------------------------------------


def test_the_files_are_those_of_the_readme_with_as_many_rows() -> None:
    table = re.findall(r"^\| `(\S+)\.jsonl` \| (\d+) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert {name: int(rows) for name, rows in table} == {name: len(load(name)) for name in FILES}
    assert {str(path.relative_to(ROOT).with_suffix("")) for path in ROOT.rglob("*.jsonl")} == set(FILES)


def test_at_least_24_questions_for_each_leaderboard_task() -> None:
    for name in ("arc_challenge/test", "hellaswag/validation", "truthfulqa/validation"):
        assert len(load(name)) >= 24, name
    assert sum(len(load(f"mmlu/{subject}/test")) for subject in DEMO_SUBJECTS) >= 24


def test_training_rows_for_the_full_number_of_shots() -> None:
    assert len(load("arc_challenge/train")) >= SHOTS["arc_challenge"] == 25
    assert len(load("hellaswag/train")) >= SHOTS["hellaswag"] == 10
    for subject in DEMO_SUBJECTS:
        assert len(load(f"mmlu/{subject}/dev")) >= SHOTS["mmlu"] == 5, subject


def test_three_subjects_of_unequal_size() -> None:
    assert len(DEMO_SUBJECTS) == 3
    assert set(DEMO_SUBJECTS) <= set(SUBJECTS)
    assert len({len(load(f"mmlu/{subject}/test")) for subject in DEMO_SUBJECTS}) == 3  # or a wrong mean goes unseen


@pytest.mark.parametrize("name", ["eli5", "wiki"])
def test_40_pairs_of_each_style(name: str) -> None:
    assert len(load(f"{name}/validation")) == 40


# --- of what form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_the_form(name: str) -> None:
    assert len(load(name)) == len(raw(name))


@pytest.mark.parametrize("name", [name for name in FILES if "mmlu" in name])
def test_an_mmlu_row_names_its_subject(name: str) -> None:
    assert {row["subject"] for row in raw(name)} == {name.split("/")[1]}


def test_ids_are_unique() -> None:
    ids = [row[key] for name in FILES for row in raw(name) for key in ("id", "source_id", "ind") if key in row]
    assert len(ids) > 190  # 60 ARC, 44 HellaSwag twice, 80 pairs
    assert [one for one, times in Counter(ids).items() if times > 1] == []


def test_no_question_is_there_twice_so_none_of_training_is_asked() -> None:
    asked = Counter(question(row) for name in FILES for row in raw(name))
    assert [one for one, times in asked.items() if times > 1] == []


def test_the_choices_of_a_question_differ() -> None:
    for name in FILES:
        for row in raw(name):
            for choices in _choices(row):
                assert len({plain(one) or one for one in choices}) == len(choices), (name, choices)


def _choices(row: dict[str, Any]) -> Iterator[list[str]]:
    if "mc2_targets" in row:
        yield from (row["mc1_targets"]["choices"], row["mc2_targets"]["choices"])
    elif "endings" in row:
        yield row["endings"]
    elif "choices" in row:
        yield row["choices"]["text"] if isinstance(row["choices"], dict) else row["choices"]


def test_mc1_has_one_true_choice_and_mc2_the_same_first() -> None:
    for row in raw("truthfulqa/validation"):
        assert row["mc1_targets"]["labels"] == [1] + [0] * (len(row["mc1_targets"]["choices"]) - 1)
        assert row["mc2_targets"]["choices"][0] == row["mc1_targets"]["choices"][0]
        assert row["mc2_targets"]["labels"][0] == 1


# --- fair ------------------------------------------------------------------------------------------------------

GOLD = {
    "arc_challenge/train": lambda row: row.choices.label.index(row.answerKey),
    "arc_challenge/test": lambda row: row.choices.label.index(row.answerKey),
    "hellaswag/train": lambda row: int(row.label),
    "hellaswag/validation": lambda row: int(row.label),
} | {name: lambda row: row.answer for name in FILES if name.startswith("mmlu") and name.endswith("test")}


@pytest.mark.parametrize("name", GOLD)
def test_right_answers_stand_about_as_often_in_each_place(name: str) -> None:
    rows = load(name)
    places = Counter(GOLD[name](row) for row in rows)
    for place in range(4):  # of n rows n / 4 are expected; a few more or less by chance and design
        assert len(rows) / 4 - 3 <= places[place] <= len(rows) / 4 + 3, places


@pytest.mark.parametrize("task", ["arc_challenge", "hellaswag", "mmlu"])
def test_always_taking_the_longest_choice_does_not_win(task: str) -> None:
    right: list[float] = []
    for name in (name for name in GOLD if name.startswith(task) and "train" not in name):
        for row in load(name):
            (choices,) = _choices(row.model_dump())
            longest = [place for place, text in enumerate(choices) if len(text) == max(map(len, choices))]
            right.append((GOLD[name](row) in longest) / len(longest))
    assert sum(right) / len(right) <= 0.45  # chance is 0.25; of 30 rows, 0.45 is 2.5 standard errors above it


def test_a_share_of_truthfulqas_choices_are_true_and_a_share_false() -> None:
    shares = [sum(row.mc2_targets.labels) / len(row.mc2_targets.labels) for row in load("truthfulqa/validation")]
    assert 0.3 <= sum(shares) / len(shares) <= 0.6
    assert all(0.2 <= share <= 0.8 for share in shares)


# --- its own ---------------------------------------------------------------------------------------------------


def test_no_text_of_the_real_data_sets(shared_data: Path) -> None:
    real = set(_real_questions(shared_data))
    assert len(real) > 10_000
    own = {question(row) for name in FILES for row in raw(name)}
    own |= {plain(row["answer"]) for name in ("eli5/validation", "wiki/validation") for row in raw(name)}
    own |= {plain(ending) for name in FILES if "hellaswag" in name for row in raw(name) for ending in row["endings"]}
    assert sorted(own & real) == []


def _real_questions(shared_data: Path) -> Iterator[str]:
    """Questions, contexts, endings, titles, answers and leads of the real data."""
    paths_of = [*(shared_data / "leaderboard").rglob("*.jsonl"), *(shared_data / "eli5").glob("*.jsonl")]
    for path in [*paths_of, *(shared_data / "simplewiki").glob("*.jsonl")]:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if not line:
                continue
            row = json.loads(line)
            if "question" in row or "ctx_a" in row:
                yield question(row)
            for key in ("title", "simple_text"):
                if key in row:
                    yield plain(row[key])
            yield from map(plain, row.get("endings", ()))
            if isinstance(row.get("answers"), dict):
                yield from map(plain, row["answers"]["text"])


def test_the_whole_line_takes_them() -> None:
    arc = leaderboard.drawn(
        [leaderboard.arc_item(row) for row in load("arc_challenge/test")],
        [leaderboard.arc_item(row) for row in load("arc_challenge/train")],
        SHOTS["arc_challenge"],
    )
    for document in arc:
        assert len(document.shots) == 25
        assert document.item not in document.shots
