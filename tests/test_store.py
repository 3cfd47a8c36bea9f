"""Run folders: whole or absent, whatever happens, and read back as they were written."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2eval import store
from s2eval.errors import DataError, PrerequisiteError
from s2eval.records import Row, Sample

# --- scores.csv ------------------------------------------------------------------------------------------------

# without "\r", which no name has (config.Name) and which Python's csv does not quote before 3.13
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
numbers = st.none() | st.floats(allow_nan=False)
rows = st.builds(
    Row,
    model=texts,
    group=texts,
    seed=st.none() | st.integers(),
    task=texts,
    subset=texts,
    judge=texts,
    turn=texts,
    metric=texts,
    value=numbers,
    stderr=numbers,
    ci_low=numbers,
    ci_high=numbers,
    n=st.integers(0),
    n_valid=st.integers(0),
    provenance=texts,
)
ROW = Row("mine", "eli5", 3, "s2_mmlu", "anatomy", "", "", "acc", 0.1 + 0.2, None, None, None, 10, 9, "00ff")
COLUMNS = "model,group,seed,task,subset,judge,turn,metric,value,stderr,ci_low,ci_high,n,n_valid,provenance"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=4))
def test_scores_are_read_as_they_were_written(tmp_path: Path, written: list[Row]) -> None:
    store.write_scores(tmp_path / "scores.csv", written)
    assert store.read_scores(tmp_path / "scores.csv") == written


def test_scores_are_a_plain_table(tmp_path: Path) -> None:
    store.write_scores(tmp_path / "scores.csv", [ROW])
    # the float in full, absent values empty
    line = "mine,eli5,3,s2_mmlu,anatomy,,,acc,0.30000000000000004,,,,10,9,00ff"
    assert (tmp_path / "scores.csv").read_bytes() == f"{COLUMNS}\n{line}\n".encode()


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(COLUMNS.replace("n_valid,", "").replace("judge,", "") + "\n")
    with pytest.raises(DataError) as caught:
        store.read_scores(path)
    assert str(caught.value) == f"{path}: no column judge, n_valid"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("m,g,,t,,,,acc,much,,,,1,1,ff", "much"),
        ("m,g,one,t,,,,acc,0.5,,,,1,1,ff", "one"),
        ("m,g,,t,,,,acc,0.5,,,,1,,ff", "invalid literal"),
        ("m,g,,t,,,,acc,0.5,,,,1,1", "fields"),  # the end of a file that was cut off
        ("m,g,,t,,,,acc,0,5,,,,1,1,ff", "fields"),  # a decimal comma
    ],
)
def test_a_broken_line_of_scores_is_told_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "scores.csv"
    good = '"a\nmodel",g,,t,,,,acc,0.5,,,,1,1,ff'  # takes the lines 2 and 3
    path.write_text(f"{COLUMNS}\n{good}\n{line}\n")
    with pytest.raises(DataError) as caught:
        store.read_scores(path)
    assert str(caught.value).startswith(f"{path}, line 4: ")
    assert told in str(caught.value)


def test_scores_that_are_not_utf_8_are_told(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(COLUMNS.encode() + b"\n\xff\n")
    with pytest.raises(DataError) as caught:
        store.read_scores(path)
    assert str(path) in str(caught.value)


# --- one file --------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.md"
    for text in ("old ä\r\n", "new\n"):
        with store.write_atomically(path) as file:
            file.write(text)
        assert path.read_bytes() == text.encode()  # line ends as they are
    assert [one.name for one in path.parent.iterdir()] == ["report.md"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_file_stays_when_the_block_raises(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")

    def half() -> None:
        with store.write_atomically(path) as file:
            file.write("half")
            file.flush()
            raise error

    with pytest.raises(error):
        half()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report.md", "old")]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")
    with store.write_atomically(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_link_is_written_through_and_never_replaced(tmp_path: Path) -> None:
    # `s2eval report --out /dev/stdout`: as root, a rename would take /dev/stdout away from everybody
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    with store.write_atomically(link) as file:
        file.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    with store.write_atomically(pipe) as file:
        file.write("text")
    reader.join(timeout=10)
    assert read == ["text"]
    assert pipe.is_fifo()


# --- one unit --------------------------------------------------------------------------------------------------


def listing(folder: Path) -> dict[str, str]:
    """Files below a folder, with their text."""
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_a_unit_appears_when_it_is_whole(tmp_path: Path) -> None:
    unit = tmp_path / "model" / "task"
    with store.new_unit(unit) as folder:
        (folder / "a").write_text("1")
        assert not unit.exists()
        assert folder.parent == unit.parent  # the same file system, so that a rename is enough
    assert listing(tmp_path) == {"model/task/a": "1"}


def test_nothing_is_left_of_a_unit_that_raises(tmp_path: Path) -> None:
    def half() -> None:
        with store.new_unit(tmp_path / "model" / "task") as folder:
            (folder / "a").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list((tmp_path / "model").iterdir()) == []


def test_an_older_unit_is_replaced_whole(tmp_path: Path) -> None:
    unit = tmp_path / "model" / "task"
    for name in ("old", "new"):
        with store.new_unit(unit) as folder:
            (folder / name).write_text(name)
    assert listing(tmp_path) == {"model/task/new": "new"}
    assert [one.name for one in unit.parent.iterdir()] == ["task"]


def test_an_older_unit_stays_when_the_new_one_raises(tmp_path: Path) -> None:
    unit = tmp_path / "model" / "task"
    with store.new_unit(unit) as folder:
        (folder / "old").write_text("old")
    with pytest.raises(ValueError, match="no"), store.new_unit(unit) as folder:
        raise ValueError("no")
    assert listing(tmp_path) == {"model/task/old": "old"}


KILLED = """
import sys, time
from pathlib import Path
from s2eval import store
unit = Path(sys.argv[1])
with store.new_unit(unit) as folder:
    (folder / "unit.json").write_text('{"key": "k"}')
    with store.write_atomically(unit.parent.parent / "scores.csv") as file:
        file.write("half")
        file.flush()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_a_killed_process_leaves_no_unit_and_its_leftovers_are_cleared(tmp_path: Path) -> None:
    run, done, unit = tmp_path, tmp_path / "model" / "done", tmp_path / "model" / "task"
    with store.new_unit(done) as folder:
        store.write_json(folder / "unit.json", {"key": "k"})
    with subprocess.Popen([sys.executable, "-c", KILLED, str(unit)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL
    assert not unit.exists()
    assert not store.is_done(unit, "k")
    assert not (run / "scores.csv").exists()
    assert len(listing(run)) == 3  # the done unit's file, and two leftovers
    store.clear_unfinished(run)
    assert set(listing(run)) == {"model/done/unit.json"}
    assert [one.name for one in unit.parent.iterdir()] == ["done"]
    with store.new_unit(unit) as folder:
        (folder / "a").write_text("1")
    assert unit.is_dir()


def test_a_unit_is_done_with_the_same_key_only(tmp_path: Path) -> None:
    assert not store.is_done(tmp_path, "k")
    store.write_json(tmp_path / "unit.json", {"key": "k"})
    assert store.is_done(tmp_path, "k")
    assert not store.is_done(tmp_path, "l")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_a_broken_unit_is_not_done(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "unit.json").write_bytes(content)
    assert store.key_in(tmp_path / "unit.json") is None
    assert not store.is_done(tmp_path, "k")


def test_a_key_is_that_of_the_content() -> None:
    one = store.key_of({"b": [1, 2], "a": {"y": None, "x": "ä"}})
    assert one == store.key_of({"a": {"x": "ä", "y": None}, "b": [1, 2]})
    assert one != store.key_of({"a": {"x": "ä", "y": None}, "b": [2, 1]})
    assert len(one) == 16
    assert int(one, 16) >= 0


# --- disk and permissions: real ones ---------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("cannot mount a tmpfs here (needs root); /dev/full is tested without")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_the_older_unit_stays(small_disk: Path) -> None:
    unit = small_disk / "model" / "task"
    with store.new_unit(unit) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(PrerequisiteError, match="no space left") as caught, store.new_unit(unit) as folder:
        store.write_json(folder / "a", "x" * 100_000)
    assert str(unit) in str(caught.value)
    assert listing(small_disk) == {"model/task/a": "old"}
    with store.new_unit(unit) as folder:  # nothing of the failed one takes up the space
        (folder / "a").write_text("x" * 40_000)


def test_a_full_disk_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "scores.csv"
    store.write_scores(path, [ROW])
    before = path.read_text()
    with pytest.raises(PrerequisiteError, match="no space left") as caught, store.explain_os_errors(path):
        store.write_scores(path, [ROW] * 2000)
    assert str(path) in str(caught.value)
    assert listing(small_disk) == {"scores.csv": before}


def test_a_full_device_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    unit = tmp_path / "model" / "task"
    with (
        pytest.raises(PrerequisiteError, match="no space left") as caught,
        store.new_unit(unit),
        store.write_atomically(Path("/dev/full")) as file,
    ):
        file.write("x")
    assert str(unit) in str(caught.value)
    assert not unit.exists()


def test_a_missing_permission_is_told() -> None:
    place = Path("/sys/s2eval/model/task")  # where not even root may make a folder
    if not place.parents[2].is_dir():
        pytest.skip("needs /sys")
    with pytest.raises(PrerequisiteError, match="no permission") as caught, store.new_unit(place):
        pass
    assert "/sys/s2eval" in str(caught.value)
    assert "--out" in str(caught.value)


def test_a_file_where_a_folder_is_needed_is_told(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    with pytest.raises(PrerequisiteError) as caught, store.new_unit(tmp_path / "model" / "task"):
        pass
    assert str(tmp_path / "model") in str(caught.value)


def test_a_folder_where_a_file_is_needed_is_told(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="directory") as caught, store.explain_os_errors(tmp_path):
        store.write_scores(tmp_path, [ROW])
    assert str(tmp_path) in str(caught.value)


def test_other_errors_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.explain_os_errors(tmp_path):
        (tmp_path / "nothing").read_text()


# --- lm-eval's samples -----------------------------------------------------------------------------------------


def line(doc_id: int, **more: Any) -> dict[str, Any]:
    """A line of samples_*.jsonl as lm-eval 0.4.13 writes it, log-likelihoods of two choices."""
    return {
        "doc_id": doc_id,
        "doc": {"query": f"Question {doc_id}"},
        "target": "1",
        "arguments": {"gen_args_0": {"arg_0": "Question", "arg_1": " yes"}},
        "resps": [[["-1.5", "False"]], [["-2.5", "False"]]],
        "filtered_resps": [["-1.5", "False"], ["-2.5", "False"]],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"doc{doc_id}",
        "prompt_hash": f"prompt{doc_id}",
        "target_hash": "t",
        "acc": 1.0,
    } | more


def write(path: Path, *lines: dict[str, Any] | str) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return path


def test_plain_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "samples.jsonl", line(1, acc=0), line(0, acc=True, metrics=["acc", "mc2"], mc2=0.25))
    assert list(store.read_samples(path)) == [  # in document order
        Sample(0, "doc0", "prompt0", values={"acc": 1.0, "mc2": 0.25}, question="Question 0"),
        Sample(1, "doc1", "prompt1", values={"acc": 0.0}, question="Question 1"),
    ]


def test_subject_and_value(tmp_path: Path) -> None:
    more = {"metrics": ["acc", "leaderboard_pct"], "acc": ["anatomy", 1.0], "leaderboard_pct": ["anatomy", 100.0]}
    (sample,) = store.read_samples(write(tmp_path / "samples.jsonl", line(0, **more)))
    assert sample.stratum == "anatomy"
    assert sample.values == {"acc": 1.0, "leaderboard_pct": 100.0}


def answered(doc_id: int, answer: str, **more: Any) -> dict[str, Any]:
    pair = [answer.strip(), "the reference", "minilm", None]
    return line(
        doc_id,
        doc={"question": "Why {x}?", "answer": "the reference"},
        target="the reference",
        resps=[[answer]],
        filtered_resps=[answer],
        metrics=["s2_rouge1", "s2_fre_corpus", "s2_fkg_corpus", "s2_bertscore_f1"],
        s2_rouge1=0.5,
        s2_fre_corpus=[5, 1, 7],
        s2_fkg_corpus=[5, 1, 7],
        s2_bertscore_f1=pair,
        **more,
    )


def test_an_answer_with_its_counts_and_its_pair(tmp_path: Path) -> None:
    path = write(tmp_path / "samples.jsonl", answered(0, " Because it is so.\n"))
    assert list(store.read_samples(path)) == [
        Sample(
            0,
            "doc0",
            "prompt0",
            values={"s2_rouge1": 0.5},  # a pair is no value: BERTScore is made of all of them at once
            counts=(5, 1, 7),
            question="Why {x}?",
            answer="Because it is so.",
            reference="the reference",
        )
    ]


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    (sample,) = store.read_samples(write(tmp_path / "samples.jsonl", answered(0, " ")))
    assert sample.answer == ""
    assert sample.reference == "the reference"


def test_values_that_are_no_numbers_are_not_valid_but_no_error(tmp_path: Path) -> None:
    more = {"metrics": ["acc", "perplexity", "f1"], "acc": math.nan, "perplexity": [-3.5, 7], "f1": ["a", "b"]}
    (sample,) = store.read_samples(write(tmp_path / "samples.jsonl", line(0, **more)))
    assert list(sample.values) == ["acc"]  # the others are items of an aggregation that is lm-eval's own
    assert math.isnan(sample.values["acc"])


def test_a_document_with_several_filters_is_one_sample(tmp_path: Path) -> None:
    lines = [
        line(number, filter=name, filtered_resps=[name], metrics=["exact_match"], exact_match=value)
        for name, values in (("strict-match", [0.0, 1.0]), ("flexible-extract", [1.0, 1.0]))
        for number, value in enumerate(values)
    ]
    first, second = store.read_samples(write(tmp_path / "samples.jsonl", *lines))
    assert first.values == {"exact_match@strict-match": 0.0, "exact_match@flexible-extract": 1.0}
    assert second.values == {"exact_match@strict-match": 1.0, "exact_match@flexible-extract": 1.0}
    assert first.answer == "strict-match"


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "",
        "[1]",
        "null",
        {key: value for key, value in line(1).items() if key != "doc_hash"},
        line(1, metrics=["acc", "mc2"]),
        line(1) | {"doc_id": "first"},
        line(1, metrics=["s2_fre_corpus"], s2_fre_corpus=[5, 1]),
        line(1, metrics=["s2_fre_corpus"], s2_fre_corpus="5"),
        line(0),
    ],
    ids=["half", "blank", "list", "null", "no hash", "no value", "no number", "two counts", "text", "twice"],
)
def test_a_broken_sample_is_told_with_file_and_line(tmp_path: Path, broken: dict[str, Any] | str) -> None:
    path = write(tmp_path / "samples.jsonl", line(0), broken, line(2))
    with pytest.raises(DataError) as caught:
        list(store.read_samples(path))
    assert str(caught.value).startswith(f"{path}, line 2: not a sample of lm-eval")


def test_a_sample_that_is_not_utf_8_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "samples.jsonl", line(0))
    path.write_bytes(path.read_bytes() + b'{"doc": "\xff"}\n')
    with pytest.raises(DataError) as caught:
        list(store.read_samples(path))
    assert str(caught.value).startswith(f"{path}, line 2: ")


# --- lm-eval's results and our units ---------------------------------------------------------------------------

DATE = "2023-09-24T12-00-00.000000"


def results(folder: Path, *, date: str = DATE, acc: float = 0.5, task: str = "arc", model: str = "org__tiny") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "results": {
            task: {
                "alias": task,
                "sample_len": 4,
                "acc,none": acc,
                "acc_stderr,none": 0.25,
                "f1,strict": 1,
                "f1_stderr,strict": "N/A",
            }
        },
        "configs": {task: {"task": task}},
        "n-samples": {task: {"original": 10, "effective": 4}},
        "config": {"limit": 4.0},
        "date": 1.0,
        "model_name_sanitized": model,
    }
    path = folder / f"results_{date}.json"
    path.write_text(json.dumps(content))
    return path


def test_a_results_file_without_samples(tmp_path: Path) -> None:
    results(tmp_path / "org__tiny")
    (unit,) = store.find_lm_eval(tmp_path)
    assert (unit.model, unit.task, unit.n, unit.samples) == ("org__tiny", "arc", 4, ())
    assert unit.aggregates == {"acc": (0.5, 0.25), "f1@strict": (1.0, None)}
    assert unit.facts["limit"] == 4.0


def test_samples_lie_beside_their_results(tmp_path: Path) -> None:
    results(tmp_path)
    write(tmp_path / f"samples_arc_{DATE}.jsonl", line(0), line(1))
    write(tmp_path / "samples_arc_2022-01-01T12-00-00.000000.jsonl", line(0))  # of another evaluation
    (unit,) = store.find_lm_eval(tmp_path)
    assert [sample.doc_id for sample in unit.samples] == [0, 1]


def test_of_a_task_that_ran_twice_the_newer_counts_wherever_it_lies(tmp_path: Path) -> None:
    results(tmp_path / "a", date="2024-01-01T00-00-00.0", acc=0.75)
    results(tmp_path / "b", date="2023-01-01T00-00-00.0", acc=0.25)
    (unit,) = store.find_lm_eval(tmp_path)
    assert unit.aggregates["acc"] == (0.75, 0.25)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"configs": {"arc": {}}}', '{"configs": ["a"], "results": []}'])
def test_a_file_that_is_no_results_file_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results_of_something_else.json"
    path.write_text(content)
    with pytest.raises(DataError, match="not a results file of lm-eval") as caught:
        store.find_lm_eval(tmp_path)
    assert str(path) in str(caught.value)


def unit_folder(folder: Path, *, scores: list[list[float]] | None = None) -> Path:
    results(folder, task="s2_eli5")
    write(folder / f"samples_s2_eli5_{DATE}.jsonl", answered(0, "One."), answered(1, "Two."))
    store.write_json(folder / "unit.json", {"key": "k", "model": "mine", "template": "s2"})
    if scores is not None:
        store.write_json(folder / "bertscore.json", {"key": "b", "scores": scores})
    return folder


def test_a_unit_is_read_with_the_bertscores_of_its_answers(tmp_path: Path) -> None:
    unit = store.read_unit(unit_folder(tmp_path, scores=[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]))
    assert (unit.model, unit.task, unit.provenance, unit.facts["template"]) == ("mine", "s2_eli5", "k", "s2")
    names = ("s2_bertscore_precision", "s2_bertscore_recall", "s2_bertscore_f1")
    assert [[sample.values[name] for name in names] for sample in unit.samples] == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    assert unit.samples[1].values["s2_rouge1"] == 0.5


def test_a_unit_without_bertscores_is_read_too(tmp_path: Path) -> None:
    unit = store.read_unit(unit_folder(tmp_path))
    assert [dict(sample.values) for sample in unit.samples] == [{"s2_rouge1": 0.5}] * 2


def test_a_units_results_are_not_those_of_plain_lm_eval(tmp_path: Path) -> None:
    unit_folder(tmp_path / "mine" / "s2_eli5")
    assert store.find_lm_eval(tmp_path) == []


def test_a_unit_that_somebody_damaged_is_told(tmp_path: Path) -> None:
    folder = unit_folder(tmp_path / "scores", scores=[[0.1, 0.2, 0.3]])  # one score for two answers
    with pytest.raises(DataError, match="broken unit") as caught:
        store.read_unit(folder)
    assert str(folder) in str(caught.value)
    folder = unit_folder(tmp_path / "results")
    next(folder.glob("results_*")).unlink()
    with pytest.raises(DataError, match="broken unit"):
        store.read_unit(folder)
    folder = unit_folder(tmp_path / "unit")
    (folder / "unit.json").write_text("{")
    with pytest.raises(DataError, match="broken unit"):
        store.read_unit(folder)
