"""What lm-eval and we wrote, read back: samples, results, and units with their BERTScore."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from s2eval import store
from s2eval.errors import DataError
from s2eval.records import Sample


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
        "[1]",
        "null",
        {key: value for key, value in line(1).items() if key != "doc_hash"},
        line(1, metrics=["acc", "mc2"]),
        line(1) | {"doc_id": "first"},
        line(1, metrics=["s2_fre_corpus"], s2_fre_corpus=[5, 1]),
        line(1, metrics=["s2_fre_corpus"], s2_fre_corpus="5"),
        line(0),
    ],
    ids=["half", "list", "null", "no hash", "no value", "no number", "two counts", "text", "twice"],
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
    assert unit.facts.limit == "4"


def test_samples_lie_beside_their_results(tmp_path: Path) -> None:
    results(tmp_path)
    write(tmp_path / f"samples_arc_{DATE}.jsonl", line(0), line(1))
    write(tmp_path / "samples_arc_2022-01-01T12-00-00.000000.jsonl", line(0))  # of another evaluation
    (unit,) = store.find_lm_eval(tmp_path)
    assert [sample.doc_id for sample in unit.samples] == [0, 1]


def test_of_repeats_in_one_folder_the_newer_counts(tmp_path: Path) -> None:
    results(tmp_path, date="2024-01-01T00-00-00.0", acc=0.75)
    results(tmp_path, date="2023-01-01T00-00-00.0", acc=0.25)
    (unit,) = store.find_lm_eval(tmp_path)
    assert (unit.model, unit.aggregates["acc"]) == ("org__tiny", (0.75, 0.25))


def test_two_folders_are_two_runs(tmp_path: Path) -> None:
    results(tmp_path / "a", date="2024-01-01T00-00-00.0", acc=0.75)
    results(tmp_path / "b", date="2023-01-01T00-00-00.0", acc=0.25)
    found = {unit.model: unit.aggregates["acc"][0] for unit in store.find_lm_eval(tmp_path)}
    assert found == {f"{tmp_path}/a/org__tiny": 0.75, f"{tmp_path}/b/org__tiny": 0.25}


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
    assert (unit.model, unit.task, unit.provenance, unit.facts.template) == ("mine", "s2_eli5", "k", "s2")
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
