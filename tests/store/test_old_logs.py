"""lm-eval's results and samples as its older releases wrote them: 0.3, 0.4.2, and 0.4.5; and values that are none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2eval import store
from s2eval.errors import DataError
from s2eval.report import sources
from s2eval.report.html import logs
from tests.report import lm_eval_logs

DATE = "2024-05-01T12-00-00.000000"
ARGUMENTS = "pretrained=EleutherAI/pythia-70m,revision=step1000"
# strict 1 of 3 right, flexible 2 of 3
STRICT, FLEXIBLE = (1.0, 0.0, 0.0), (1.0, 1.0, 0.0)


def old_line(doc_id: int, answer: str, **values: Any) -> dict[str, Any]:
    """A line of 0.4.3 to 0.4.5: no `metrics`, no `filter`."""
    return {
        "doc_id": doc_id,
        "doc": {"question": f"How many? {doc_id}", "filter": "of the document"},
        "target": "7",
        "arguments": [[f"Q: How many? {doc_id}\nA:", {"until": ["Q:"], "do_sample": False}]],
        "resps": [["about 7"]],
        "filtered_resps": [answer],
        "doc_hash": f"d{doc_id}",
        "prompt_hash": f"p{doc_id}",
        "target_hash": "t",
        **values,
    }


def passes() -> list[dict[str, Any]]:
    """All documents under one filter, then all under the other."""
    first = [old_line(n, "7" if value else "[invalid]", exact_match=value) for n, value in enumerate(STRICT)]
    return first + [old_line(n, "7", exact_match=value) for n, value in enumerate(FLEXIBLE)]


def write(folder: Path, lines: Sequence[dict[str, Any]], *, task: str = "gsm8k", **scores: Any) -> Path:
    """Results and samples of 0.4.5 in lm-eval's folder for the model."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "results": {task: {"alias": task, **scores}},
        "configs": {task: {"task": task, "num_fewshot": 5}},
        "versions": {task: 3.0},
        "n-shot": {task: 5},
        "config": {"model": "hf", "model_args": ARGUMENTS, "limit": None},
        "model_name_sanitized": "EleutherAI__pythia-70m",
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(content))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"samples_{task}_{DATE}.jsonl").write_text(text)
    return folder


FILTERED = {
    "exact_match,strict-match": 1 / 3,
    "exact_match_stderr,strict-match": 0.33,
    "exact_match,flexible-extract": 2 / 3,
    "exact_match_stderr,flexible-extract": 0.33,
}


@pytest.mark.parametrize("texts", [True, False])
def test_filters_are_consecutive_passes_in_the_order_of_the_results(tmp_path: Path, texts: bool) -> None:
    (unit,) = store.find_lm_eval(write(tmp_path, passes(), **FILTERED), texts=texts)
    assert [sample.values for sample in unit.samples] == [
        {"exact_match@strict-match": strict, "exact_match@flexible-extract": flexible}
        for strict, flexible in zip(STRICT, FLEXIBLE, strict=True)
    ]
    assert unit.samples[1].answer == ("[invalid]" if texts else None)


def test_the_report_has_both_filters(tmp_path: Path) -> None:
    rows = {row.metric: row for row in sources.read(write(tmp_path, passes(), **FILTERED)).rows}
    assert rows["exact_match@strict-match"].value == pytest.approx(1 / 3)
    assert rows["exact_match@flexible-extract"].value == pytest.approx(2 / 3)
    assert {row.n for row in rows.values()} == {3}


def test_scores_without_texts_are_the_same(tmp_path: Path) -> None:
    """Also where a document has keys of a line."""
    path = tmp_path / "samples.jsonl"
    strange = old_line(0, "7", acc=1.0) | {"doc": {"doc_hash": "x", "acc": 5, "metrics": ["y"]}}
    path.write_text(json.dumps(strange) + "\n")
    (whole,) = store.read_samples(path)
    (bare,) = store.read_samples(path, texts=False)
    assert bare == replace(whole, question="", answer=None, reference=None)
    assert whole.values == {"acc": 1.0}


def test_a_document_that_lacks_a_pass_is_an_error(tmp_path: Path) -> None:
    """Else the flexible score of document 1 would be taken for its strict one."""
    lines = passes()
    del lines[1]
    with pytest.raises(DataError, match="document 1 lacks the line of a filter"):
        store.find_lm_eval(write(tmp_path, lines, **FILTERED))


def test_a_document_that_is_there_once_too_often_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 7: .*document 0 was met before"):
        store.find_lm_eval(write(tmp_path, [*passes(), old_line(0, "7", exact_match=1.0)], **FILTERED))


def test_samples_in_one_array_without_hashes(tmp_path: Path) -> None:
    """0.4.0 to 0.4.2: `results.json`, and a file whose name begins with the model's arguments."""
    without = [
        {name: value for name, value in old_line(n, "7", acc=value).items() if not name.endswith("_hash")}
        for n, value in enumerate(STRICT)
    ]
    content = {
        "results": {"arc": {"acc,none": 1 / 3, "acc_stderr,none": 0.33, "alias": "arc"}},
        "configs": {"arc": {"task": "arc"}},
        "versions": {"arc": "Yaml"},
        "n-shot": {"arc": 0},
        "config": {"model": "hf", "model_args": ARGUMENTS, "limit": None},
        "git_hash": "abc",
    }
    (tmp_path / "results.json").write_text(json.dumps(content, indent=2))
    log = tmp_path / "pretrained=EleutherAI__pythia-70m,revision=step1000_arc.jsonl"
    log.write_text(json.dumps(without, indent=2))
    for texts in (True, False):
        (unit,) = store.find_lm_eval(tmp_path, texts=texts)
        assert (unit.model, unit.task, unit.n) == ("EleutherAI__pythia-70m", "arc", 3)
        assert [sample.values["acc"] for sample in unit.samples] == list(STRICT)
    # as 0.4.3 and later hash them: printf 'Q: How many? 0\nA:' | sha256sum
    assert unit.samples[0].prompt_hash == "a8c2dfdf8176a3e4d88f472c01cdcb0ffaa8eb0e459e83d5329ed725475ccc62"
    assert [line.doc_id for line in logs.read(log, lambda _: True)] == [0, 1, 2]


def test_hashes_of_old_samples_are_those_that_lm_eval_writes_today(tmp_path: Path) -> None:
    from lm_eval.utils import hash_string

    line = {name: value for name, value in old_line(0, "7", acc=1.0).items() if not name.endswith("_hash")}
    line["doc"] = {"question": "Größe?", "n": 1.5, "choices": ["a", None]}
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(line) + "\n")
    (sample,) = store.read_samples(path)
    assert sample.doc_hash == hash_string(json.dumps(line["doc"], indent=2, ensure_ascii=False))
    assert sample.prompt_hash == hash_string("Q: How many? 0\nA:")


def test_results_before_0_4(tmp_path: Path) -> None:
    """Any name, keys without a filter, no `configs`."""
    content = {
        "results": {
            "arc_challenge": {"acc": 0.25, "acc_stderr": 0.01, "acc_norm": 0.5, "acc_norm_stderr": 0.02},
            "lambada_openai": {"ppl": 28.5, "ppl_stderr": 1.5},
        },
        "versions": {"arc_challenge": 0, "lambada_openai": 0},
        "config": {"model": "hf-causal", "model_args": ARGUMENTS, "num_fewshot": 25, "limit": None},
    }
    (tmp_path / "pythia.json").write_text(json.dumps(content, indent=2))
    arc, lambada = store.find_lm_eval(tmp_path)
    assert (arc.model, arc.task) == ("EleutherAI__pythia-70m", "arc_challenge")
    assert arc.aggregates == {"acc": (0.25, 0.01), "acc_norm": (0.5, 0.02)}
    assert lambada.aggregates == {"ppl": (28.5, 1.5)}


def test_without_configs_groups_are_no_tasks(tmp_path: Path) -> None:
    scores = {"acc,none": 0.5}
    content = {"results": {"mmlu": scores, "mmlu_virology": scores}, "groups": {"mmlu": scores}}
    (tmp_path / f"results_{DATE}.json").write_text(json.dumps(content))
    assert [unit.task for unit in store.find_lm_eval(tmp_path)] == ["mmlu_virology"]


def test_samples_without_a_date(tmp_path: Path) -> None:
    folder = write(tmp_path, passes(), **FILTERED)
    (folder / f"samples_gsm8k_{DATE}.jsonl").rename(folder / "samples_gsm8k.jsonl")
    (unit,) = store.find_lm_eval(folder)
    assert len(unit.samples) == 3
    (folder / f"results_{DATE}.json").rename(folder / "results.json")
    (unit,) = store.find_lm_eval(folder)
    assert len(unit.samples) == 3


def test_samples_without_a_date_are_not_given_to_one_of_two_results(tmp_path: Path) -> None:
    folder = write(tmp_path, passes(), **FILTERED)
    (folder / f"samples_gsm8k_{DATE}.jsonl").rename(folder / "samples_gsm8k.jsonl")
    other = json.loads((folder / f"results_{DATE}.json").read_text())
    other["config"]["limit"] = 2
    (folder / "results_2024-05-02T12-00-00.000000.json").write_text(json.dumps(other))
    assert [len(unit.samples) for unit in store.find_lm_eval(folder)] == [0, 0]


def test_output_path_may_be_a_file(tmp_path: Path) -> None:
    """`--output_path out/mine.json` writes `mine_DATE.json`."""
    folder = write(tmp_path, passes(), **FILTERED)
    (folder / f"results_{DATE}.json").rename(folder / f"mine_{DATE}.json")
    (unit,) = store.find_lm_eval(folder)
    assert len(unit.samples) == 3


@pytest.mark.parametrize("content", ['{"results": {}}', '{"results": [1]}', '{"results": {"a": 1}', "[]", ""])
def test_other_json_files_are_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    assert store.find_lm_eval(tmp_path) == []


# --- values that are no numbers --------------------------------------------------------------------------------


def test_predict_only_scores_nothing(tmp_path: Path) -> None:
    """`--predict_only` prints `bypass` 999; a later one does not replace scores."""
    folder = write(
        tmp_path / "only", [old_line(0, "7", bypass=None)], **{"bypass,none": 999, "bypass_stderr,none": "N/A"}
    )
    with pytest.raises(DataError, match="Answers without scores") as caught:
        sources.read(folder)
    assert "EleutherAI__pythia-70m/gsm8k" in str(caught.value)
    both = write(tmp_path / "both", passes(), **FILTERED)
    later = lm_eval_logs.write(tmp_path / "later", "m", {"gsm8k": [lm_eval_logs.line(0, bypass=999)]})
    content = json.loads((both / f"results_{DATE}.json").read_text())
    content["results"] = {"gsm8k": {"alias": "gsm8k", "bypass,none": 999, "bypass_stderr,none": "N/A"}}
    (both / "results_2025-05-01T12-00-00.000000.json").write_text(json.dumps(content))
    source = sources.read(both)
    assert {row.metric for row in source.rows} == {"exact_match@strict-match", "exact_match@flexible-extract"}
    assert any(note.startswith("Answers without scores (`--predict_only`), left out: ") for note in source.notes)
    assert "bypass" not in {row.metric for row in sources.read(later).rows}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (True, 1.0), ("0.5", 0.5), (" 1e-2 ", 0.01), ("True", 1.0), ("-3", -3.0), (".5", 0.5)],
)
def test_numbers_as_numpy_leaves_them(tmp_path: Path, value: Any, expected: float) -> None:
    """lm-eval writes what JSON has no form for as text: NumPy's float32 and bool."""
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(old_line(0, "7", acc=value)) + "\n")
    assert [sample.values for sample in store.read_samples(path)] == [{"acc": expected}]


@pytest.mark.parametrize("value", [None, "N/A", "", "maybe", "1_0", "nan", float("nan"), float("inf"), "-inf", "٣"])
def test_what_is_no_number_is_counted_and_named(tmp_path: Path, value: Any) -> None:
    lines = [old_line(n, "7", acc=one) for n, one in enumerate([1.0, value, 0.0])]
    source = sources.read(write(tmp_path, lines, **{"acc,none": 0.5, "acc_stderr,none": "N/A"}))
    (row,) = source.rows
    assert (row.value, row.n, row.n_valid) == (0.5, 3, 2)
    shown = "null" if value is None else str(value)
    note = f"EleutherAI__pythia-70m, gsm8k: 1 of 3 values of acc is no number and not counted ({shown!r})."
    assert note in source.notes


@pytest.mark.parametrize("value", ["N/A", None, float("nan"), float("inf"), True])
def test_an_aggregate_that_is_no_number(tmp_path: Path, value: Any) -> None:
    folder = write(tmp_path, [], **{"acc,none": value, "acc_stderr,none": "N/A", "f1,none": "0.5"})
    source = sources.read(folder)
    rows = {row.metric: row for row in source.rows}
    assert (rows["acc"].value, rows["acc"].n_valid) == (None, 0)
    assert (rows["f1"].value, rows["f1"].stderr) == (0.5, None)
    assert any("acc is no number in lm-eval's results" in note for note in source.notes)


def test_metrics_of_which_only_the_aggregate_is_a_number(tmp_path: Path) -> None:
    lines = [old_line(n, "7", bleu=["a", "b"], own=None) for n in range(2)]
    (unit,) = store.find_lm_eval(write(tmp_path, lines, **{"bleu,none": 12.5, "own,none": 3.0}))
    assert [dict(sample.values) for sample in unit.samples] == [{}, {}]
    assert {row.metric: row.value for row in sources.read(tmp_path).rows} == {"bleu": 12.5, "own": 3.0}
