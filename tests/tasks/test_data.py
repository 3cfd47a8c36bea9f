"""Data files: read in the layout of `S2_DATA_DIR`, and told apart when broken: file, line, field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2eval import data
from s2eval.data import Source
from s2eval.errors import DataError, UnknownNameError
from s2eval.tasks.leaderboard import rows
from s2eval.tasks.leaderboard.rows import SUBJECTS
from s2eval.tasks.qa.documents import PAIRS

PAIR = {"id": "1", "question": "Why is the sky blue?", "answer": "Air scatters blue light.", "source": "me"}
ARC = {"id": "a", "question": "Q?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}
HELLASWAG = {"activity_label": "Tea", "ctx_a": "A man.", "ctx_b": "he", "endings": ["a", "b", "c", "d"], "label": "3"}
MMLU = {"question": "Q?", "choices": ["a", "b", "c", "d"], "answer": 2}
TRUTHFULQA = {"question": "Q?", "mc2_targets": {"choices": ["a", "b", "c"], "labels": [1, 0, 0]}}


def write(root: Path, name: str, *lines: dict[str, Any] | str | bytes) -> Path:
    """`lines` as `root/name.jsonl`; a dict as JSON, text and bytes as they are."""
    path = root / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in encoded) + b"\n")
    return path


# --- what is right ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "split", "row"),
    [
        (PAIRS["eli5"], "validation", PAIR),
        (rows.ARC, "test", ARC),
        (rows.HELLASWAG, "train", HELLASWAG),
        (rows.MMLU.part("anatomy"), "dev", MMLU),
        (rows.TRUTHFULQA, "validation", TRUTHFULQA),
    ],
    ids=lambda value: value.folder if isinstance(value, Source) else None,
)
def test_a_folder_is_read_in_the_order_of_its_lines(
    tmp_path: Path, source: Source[Any], split: str, row: dict[str, Any]
) -> None:
    other = {**row, "question": "And this?", "ctx_a": "And then."}
    write(tmp_path, f"{source.folder}/{split}", {**row, "unknown": "fields are the data set's business"}, "", other)
    first, second = data.load(source, split, tmp_path)  # the blank line between them is none
    assert first.model_dump() == {**row}
    assert second != first


def test_text_of_any_script_and_line_separators_inside_of_it_stay(tmp_path: Path) -> None:
    # U+2028 ends a line to str.splitlines, but not in JSON Lines
    answer = "Ärger\u2028über 水\t\U0001f600"
    write(tmp_path, "eli5/validation", json.dumps({**PAIR, "answer": answer}, ensure_ascii=False) + "\r")
    (row,) = data.load(PAIRS["eli5"], "validation", tmp_path)
    assert row.answer == answer


# --- what is broken --------------------------------------------------------------------------------------------

BROKEN = {
    "not JSON": (PAIRS["wiki"], '{"id": "2", ', ["not JSON", "column"]),
    "no object": (PAIRS["wiki"], "[1, 2]", ["valid dictionary"]),
    "missing field": (PAIRS["wiki"], {"id": "2", "question": "Q?"}, ["answer: Field required"]),
    "two fields at once": (PAIRS["wiki"], {"id": "2", "question": ""}, ["question: ", "; answer: "]),
    "text where a number is": (PAIRS["wiki"], {**PAIR, "id": 7}, ["id: ", "string"]),
    "empty text": (PAIRS["wiki"], {**PAIR, "answer": ""}, ["answer: ", "at least 1"]),
    "half a character": (PAIRS["wiki"], '{"id": "2", "question": "\\ud800", "answer": "a"}', ["question: "]),
    "no such answer": (rows.ARC, {**ARC, "answerKey": "C"}, ["answerKey: 'C'", "['A', 'B']"]),
    "labels of other length": (
        rows.ARC,
        {**ARC, "choices": {"text": ["x", "y", "z"], "label": ["A", "B"]}},
        ["choices: ", "differ in length"],
    ),
    "a choice without text": (
        rows.ARC,
        {**ARC, "choices": {"text": ["x", ""], "label": ["A", "B"]}},
        ["choices.text.1: "],
    ),
    "three endings": (rows.HELLASWAG, {**HELLASWAG, "endings": ["a", "b", "c"]}, ["endings: ", "at least 4"]),
    "a label that is a number": (rows.HELLASWAG, {**HELLASWAG, "label": 3}, ["label: ", "string"]),
    "a label out of range": (rows.HELLASWAG, {**HELLASWAG, "label": "4"}, ["label: ", "pattern"]),
    "a letter where an index is": (rows.MMLU.part("anatomy"), {**MMLU, "answer": "C"}, ["answer: ", "integer"]),
    "an index out of range": (rows.MMLU.part("anatomy"), {**MMLU, "answer": 4}, ["answer: ", "less than or equal"]),
    "a choice without label": (
        rows.TRUTHFULQA,
        {**TRUTHFULQA, "mc2_targets": {"choices": ["a", "b", "c"], "labels": [1, 0]}},
        ["mc2_targets: 3 choices, but 2 labels"],
    ),
    "no true choice": (
        rows.TRUTHFULQA,
        {**TRUTHFULQA, "mc2_targets": {"choices": ["a", "b"], "labels": [0, 0]}},
        ["mc2_targets: ", "true choice"],
    ),
}
GOOD = {"wiki": PAIR, "arc_challenge": ARC, "hellaswag": HELLASWAG, "mmlu/anatomy": MMLU, "truthfulqa": TRUTHFULQA}


@pytest.mark.parametrize(("source", "line", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_told_with_file_number_and_field(
    tmp_path: Path, source: Source[Any], line: dict[str, Any] | str, told: list[str]
) -> None:
    good = GOOD[source.folder]
    path = write(tmp_path, f"{source.folder}/test", good, "", line, good)
    with pytest.raises(DataError) as caught:
        data.load(source, "test", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line 3: ")  # the blank line counts, as in an editor
    for part in told:
        assert part in message


def test_a_line_that_is_not_utf_8_is_told_with_its_number(tmp_path: Path) -> None:
    latin = json.dumps({**PAIR, "answer": "für"}, ensure_ascii=False).encode("latin-1")
    path = write(tmp_path, "eli5/validation", PAIR, latin)
    with pytest.raises(DataError, match="line 2: not UTF-8") as caught:
        data.load(PAIRS["eli5"], "validation", tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_told(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, "eli5/validation", content)
    with pytest.raises(DataError, match="no rows") as caught:
        data.load(PAIRS["eli5"], "validation", tmp_path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    if not Path("/proc/self/mem").is_file():
        pytest.skip("needs a file that exists and cannot be read from its start: /proc/self/mem")
    (tmp_path / "eli5").mkdir()
    path = tmp_path / "eli5" / "validation.jsonl"
    path.symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match="cannot be read") as caught:
        data.load(PAIRS["eli5"], "validation", tmp_path)
    assert str(path) in str(caught.value)


# --- what is missing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "split", "hub"),
    [
        (rows.ARC, "train", "allenai/ai2_arc, configuration ARC-Challenge"),
        (rows.HELLASWAG, "validation", "Rowan/hellaswag"),
        (rows.TRUTHFULQA, "validation", "truthfulqa/truthful_qa, configuration multiple_choice"),
        (rows.MMLU.part("anatomy"), "dev", "cais/mmlu, configuration anatomy"),
    ],
)
def test_a_missing_file_is_told_with_the_variable_and_the_hub_data_set(
    tmp_path: Path, source: Source[Any], split: str, hub: str
) -> None:
    with pytest.raises(DataError) as caught:
        data.load(source, split, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / source.folder / split}.jsonl: no such file")
    assert "S2_DATA_DIR" in message
    assert hub in message


@pytest.mark.parametrize("root", [True, False], ids=["folder", "hub"])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_not_on_the_hub_and_the_command_that_makes_them_is_told(
    tmp_path: Path, name: str, root: bool
) -> None:
    with pytest.raises(DataError) as caught:
        data.load(PAIRS[name], "validation", tmp_path if root else None)
    assert "S2_DATA_DIR" in str(caught.value)
    assert "s2train data" in str(caught.value)


def test_without_the_variable_there_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2_DATA_DIR", raising=False)
    assert data.directory() is None
    monkeypatch.setenv("S2_DATA_DIR", "")
    assert data.directory() is None


def test_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("S2_DATA_DIR", "~/data")
    assert data.directory() == tmp_path / "data"


def test_a_variable_that_points_nowhere_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for nowhere in (tmp_path / "nowhere", write(tmp_path, "file", PAIR)):
        monkeypatch.setenv("S2_DATA_DIR", str(nowhere))
        with pytest.raises(DataError) as caught:
            data.directory()
        assert f"S2_DATA_DIR={nowhere}: no such folder" in str(caught.value)


# --- MMLU's subjects -------------------------------------------------------------------------------------------


def test_all_subjects_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2_MMLU_SUBJECTS", raising=False)
    assert rows.mmlu_subjects(None, SUBJECTS) == SUBJECTS


def test_listed_subjects_come_in_the_leaderboards_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "virology, anatomy,astronomy,anatomy,")
    assert rows.mmlu_subjects(None, SUBJECTS) == ("anatomy", "astronomy", "virology")


def test_present_is_what_the_folder_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("virology", "anatomy", "no_subject_of_mmlu"):
        write(tmp_path, f"mmlu/{name}/test", MMLU)
    write(tmp_path, "mmlu/astronomy/dev", MMLU)  # nothing to evaluate
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "present")
    assert rows.mmlu_subjects(tmp_path, SUBJECTS) == ("anatomy", "virology")


def test_present_needs_a_folder_with_subjects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "present")
    with pytest.raises(DataError, match="S2_DATA_DIR"):
        rows.mmlu_subjects(None, SUBJECTS)
    with pytest.raises(DataError, match=r"no <subject>/test\.jsonl") as caught:
        rows.mmlu_subjects(tmp_path, SUBJECTS)
    assert str(tmp_path / "mmlu") in str(caught.value)


def test_a_wrong_subject_is_told_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "anatomy,astronmy")
    with pytest.raises(UnknownNameError, match=r"unknown MMLU subject 'astronmy'; did you mean 'astronomy'\?"):
        rows.mmlu_subjects(None, SUBJECTS)


def test_a_list_without_a_subject_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2_MMLU_SUBJECTS", " , ")
    with pytest.raises(DataError, match="S2_MMLU_SUBJECTS=,: names no subject"):
        rows.mmlu_subjects(None, SUBJECTS)
