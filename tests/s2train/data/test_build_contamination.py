"""Training pairs that share words with an evaluation set are left out: validation sides, and the leaderboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.s2train.data.folders import article, built, checked, dialogue, lines, plain, post, rows, side, told, words


def answered(number: int, answer: str, **more: Any) -> dict[str, Any]:
    return post(number, answers={"text": [answer], "score": [1]}, **more)


def test_an_answer_that_the_other_sets_validation_side_has(tmp_path: Path) -> None:
    """Questions of their own, so that they may be on two sides: then the training one goes."""
    plan = [words(("shared", number), 20) for number in range(40)]
    eli5 = [answered(n, f"Well, {text} {words(('e', n), 6)}.") for n, text in enumerate(plan)]
    wiki = [article(n, text=f"It is {text} {words(('w', n), 6)}.") for n, text in enumerate(plan)]
    out = tmp_path / "out"
    for name, made in (("eli5", eli5), ("wiki", wiki)):
        options = ("--config", plain(tmp_path), "--validation-share", 0.5)
        built(name, "--input", lines(tmp_path / name, made), "--out", out, *options)
    where = {
        f"{part}/{name}": {
            n for n, text in enumerate(plan) for row in side(out, f"{part}/{name}") if text in row["answer"]
        }
        for part in ("eli5", "wiki")
        for name in ("train", "validation")
    }
    held_out = where["eli5/validation"] | where["wiki/validation"]
    assert not held_out & (where["eli5/train"] | where["wiki/train"])
    made = checked(out)["sets"]
    for part, other in (("eli5", "wiki"), ("wiki", "eli5")):
        drop = made[part]["funnel"][-1]
        lost = where[f"{other}/validation"] - where[f"{part}/validation"]
        assert (drop["step"], drop["reasons"]) == ("contamination", {f"words of {other}": len(lost)})
        assert lost
        found = {one["name"]: one for one in made[part]["contamination"]["sets"]}
        assert found[other]["pairs_hit"] == len(lost)
        assert {hit["pair"] for hit in found[other]["examples"]} <= {f"eli5-q{n}" for n in lost} or part == "wiki"


def test_preferences_are_looked_up_too(tmp_path: Path) -> None:
    plan = [words(("shared", number), 20) for number in range(40)]
    options = ("--config", plain(tmp_path), "--validation-share", 0.5, "--out", tmp_path / "out")
    built("eli5", "--input", lines(tmp_path / "e", (answered(n, text) for n, text in enumerate(plan))), *options)
    told_no = (dialogue(n, **{("chosen", "rejected")[n % 2]: f" No, {text}."}) for n, text in enumerate(plan))
    built("preferences", "--input", lines(tmp_path / "p", told_no), *options)
    held_out = {row["answer"] for row in side(tmp_path / "out", "eli5/validation")}
    train = rows(tmp_path / "out" / "preferences" / "harmlessness.jsonl")
    assert train
    assert not any(text in row["chosen"] + row["rejected"] for text in held_out for row in train)
    made = checked(tmp_path / "out")["preferences"]["harmlessness"]
    assert made["contaminated"] > 5
    assert made["contaminated"] == made["contamination"]["hit"]


def leaked(folder: Path) -> dict[str, list[str]]:
    """Questions of every set of the leaderboard, long enough to be one's own."""
    found = {
        "arc_challenge": [row["question"] for row in rows(folder / "arc_challenge" / "test.jsonl")],
        "mmlu": [row["question"] for row in rows(folder / "mmlu" / "anatomy" / "test.jsonl")],
        "truthfulqa": [row["question"] for row in rows(folder / "truthfulqa" / "validation.jsonl")],
        "hellaswag": [f"{row['ctx_a']} {row['ctx_b']}" for row in rows(folder / "hellaswag" / "validation.jsonl")],
    }
    return {name: [text for text in some if 15 <= len(text.split()) < 60][:10] for name, some in found.items()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Ten questions of each set of the leaderboard, and fifty of nobody's."""
    questions = [text for some in leaked(shared_data / "leaderboard").values() for text in some]
    posts = [post(n, title=f"Hey, {text.lower()} Thanks!", q_id=f"leak{n}") for n, text in enumerate(questions)]
    return lines(tmp_path_factory.mktemp("leaked") / "in.jsonl", [*posts, *map(post, range(100, 150))])


@pytest.mark.parametrize("way", ["option", "S2_DATA_DIR"])
def test_questions_of_the_leaderboard_are_not_trained_on(
    tmp_path: Path, shared_data: Path, source: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = shared_data / "leaderboard", tmp_path / "out"
    options: tuple[object, ...] = ("--evaluations", folder) if way == "option" else ()
    if way == "S2_DATA_DIR":
        monkeypatch.setenv("S2_DATA_DIR", str(folder))
    arguments = ("--validation-share", 0.2, "--config", plain(tmp_path), *options)
    printed = built("eli5", "--input", source, "--out", out, *arguments)
    assert "not looked up" not in printed
    train, validation = (side(out, f"eli5/{name}") for name in ("train", "validation"))
    held_out = [row["id"] for row in validation if row["id"].startswith("eli5-leak")]
    assert held_out  # evaluation may ask what another one asks
    assert not [row["id"] for row in train if row["id"].startswith("eli5-leak")]
    made = checked(out)
    drop = made["sets"]["eli5"]["funnel"][-1]
    assert drop["dropped"] == 40 - len(held_out)
    assert set(drop["reasons"]) == {f"words of {name}" for name in leaked(folder)}
    assert made["evaluations_missing"] == {}
    assert len(train) + len(validation) == 50 + len(held_out)


def test_they_may_be_reported_only(tmp_path: Path, shared_data: Path, source: Path) -> None:
    out, config = tmp_path / "out", plain(tmp_path, "contamination: {drop: false}")
    options = ("--evaluations", shared_data / "leaderboard", "--validation-share", 0, "--config", config)
    built("eli5", "--input", source, "--out", out, *options)
    made = checked(out)["sets"]["eli5"]
    assert made["funnel"][-1] == {"step": "contamination", "dropped": 0, "reasons": {}, "examples": []}
    assert made["contamination"]["hit"] == 40
    assert {one["name"]: one["pairs_hit"] for one in made["contamination"]["sets"] if one["pairs_hit"]}.keys() == {
        "arc_challenge",
        "hellaswag",
        "mmlu",
        "truthfulqa",
    }
    assert len(side(out, "eli5/train")) == 90
    assert "were kept; how many" in (out / "dataset_card.md").read_text(encoding="utf-8")


def test_what_was_not_there_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    built("eli5", "--input", lines(tmp_path / "in", map(post, range(9))), "--out", out, "--config", plain(tmp_path))
    assert told(out)["evaluations_missing"] == {
        "arc_challenge": "arc_challenge/test.jsonl",
        "hellaswag": "hellaswag/validation.jsonl",
        "mmlu": "mmlu/*/test.jsonl",
        "truthfulqa": "truthfulqa/validation.jsonl",
    }
    (out / "arc_challenge").mkdir()
    item = {
        "id": "a",
        "question": post(3)["title"],
        "choices": {"text": ["a", "b"], "label": ["A", "B"]},
        "answerKey": "A",
    }
    (out / "arc_challenge" / "test.jsonl").write_text(json.dumps(item) + "\n", encoding="utf-8")
    built("eli5", "--out", out, "--validation-share", 0)  # --out is a folder of evaluations too
    assert "arc_challenge" not in told(out)["evaluations_missing"]
    assert checked(out)["sets"]["eli5"]["funnel"][-1]["reasons"] == {"words of arc_challenge": 1}
