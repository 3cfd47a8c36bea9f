"""Folders become rows and a document: run folders, plain lm-eval's output, and `scores.csv` alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval import stats, store
from s2eval.errors import DataError
from s2eval.metrics import answers as qa
from s2eval.records import Row
from s2eval.report import render_markdown, sources
from s2eval.report.build import Report
from s2eval.report.document import Table

DATE = "2023-09-24T12-00-00.000000"
Z = 1.959964

# right answers of each; mc2 is a share
ARC, HELLASWAG, MC2 = [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.2, 0.4, 0.9]
MMLU = {"anatomy": [1.0, 0.0], "virology": [1.0] * 9 + [0.0]}


def sample(doc_id: int, **values: Any) -> dict[str, Any]:
    """A line of samples_*.jsonl."""
    return {
        "doc_id": doc_id,
        "doc": {"query": "Q"},
        "target": "0",
        "filtered_resps": [["-1.0", "True"]],
        "filter": "none",
        "metrics": list(values),
        "doc_hash": f"d{doc_id}",
        "prompt_hash": f"p{doc_id}",
        **values,
    }


def answered(doc_id: int, answer: str, reference: str) -> dict[str, Any]:
    counts = qa.counts(answer)
    whole = [counts.words, counts.sentences, counts.syllables]
    values = {**qa.score(answer, reference), "s2_fre_corpus": whole, "s2_fkg_corpus": whole}
    return sample(doc_id, **values) | {"filtered_resps": [answer], "target": reference}


def points(metric: str, values: list[float]) -> list[dict[str, Any]]:
    return [sample(number, **{metric: one, "leaderboard_pct": 100 * one}) for number, one in enumerate(values)]


def mmlu() -> list[dict[str, Any]]:
    listed = [(subject, one) for subject, values in MMLU.items() for one in values]
    return [
        sample(number, acc=[subject, one], leaderboard_pct=[subject, 100 * one])
        for number, (subject, one) in enumerate(listed)
    ]


LEADERBOARD = {
    "arc_challenge": points("acc_norm", ARC),
    "hellaswag": points("acc_norm", HELLASWAG),
    "truthfulqa_mc2": points("mc2", MC2),
    "mmlu": mmlu(),
}


def lm_eval(
    folder: Path,
    tasks: dict[str, list[dict[str, Any]]],
    *,
    aggregates: dict[str, dict[str, Any]] | None = None,
    log_samples: bool = True,
    limit: float | None = None,
    model: str = "org__tiny",
) -> Path:
    """What `lm_eval --output_path folder --log_samples` leaves."""
    own = folder / model
    own.mkdir(parents=True)
    content = {
        "results": {task: {"alias": task, **(aggregates or {}).get(task, {})} for task in tasks},
        "configs": {task: {"task": task} for task in tasks},
        "n-samples": {task: {"original": 99, "effective": len(lines)} for task, lines in tasks.items()},
        "config": {"limit": limit},
        "date": 1.0,
        "model_name_sanitized": model,
    }
    (own / f"results_{DATE}.json").write_text(json.dumps(content))
    if log_samples:
        for task, lines in tasks.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (own / f"samples_{task}_{DATE}.jsonl").write_text(text)
    return folder


def leaderboard(folder: Path, prefix: str = "s2_", **more: Any) -> Path:
    return lm_eval(folder, {prefix + name: lines for name, lines in LEADERBOARD.items()}, **more)


def by_key(source: sources.Source) -> dict[tuple[str, str, str], Row]:
    rows = {(row.task, row.subset, row.metric): row for row in source.rows}
    assert len(rows) == len(source.rows)
    return rows


def table(source: sources.Source, key: str) -> Table:
    (found,) = (one for one in Report([source]).document.tables if one.key == key)
    return found


# --- plain lm-eval ---------------------------------------------------------------------------------------------


def test_lm_evals_output_becomes_rows(tmp_path: Path) -> None:
    source = sources.read(leaderboard(tmp_path / "out"))
    assert (source.title, source.models) == ("out", ("org__tiny",))
    rows = by_key(source)
    arc = rows["s2_arc_challenge", "", "leaderboard_pct"]
    wilson = stats.scale(stats.proportion(1, 4), 100)
    assert (arc.value, arc.ci_low, arc.ci_high) == (25.0, wilson.ci_low, wilson.ci_high)
    assert (arc.n, arc.n_valid) == (4, 4)
    assert (arc.model, arc.group, arc.seed, arc.judge, arc.turn) == ("org__tiny", "org__tiny", None, "", "")
    assert rows["s2_arc_challenge", "", "acc_norm"].value == 0.25
    # MMLU: (50 + 90) / 2, its documents' mean would be 10 / 12
    assert rows["s2_mmlu", "", "leaderboard_pct"].value == pytest.approx(70)
    assert rows["s2_mmlu", "virology", "acc"].value == pytest.approx(0.9)
    assert rows["s2_mmlu", "virology", "acc"].n == 10


@pytest.mark.parametrize("prefix", ["s2_", "s2demo_"])
def test_the_average_appears_when_all_four_are_there(tmp_path: Path, prefix: str) -> None:
    rows = by_key(sources.read(leaderboard(tmp_path, prefix)))
    average = rows[f"{prefix}leaderboard", "", "leaderboard_pct"]
    assert average.value == pytest.approx((25 + 75 + 50 + 70) / 4)  # TruthfulQA: (20 + 40 + 90) / 3 = 50
    # standard errors √(p (1 - p) / (n - 1)): √(.1875 / 3) twice; mc2: variance (.09 + .01 + .16) / 2, over 3;
    # MMLU √(.25 / 1 + .09 / 9) / 2
    squares = 0.0625 + 0.0625 + 0.13 / 3 + 0.26 / 4
    assert average.stderr == pytest.approx(100 * math.sqrt(squares) / 4)
    assert (average.n, average.n_valid) == (4 + 4 + 3 + 12, 4 + 4 + 3 + 12)


@pytest.mark.parametrize("missing", LEADERBOARD)
def test_without_one_of_the_four_there_is_no_average(tmp_path: Path, missing: str) -> None:
    tasks = {f"s2_{name}": lines for name, lines in LEADERBOARD.items() if name != missing}
    rows = by_key(sources.read(lm_eval(tmp_path, tasks)))
    assert not any(task == "s2_leaderboard" for task, _, _ in rows)


def test_two_families_do_not_make_one_average(tmp_path: Path) -> None:
    half = dict(list(LEADERBOARD.items())[:2])
    tasks = {("s2_" if name in half else "s2demo_") + name: lines for name, lines in LEADERBOARD.items()}
    rows = by_key(sources.read(lm_eval(tmp_path, tasks)))
    assert not any(task.endswith("_leaderboard") for task, _, _ in rows)


def test_the_document_has_the_table_with_all_four_and_the_average(tmp_path: Path) -> None:
    found = table(sources.read(leaderboard(tmp_path)), "s2_leaderboard")
    assert found.columns == ("Average", "ARC", "HellaSwag", "MMLU", "TruthfulQA")
    (row,) = found.rows
    assert [cell.text for cell in row.cells] == ["55.00", "25.00", "75.00", "70.00", "50.00"]


def test_mmlu_on_some_subjects_is_told_below_the_table(tmp_path: Path) -> None:
    source = sources.read(leaderboard(tmp_path / "out"))
    note = "MMLU on 2 of 57 subjects: anatomy, virology."
    assert note in table(source, "s2_leaderboard").notes
    text = render_markdown(Report([source, source]).document)
    assert text.count(note) == 1


def test_mmlu_on_all_subjects_needs_no_note(tmp_path: Path) -> None:
    from s2eval.tasks.leaderboard.rows import SUBJECTS

    lines = [sample(number, leaderboard_pct=[name, 100.0]) for number, name in enumerate(SUBJECTS)]
    source = sources.read(lm_eval(tmp_path, {"s2_mmlu": lines}))
    assert not source.table_notes


def test_answers_become_rouge_and_readability(tmp_path: Path) -> None:
    lines = [
        answered(0, "The cat sat.", "The cat sat on the mat."),
        answered(1, "", "Nothing."),
        answered(2, "A dog ran away from the garden yesterday.", "A dog ran away from the garden yesterday."),
    ]
    pair = {"s2_bertscore_f1,none": 0.8, "s2_bertscore_f1_stderr,none": 0.1}
    rows = by_key(sources.read(lm_eval(tmp_path, {"s2_eli5": lines}, aggregates={"s2_eli5": pair})))
    assert rows["s2_eli5", "", "s2_rouge1"].value == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert rows["s2_eli5", "", "s2_empty"].value == pytest.approx(1 / 3)
    # 11 words, 2 sentences, 3 + 12 syllables (a dog ran a-way from the gar-den yes-ter-day)
    assert rows["s2_eli5", "", "s2_fre_corpus"].value == pytest.approx(206.835 - 1.015 * 11 / 2 - 84.6 * 15 / 11)
    f1 = rows["s2_eli5", "", "s2_bertscore_f1"]  # only lm-eval's aggregate has it
    assert (f1.value, f1.stderr, f1.n) == (0.8, 0.1, 3)
    assert (f1.ci_low, f1.ci_high) == (None, None)  # of three answers


def test_without_samples_the_interval_is_made_of_the_standard_error_and_the_note_says_so(tmp_path: Path) -> None:
    printed = {"leaderboard_pct,none": 25.0, "leaderboard_pct_stderr,none": 12.5, "acc,none": 0.5}
    tasks = {"s2_arc_challenge": LEADERBOARD["arc_challenge"]}
    aggregates = {"s2_arc_challenge": {**printed, "acc_stderr,none": "N/A"}}
    source = sources.read(lm_eval(tmp_path, tasks, aggregates=aggregates, log_samples=False))
    rows = by_key(source)
    one = rows["s2_arc_challenge", "", "leaderboard_pct"]
    assert (one.value, one.stderr, one.n, one.n_valid) == (25.0, 12.5, 4, 4)
    assert 0 < one.ci_low < 25 < one.ci_high < 100
    without = rows["s2_arc_challenge", "", "acc"]
    assert (without.value, without.stderr, without.ci_low, without.ci_high) == (0.5, None, None, None)
    (note,) = source.notes
    assert "org__tiny/s2_arc_challenge" in note
    assert "made of standard errors" in note


def test_with_samples_no_such_note(tmp_path: Path) -> None:
    assert sources.read(leaderboard(tmp_path)).notes == ()


def test_without_samples_the_average_is_there_too(tmp_path: Path) -> None:
    aggregates = {
        f"s2_{name}": {"leaderboard_pct,none": value, "leaderboard_pct_stderr,none": error}
        for name, value, error in zip(LEADERBOARD, (50.0, 80.0, 45.0, 39.0), (3.0, 4.0, 0.0, 12.0), strict=True)
    }
    rows = by_key(sources.read(leaderboard(tmp_path, aggregates=aggregates, log_samples=False)))
    average = rows["s2_leaderboard", "", "leaderboard_pct"]
    assert average.value == pytest.approx(53.5)  # (50 + 80 + 45 + 39) / 4
    assert average.stderr == pytest.approx(13 / 4)  # √(9 + 16 + 0 + 144) / 4


@pytest.mark.parametrize(("limit", "told"), [(20.0, "`--limit 20`"), (0.1, "`--limit 0.1`")])
def test_a_limit_is_told(tmp_path: Path, limit: float, told: str) -> None:
    (note,) = sources.read(leaderboard(tmp_path, limit=limit)).notes
    assert told in note


def test_tasks_that_no_table_has_are_named(tmp_path: Path) -> None:
    tasks = {"gsm8k": points("exact_match", ARC), "s2_arc_challenge": LEADERBOARD["arc_challenge"], "arc_easy": mmlu()}
    document = Report([sources.read(lm_eval(tmp_path, tasks))]).document
    assert [table.key for table in document.tables] == ["s2_leaderboard"]
    assert document.notes[0].startswith(
        "In no table of this report: gsm8k, arc_easy. `s2eval report FOLDER --format csv`"
    )
    assert not any(
        "In no table" in note
        for note in Report([sources.read(lm_eval(tmp_path / "known", {"s2_mmlu": mmlu()}))]).document.notes
    )


def test_a_folder_without_any_table_says_what_it_has(tmp_path: Path) -> None:
    text = render_markdown(Report([sources.read(lm_eval(tmp_path, {"gsm8k": mmlu()}))]).document)
    assert "In no table of this report: gsm8k. `s2eval report FOLDER --format csv` prints their numbers" in text


# --- scores alone, and nothing ---------------------------------------------------------------------------------


def test_a_folder_with_scores_only(tmp_path: Path) -> None:
    source = sources.read(leaderboard(tmp_path / "out"))
    (tmp_path / "kept").mkdir()
    store.write_scores(tmp_path / "kept" / "scores.csv", source.rows)
    again = sources.read(tmp_path / "kept")
    assert (again.title, again.models, again.rows) == ("kept", source.models, source.rows)


def test_a_folder_with_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match="nothing to report") as caught:
        sources.read(tmp_path)
    for part in (str(tmp_path), "run.yaml", "scores.csv", "results_*.json"):
        assert part in str(caught.value)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder") as caught:
        sources.read(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_several_folders_make_one_document(tmp_path: Path) -> None:
    each = [sources.read(leaderboard(tmp_path / name, model=name)) for name in ("b", "a")]
    document = Report(each).document
    assert document.title == "b, a"
    assert [row.header for row in document.tables[0].rows] == [("b",), ("a",)]  # in the order given


# --- run folders -----------------------------------------------------------------------------------------------


def run_folder(folder: Path, **more: Any) -> Path:
    """What `s2eval run` leaves: two models on ARC, the first with a group and a seed."""
    for model in ("mine", "other"):
        place = folder / model / "s2_arc_challenge"
        lm_eval(folder / "made", {"s2_arc_challenge": LEADERBOARD["arc_challenge"]}, model=model)
        place.parent.mkdir(parents=True)
        (folder / "made" / model).rename(place)
        facts = {"key": f"key-{model}", "model": model, "template": "s2", "template_hash": "0f", "versions": {"a": "1"}}
        store.write_json(place / "unit.json", facts)
    (folder / "made").rmdir()
    models = [
        {"model": "./x", "name": "other", "reference": "Llama-2-7b"},
        {"model": "./y", "name": "mine", "group": "g", "seed": 7},
    ]
    config = {"name": "title", "models": models, "tasks": ["s2_arc_challenge"]} | more
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_a_run_folder(tmp_path: Path) -> None:
    source = sources.read(run_folder(tmp_path))
    assert (source.title, source.models) == ("title", ("other", "mine"))  # as configured
    assert source.references == {"other": "Llama-2-7b"}
    row = next(row for row in source.rows if row.model == "mine")
    assert (row.group, row.seed, row.provenance) == ("g", 7, "key-mine")
    assert any("`./x`" in note and "s2 (0f)" in note for note in source.notes)
    assert "Evaluated with a 1." in source.notes


def test_what_is_not_finished_is_told_and_an_older_result_of_it_left_out(tmp_path: Path) -> None:
    source = sources.read(run_folder(tmp_path, unfinished=["mine/s2_arc_challenge"], limit=4))
    assert {row.model for row in source.rows} == {"other"}
    assert any(note.startswith("Not finished, so not in the tables: mine/s2_arc_challenge. ") for note in source.notes)
    assert any("first 4 documents" in note for note in source.notes)


def test_a_task_that_is_no_longer_configured_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no finished unit"):
        sources.read(run_folder(tmp_path, tasks=["s2_hellaswag"]))


def test_a_run_without_a_finished_unit_is_told_with_the_command(tmp_path: Path) -> None:
    unfinished = ["mine/s2_arc_challenge", "other/s2_arc_challenge"]
    run_folder(tmp_path, unfinished=unfinished)
    store.write_scores(tmp_path / "scores.csv", [])  # of the earlier configuration
    with pytest.raises(DataError, match="no finished unit yet") as caught:
        sources.read(tmp_path)
    assert f"s2eval run CONFIG --out {tmp_path}" in str(caught.value)


def test_a_run_of_which_the_numbers_alone_were_kept(tmp_path: Path) -> None:
    source = sources.read(run_folder(tmp_path / "run"))
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "run.yaml").write_bytes((tmp_path / "run" / "run.yaml").read_bytes())
    store.write_scores(kept / "scores.csv", source.rows)
    again = sources.read(kept)
    assert (again.title, again.models, again.rows) == (source.title, source.models, source.rows)
    assert again.references == source.references


@pytest.mark.parametrize("content", ["", "[", "name: a", "name: a\nmodels: [a]", "- a"])
def test_a_run_yaml_that_somebody_damaged_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.yaml").write_text(content)
    with pytest.raises(DataError, match="not the configuration of a run") as caught:
        sources.read(tmp_path)
    assert str(tmp_path / "run.yaml") in str(caught.value)
