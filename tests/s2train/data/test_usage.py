"""`s2train data …` as users call it wrongly: what is told, with which exit code, and that nothing changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2train.cli import data
from tests.s2train.data.folders import (
    CATS,
    ROOT,
    ZIPPERS,
    article,
    built,
    contents,
    dialogue,
    lines,
    plain,
    post,
    refused,
    s2train,
    spawned,
)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"q_id": "a"', "broken JSON: EOF while parsing an object at column 12"),
        (b'["a"]', "Input should be an object"),
        (b'{"q_id": "a", "answers": {"text": [], "score": []}}', "field 'title': Field required"),
        (b'{"q_id": "a", "title": 7, "answers": {"text": [], "score": []}}', "field 'title': Input should be a valid"),
        (b'{"q_id": "a", "title": "b", "answers": {"text": ["c"], "score": ["d"]}}', "field 'answers.score.0': "),
        (b'{"q_id": "a", "title": "b", "answers": {"text": ["c"], "score": []}}', "field 'answers': 1 texts, but 0"),
        (b'{"q_id": "a", "title": "\xff", "answers": {"text": [], "score": []}}', "broken JSON: invalid unicode"),
    ],
)
def test_a_broken_line_is_named_and_nothing_changes(tmp_path: Path, line: bytes, told: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(json.dumps(ZIPPERS).encode() + b"\n\n" + line + b"\n")
    assert f"{source}:3: {told}" in refused("eli5", "--input", source, "--out", tmp_path / "new" / "out")
    assert not (tmp_path / "new").exists()

    out = tmp_path / "out"
    built("eli5", "--input", lines(tmp_path / "good", [ZIPPERS]), "--out", out, "--config", plain(tmp_path))
    before = contents(out)
    refused("eli5", "--input", source, "--out", out)
    assert contents(out) == before


def test_an_article_without_text_names_the_field(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", [{"title": "Oslo"}])
    assert f"{source}:1: field 'text': Field required" in refused("wiki", "--input", source, "--out", tmp_path)


def test_inputs_that_cannot_be_used(tmp_path: Path) -> None:
    empty = lines(tmp_path / "empty.jsonl", [])
    blank = lines(tmp_path / "blank.jsonl", [])
    blank.write_text("\n\n")
    missing = tmp_path / "missing.jsonl"
    out = tmp_path / "out"
    assert f"cannot read {missing}: No such file" in refused("eli5", "--input", missing, "--out", out)
    assert f"cannot read {tmp_path}: Is a directory" in refused("eli5", "--input", tmp_path, "--out", out)
    assert f"{empty}: the file is empty; fetch it again" in refused("eli5", "--input", empty, "--out", out)
    assert f"{empty}: no wiki pair in 0 records" in refused("wiki", "--input", empty, "--out", out)
    assert f"{blank}: no eli5 pair in 0 records" in refused("eli5", "--input", blank, "--out", out)
    assert f"{empty}: no records" in refused("preferences", "--input", empty, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["eli5", "wiki", "preferences"])
def test_without_an_input_it_says_which_option_is_missing(tmp_path: Path, name: str) -> None:
    message = refused(name, "--out", tmp_path / "out")
    assert message == f"error: no input; name it with --input FILE. See: s2train data {name} --help\n"
    assert not (tmp_path / "out").exists()


def test_records_of_no_kind(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", [{"question": "Why?", "answer": "So."}])
    message = refused("preferences", "--input", source, "--out", tmp_path / "out")
    assert f"{source}: no preferences can be made of records with question, answer. Expected: " in message
    assert "chosen, rejected (hh)" in message
    assert "field 'q_id': Field required" in refused("eli5", "--input", source, "--out", tmp_path / "out")


def test_preferences_of_a_kind_that_gives_none(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", [dialogue(1, rejected=dialogue(1)["chosen"])])
    message = refused("preferences", "--input", source, "--out", tmp_path / "out")
    assert "in.jsonl: no harmlessness pair in 1 records (refused: {'same text': 1})" in message
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    good = lines(tmp_path / "good.jsonl", [ZIPPERS])
    for out in (good, good / "inside"):
        message = refused("eli5", "--input", good, "--out", out)
        assert message == f"error: cannot write in {out}/candidates: Not a directory; choose another --out\n"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    good = lines(tmp_path / "good.jsonl", [ZIPPERS])
    assert "Permission denied" in refused("eli5", "--input", good, "--out", out)


def test_a_folder_of_evaluations_that_is_not_there(tmp_path: Path) -> None:
    good = lines(tmp_path / "good.jsonl", [ZIPPERS, CATS])
    arguments = ("eli5", "--input", good, "--out", tmp_path / "out", "--config", plain(tmp_path))
    assert f"--evaluations {tmp_path / 'none'}: no such folder" in refused(
        *arguments, "--evaluations", tmp_path / "none"
    )
    printed = built(*arguments)
    assert "training pairs were not looked up in arc_challenge, hellaswag, mmlu, truthfulqa" in printed


@pytest.mark.parametrize(
    "wrong",
    [
        ["elli5"],
        ["eli5"],
        ["eli5", "--out", "x", "--validation-share", "2"],
        ["eli5", "--out", "x", "--engine", "spark"],
        ["eli5", "--out", "x", "--processes", "0"],
    ],
)
def test_wrong_usage_ends_with_2(wrong: list[str]) -> None:
    done = s2train("data", *wrong)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert done.out == ""


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    arguments = ("eli5", "--input", tmp_path / "missing", "--out", tmp_path / "out", "--debug")
    done = spawned(*arguments)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: cannot read")


def test_nothing_heavy_is_imported() -> None:
    heavy = {"torch", "transformers", "datasets", "lm_eval", "numpy", "pyarrow", "ray", "matplotlib"}
    script = f"import sys, s2train.cli; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "set()\n"


def test_the_note_and_the_tasks_mean_the_same_number(tmp_path: Path) -> None:
    from s2eval.tasks.qa.documents import SAMPLE_SIZE

    assert data.EVALUATED == SAMPLE_SIZE
    source = lines(tmp_path / "in", map(post, range(30)))
    arguments = ("eli5", "--input", source, "--out", tmp_path / "out", "--config", plain(tmp_path))
    printed = built(*arguments, "--validation-share", 1)
    assert "note: s2_eli5 samples 100 validation pairs, here are 30; a larger --validation-share gives more" in printed


def test_several_inputs_behind_one_option_and_several_options(tmp_path: Path) -> None:
    files = [lines(tmp_path / str(number), [article(number)]) for number in range(4)]
    built("wiki", "--input", *files[:2], "--out", tmp_path / "one", "--config", plain(tmp_path), "--input", *files[2:])
    names = [
        one["name"] for one in json.loads((tmp_path / "one" / "manifest.json").read_bytes())["sets"]["wiki"]["inputs"]
    ]
    assert sorted(names) == ["0", "1", "2", "3"]
