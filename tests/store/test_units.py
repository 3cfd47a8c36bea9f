"""Units list lines and SHA-256 of their files: a unit that was changed is broken, and has no score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from s2eval import store
from s2eval.errors import DataError
from s2eval.files import integrity
from tests.store.test_reading import DATE, answered, results, write

SAMPLES, RESULTS = f"samples_s2_eli5_{DATE}.jsonl", f"results_{DATE}.json"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A unit of two answers with their BERTScore, as a run writes it."""
    folder = tmp_path / "mine" / "s2_eli5"
    results(folder, task="s2_eli5")
    write(folder / SAMPLES, answered(0, "One."), answered(1, "Two."))
    store.write_unit(folder, {"key": "k", "model": "mine", "task": "s2_eli5", "documents": 2})
    store.write_sealed(folder / "bertscore.json", {"key": "b", "scores": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]})
    return folder


def without_hashes(folder: Path) -> None:
    """As version 0.1.0 wrote it."""
    for name in ("unit.json", "bertscore.json"):
        content = json.loads((folder / name).read_text())
        content.pop("files", None)
        del content["sha256"]
        (folder / name).write_text(json.dumps(content))


def edited(name: str, old: str, new: str) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


def shortened(folder: Path) -> None:
    lines = (folder / SAMPLES).read_text().splitlines(keepends=True)
    (folder / SAMPLES).write_text("".join(lines[:-1]))


def reordered(folder: Path) -> None:
    lines = (folder / SAMPLES).read_text().splitlines(keepends=True)
    (folder / SAMPLES).write_text("".join(reversed(lines)))


def test_a_unit_lists_its_files(unit: Path) -> None:
    facts = json.loads((unit / "unit.json").read_text())
    assert set(facts["files"]) == {SAMPLES, RESULTS}
    assert facts["files"][SAMPLES]["lines"] == 2
    assert store.is_done(unit, "k")
    assert store.unit_problem(unit) == store.bertscore_problem(unit) == ""
    assert len(store.read_unit(unit).samples) == 2


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (shortened, f"{SAMPLES} has 1 of 2 lines"),
        (reordered, f"{SAMPLES} was changed"),
        (edited(SAMPLES, '"s2_rouge1": 0.5', '"s2_rouge1": 9.0'), f"{SAMPLES} was changed"),
        (lambda folder: (folder / SAMPLES).write_bytes(b""), f"{SAMPLES} has 0 of 2 lines"),
        (lambda folder: (folder / SAMPLES).unlink(), f"{SAMPLES} is missing"),
        (lambda folder: write(folder / SAMPLES, *[answered(n, "x") for n in range(3)]), f"{SAMPLES} has more lines"),
        (lambda folder: (folder / RESULTS).unlink(), f"{RESULTS} is missing"),
        (lambda folder: (folder / RESULTS).write_text("{}"), RESULTS),
        (edited(RESULTS, '"acc,none": 0.5', '"acc,none": 0.9'), f"{RESULTS} was changed"),
        (edited("unit.json", '"documents": 2', '"documents": 1'), "unit.json was changed"),
        (edited("unit.json", '"model": "mine"', '"model": "yours"'), "unit.json was changed"),
        (edited("unit.json", '"sha256"', '"other"'), "unit.json was changed"),
        (lambda folder: (folder / "unit.json").write_text(""), "unit.json cannot be read"),
        (lambda folder: (folder / "unit.json").write_text("[" * 100_000), "unit.json cannot be read"),
        (lambda folder: (folder / "unit.json").write_text('{"key": "k", "files": 3}'), "unit.json"),
        (lambda folder: (folder / "unit.json").unlink(), "unit.json is missing"),
    ],
)
def test_a_changed_file_makes_a_unit_broken(unit: Path, damage: Callable[[Path], object], problem: str) -> None:
    assert store.is_done(unit, "k")  # measured once, and again when it has changed
    damage(unit)
    assert problem in store.unit_problem(unit)
    assert not store.is_done(unit, "k")
    with pytest.raises(DataError, match="a broken unit") as caught:
        store.read_unit(unit)
    assert problem in str(caught.value)
    assert "s2eval run" in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        edited("bertscore.json", "0.1", "0.9"),
        edited("bertscore.json", '"b"', '"c"'),
        lambda folder: (folder / "bertscore.json").write_text(""),
        lambda folder: (folder / "bertscore.json").write_text("{}"),
    ],
)
def test_changed_bertscores_are_broken_and_the_answers_are_not(unit: Path, damage: Callable[[Path], object]) -> None:
    damage(unit)
    assert "bertscore.json" in store.bertscore_problem(unit)
    assert store.key_in(unit / "bertscore.json") is None or store.bertscore_problem(unit)
    with pytest.raises(DataError, match=r"bertscore\.json"):
        store.read_unit(unit)
    assert store.is_done(unit, "k")
    assert len(store.read_unit(unit, scores=False).samples) == 2


def test_what_else_lies_in_the_folder_is_no_part_of_the_unit(unit: Path) -> None:
    (unit / "notes.txt").write_text("mine")
    write(unit / "samples_copy.jsonl", answered(0, "Other."))
    (unit / "results_copy.json").write_text("{}")
    assert [sample.answer for sample in store.read_unit(unit).samples] == ["One.", "Two."]


def test_a_copied_unit_is_the_same_unit(unit: Path, tmp_path: Path) -> None:
    import shutil

    assert store.is_done(shutil.copytree(unit, tmp_path / "elsewhere"), "k")


# --- of version 0.1.0 ------------------------------------------------------------------------------------------


def test_a_unit_without_hashes_opens(unit: Path) -> None:
    without_hashes(unit)
    assert store.is_done(unit, "k")
    read = store.read_unit(unit)
    assert read.facts.unverified
    assert read.samples[0].values["s2_bertscore_f1"] == 0.3


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (shortened, "has 1 lines for 2 documents"),
        (lambda folder: (folder / SAMPLES).write_bytes(b""), "has 0 lines for 2 documents"),
        (lambda folder: (folder / SAMPLES).unlink(), "one samples_*.jsonl and one results_*.json are needed"),
        (lambda folder: (folder / RESULTS).unlink(), "one samples_*.jsonl and one results_*.json are needed"),
    ],
)
def test_without_hashes_the_number_of_documents_is_checked(
    unit: Path, damage: Callable[[Path], object], problem: str
) -> None:
    without_hashes(unit)
    damage(unit)
    assert problem in store.unit_problem(unit)
    assert not store.is_done(unit, "k")
    with pytest.raises(DataError, match="a broken unit"):
        store.read_unit(unit)


def test_several_filters_have_a_line_each(unit: Path) -> None:
    without_hashes(unit)
    lines = [answered(number, "x", filter=name) for name in ("strict", "flexible") for number in range(2)]
    write(unit / SAMPLES, *lines)
    assert store.is_done(unit, "k")  # 4 lines, 2 documents


# --- the hash of a JSON file in itself -------------------------------------------------------------------------


def test_a_sealed_file_knows_whether_it_was_changed() -> None:
    content = {"b": [1, 2.5, None, float("nan")], "a": {1: "ä\ud800", "x": (1, 2)}, "path": Path("p")}
    sealed = json.loads(json.dumps(integrity.sealed(content), default=str))
    assert integrity.seal_holds(sealed)
    assert integrity.seal_holds(dict(reversed(sealed.items())))  # the order of keys means nothing
    assert not integrity.seal_holds({**sealed, "b": [1, 2.5, None]})
    assert not integrity.seal_holds({**sealed, "more": 1})
    assert integrity.seal_holds({"a": 1})  # never sealed
