"""`s2train data …` as users call it: in a process of its own, on files."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from s2train import cli

ROOT = Path(cli.__file__).parents[1]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "s2train", *map(str, arguments)]


def s2train(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=ROOT, timeout=120)


def refused(*arguments: object) -> str:
    """Standard error of a call that must end with exit code 2, one line and no traceback."""
    done = s2train(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def lines(path: Path, rows: Iterable[object]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def post(number: int, answer: str = "Because.") -> dict[str, Any]:
    return {"q_id": f"q{number}", "title": f"Why {number}?", "answers": {"text": [answer], "score": [number]}}


def article(number: int) -> dict[str, str]:
    return {"title": f"Number {number}", "text": f"{number} is a number."}


ZIPPERS = {"q_id": "z", "title": "How do zippers work?", "answers": {"text": ["Teeth."], "score": [1]}}  # 0.52 of 1
CATS = {"q_id": "c", "title": "Why do cats purr?", "answers": {"text": ["Muscles."], "score": [1]}}  # 0.06 of 1


def test_eli5_rows_funnel_and_provenance(tmp_path: Path) -> None:
    unanswered = {**post(1), "answers": {"a_id": [], "text": [], "score": []}}
    source = lines(tmp_path / "in.jsonl", [ZIPPERS, unanswered, CATS, CATS])
    done = s2train("data", "eli5", "--input", source, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "eli5"
    assert {path.name for path in folder.iterdir()} == {"train.jsonl", "validation.jsonl", "build.json"}
    assert [row["id"] for row in rows(folder / "train.jsonl")] == ["eli5-z"]  # sha256('0\0how do zippers work') = 85…
    assert [row["id"] for row in rows(folder / "validation.jsonl")] == ["eli5-c"]  # sha256('0\0why do cats purr') = 0e…
    build = json.loads((folder / "build.json").read_bytes())
    assert build["inputs"] == [
        {"file": "in.jsonl", "sha256": hashlib.sha256(source.read_bytes()).hexdigest(), "records": 4}
    ]
    assert {reason: count for reason, count in build["counts"]["dropped"].items() if count} == {
        "no answer": 1,
        "id seen before": 1,
    }
    assert (build["counts"]["read"], build["counts"]["kept"]) == (4, 2)  # 4 - 1 - 1
    for name, told in build["outputs"].items():
        assert told == {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(), "rows": 1}
    printed = [line.split() for line in done.stdout.splitlines()]
    for line in (["read", "4"], ["-", "no", "answer", "1"], ["=", "kept", "2"], ["train", "1"], ["validation", "1"]):
        assert line in printed
    assert "samples 100 validation pairs, here are 1" in done.stdout


def test_full_is_made_of_both_and_made_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    s2train("data", "wiki", "--input", lines(tmp_path / "w", map(article, range(40))), "--out", out)
    assert not (out / "full").exists()
    for posts in (20, 30):
        source = lines(tmp_path / "e", map(post, range(posts)))
        assert s2train("data", "eli5", "--input", source, "--out", out).returncode == 0
        for name in ("train.jsonl", "validation.jsonl"):
            parts = {part: rows(out / part / name) for part in ("eli5", "wiki", "full")}
            key = json.dumps
            assert sorted(map(key, parts["full"])) == sorted(map(key, parts["eli5"] + parts["wiki"]))
        train = [row["id"] for row in rows(out / "full" / "train.jsonl")]
        assert train == sorted(train, key=lambda identity: hashlib.sha256(identity.encode()).digest())
    assert len(train) + len(rows(out / "full" / "validation.jsonl")) == 70  # 30 + 40


def test_full_never_trains_on_a_question_that_the_other_set_holds_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = lines(tmp_path / "e", [{**ZIPPERS, "title": "What is Oslo?"}, CATS])  # Oslo: 0.78, cats: 0.06
    s2train("data", "eli5", "--input", source, "--out", out)
    articles = [{"title": "Oslo", "text": "A city."}, {"title": "Sulfur", "text": "An element."}]
    done = s2train("data", "wiki", "--input", lines(tmp_path / "w", articles), "--out", out, "--validation-share", 0.9)
    assert [row["question"] for row in rows(out / "eli5" / "train.jsonl")] == ["What is Oslo?"]
    assert rows(out / "full" / "train.jsonl") == []
    assert {row["question"] for row in rows(out / "full" / "validation.jsonl")} == {
        "Why do cats purr?",
        "What is Oslo?",
        "What is Sulfur?",
    }
    assert ["-", "question", "in", "the", "other", "set's", "validation", "1"] in map(
        str.split, done.stdout.splitlines()
    )


def test_two_builds_are_the_same_bytes_and_more_data_move_no_question(tmp_path: Path) -> None:
    few, more = lines(tmp_path / "a", map(post, range(50))), lines(tmp_path / "b", map(post, range(50, 99)))
    for out, inputs in (("one", [few]), ("two", [few]), ("both", [more, few])):
        done = s2train("data", "eli5", "--out", tmp_path / out, "--validation-share", 0.4, "--input", *inputs)
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    for name in ("train.jsonl", "validation.jsonl"):
        before, after = ({row["id"] for row in rows(tmp_path / out / "eli5" / name)} for out in ("one", "both"))
        assert before
        assert before < after


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
    assert f"{source}:3: {told}" in refused("data", "eli5", "--input", source, "--out", tmp_path / "new" / "out")
    assert not (tmp_path / "new").exists()

    out = tmp_path / "out"
    s2train("data", "eli5", "--input", lines(tmp_path / "good", [ZIPPERS]), "--out", out)
    before = contents(out)
    refused("data", "eli5", "--input", source, "--out", out)
    assert contents(out) == before


def test_an_article_without_text_names_the_field(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", [{"title": "Oslo"}])
    assert f"{source}:1: field 'text': Field required" in refused("data", "wiki", "--input", source, "--out", tmp_path)


def test_inputs_and_folders_that_cannot_be_used(tmp_path: Path) -> None:
    good = lines(tmp_path / "good.jsonl", [ZIPPERS])
    empty = lines(tmp_path / "empty.jsonl", [])
    missing = tmp_path / "missing.jsonl"
    out = tmp_path / "out"
    assert f"cannot read {missing}: No such file" in refused("data", "eli5", "--input", missing, "--out", out)
    assert f"cannot read {tmp_path}: Is a directory" in refused("data", "eli5", "--input", tmp_path, "--out", out)
    assert f"{empty}: no eli5 pair in 0 records" in refused("data", "eli5", "--input", empty, "--out", out)
    assert f"cannot write in {good}/eli5: Not a directory" in refused("data", "eli5", "--input", good, "--out", good)
    assert "no input; name it with --input FILE" in refused("data", "eli5", "--out", out)
    assert not out.exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    good = lines(tmp_path / "good.jsonl", [ZIPPERS])
    assert "Permission denied" in refused("data", "eli5", "--input", good, "--out", out)


def test_wrong_usage_ends_with_2() -> None:
    for wrong in (["data", "elli5"], ["data", "eli5", "--validation-share", "2", "--out", "x"], ["data", "eli5"]):
        done = s2train(*wrong)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = s2train("data", "eli5", "--input", tmp_path / "missing", "--out", tmp_path, "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: cannot read")


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_stopped_build_leaves_the_old_set_whole(tmp_path: Path, number: signal.Signals, code: int) -> None:
    out, pipe = tmp_path / "out", tmp_path / "pipe"
    s2train("data", "eli5", "--input", lines(tmp_path / "good", [ZIPPERS, CATS]), "--out", out)
    before = contents(out)
    os.mkfifo(pipe)
    running = subprocess.Popen(command("data", "eli5", "--input", pipe, "--out", out), cwd=ROOT, stderr=subprocess.PIPE)
    with pipe.open("w") as feed:  # opens as soon as the build reads
        feed.write(json.dumps(post(1)) + "\n")
        feed.flush()
        time.sleep(0.2)
        running.send_signal(number)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    after = contents(out)
    assert {name: data for name, data in after.items() if not name.startswith("eli5/.")} == before
    if number == signal.SIGINT:
        assert after == before
        assert stderr.startswith(b"error: interrupted")


def test_ids_that_two_sets_share_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    s2train("data", "eli5", "--input", lines(tmp_path / "e", [ZIPPERS]), "--out", out)
    (out / "wiki").mkdir()
    own = {"id": "eli5-z", "question": "What?", "answer": "That.", "source": "own"}
    lines(out / "wiki" / "train.jsonl", [own])
    lines(out / "wiki" / "validation.jsonl", [])
    done = s2train("data", "eli5", "--input", tmp_path / "e", "--out", out)
    assert done.returncode == 2
    assert "2 rows of eli5 and wiki have the id 'eli5-z'" in done.stderr


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys, s2train.cli; print({'torch', 'transformers', 'datasets', 'lm_eval', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "set()\n"


def test_the_note_and_the_tasks_mean_the_same_number() -> None:
    from s2eval import qa

    assert cli.EVALUATED == qa.SAMPLE_SIZE


def test_the_real_files(tmp_path: Path, shared_data: Path) -> None:
    eli5 = sorted((shared_data / "eli5").glob("*.jsonl"))
    wiki = shared_data / "simplewiki" / "swipe_pairs.jsonl"
    for out in (tmp_path / "one", tmp_path / "two"):
        for kind, inputs in (("eli5", eli5), ("wiki", [wiki])):
            done = s2train("data", kind, "--input", *inputs, "--out", out, "--validation-share", 0.2)
            assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one") == contents(tmp_path / "two")

    counts = {
        name: json.loads((tmp_path / "one" / name / "build.json").read_bytes())["counts"]
        for name in ("eli5", "wiki", "full")
    }
    assert counts["eli5"]["read"] == 5411 + 500 + 500
    assert counts["eli5"]["dropped"]["no answer"] == 1000  # the two files of questions only
    assert counts["eli5"]["kept"] == 5410  # 5411 less one whose title is `[deleted by user]`
    assert counts["wiki"]["read"] == 700
    assert counts["wiki"]["kept"] == 694  # less 4 disambiguation pages and 2 vandalised ones of thousands of words
    assert counts["full"]["kept"] == 5410 + 694
    made = {name: rows(tmp_path / "one" / "full" / f"{name}.jsonl") for name in ("train", "validation")}
    assert not {row["question"].casefold() for row in made["train"]} & {
        row["question"].casefold() for row in made["validation"]
    }
    everything = made["train"] + made["validation"]
    assert len({row["id"] for row in everything}) == len(everything)
    assert all(row["question"].strip() and row["answer"].strip() for row in everything)
    assert not [row["id"] for row in everything if "URL_0" in row["question"] + row["answer"]]
