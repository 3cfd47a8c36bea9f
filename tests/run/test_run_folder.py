"""What `s2eval run` writes: the run folder, its scores and its report, recomputed from the samples."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval.store import read_scores
from tests.run.runs import FOUR, TASKS, Outcome, rows, samples

COUNTED = {"arc_challenge": "acc_norm", "hellaswag": "acc_norm", "mmlu": "acc", "truthfulqa_mc2": "mc2"}


def test_the_run_folder(undisturbed: tuple[Path, Outcome]) -> None:
    run, (_, out, _) = undisturbed
    assert out == f"{run / 'report.html'}\n"
    assert {path.name for path in run.iterdir()} - {".lock"} == {
        ".plan.json",
        "provenance.json",
        "run.yaml",
        "scores.csv",
        "report.md",
        "report.html",
        "tiny",
    }
    assert {path.name for path in (run / "tiny").iterdir()} == set(TASKS)
    for task in TASKS:
        names = sorted(path.name.partition("2")[0] for path in (run / "tiny" / task).iterdir())
        wanted = ["results_", f"samples_{task}_".partition("2")[0], "unit.json"]
        assert names == sorted([*wanted, "bertscore.json"] if task == "s2demo_eli5" else wanted)
        facts = json.loads((run / "tiny" / task / "unit.json").read_text(encoding="utf-8"))
        assert (facts["model"], facts["task"], facts["documents"]) == ("tiny", task, 2)
        assert {"lm-eval", "torch", "transformers", "s2eval"} <= set(facts["versions"])
    config = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))
    assert config["models"][0]["name"] == "tiny"
    assert "unfinished" not in config


def test_a_run_tells_what_it_does(undisturbed: tuple[Path, Outcome]) -> None:
    _, (_, _, said) = undisturbed
    for number, task in enumerate(TASKS, 1):
        assert f"[{number}/5] tiny/{task}: 2 documents" in said
        assert f"[{number}/5] tiny/{task}: done in " in said
    assert "BERTScore (minilm) of tiny/s2demo_eli5, 2 answers" in said
    assert said.index("[5/5] tiny/s2demo_eli5: done") < said.index("BERTScore (minilm)")


def test_scores_has_the_columns_of_interfaces(undisturbed: tuple[Path, Outcome]) -> None:
    with (undisturbed[0] / "scores.csv").open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    columns = "model,group,seed,task,subset,judge,turn,metric,value,stderr,ci_low,ci_high,n,n_valid,provenance"
    assert ",".join(header) == columns
    assert {tuple(line[:3]) for line in lines} == {("tiny", "tiny ones", "7")}
    for row in read_scores(undisturbed[0] / "scores.csv"):
        assert row.value is not None
        if row.ci_low is not None and row.ci_high is not None:
            assert row.ci_low <= row.value <= row.ci_high, row
        if row.task == "s2demo_leaderboard":
            assert (row.n, row.n_valid) == (8, 8)
        else:
            assert (row.n, row.n_valid) == ((1, 1) if row.subset else (2, 2))
            file = "bertscore.json" if "bertscore" in row.metric else "unit.json"
            facts = json.loads((undisturbed[0] / "tiny" / row.task / file).read_text(encoding="utf-8"))
            assert row.provenance == facts["key"]


def recomputed(sample: dict[str, Any], metric: str) -> float:
    """From what the model said of each choice alone."""
    logs = [float(response[0][0]) for response in sample["resps"]]
    if metric == "mc2":
        import numpy as np

        probabilities = np.exp(logs)
        return float(probabilities[np.array(sample["doc"]["labels"]) == 1].sum() / probabilities.sum())
    if metric == "acc_norm":
        logs = [log / len(choice) for log, choice in zip(logs, sample["doc"]["choices"], strict=True)]
    return float(logs.index(max(logs)) == sample["doc"]["gold"])


def test_the_leaderboards_numbers_follow_from_the_samples(undisturbed: tuple[Path, Outcome]) -> None:
    run, _ = undisturbed
    found = rows(run)
    points: dict[str, float] = {}
    for name in FOUR:
        task = f"s2demo_{name}"
        values = [recomputed(sample, COUNTED[name]) for sample in samples(run, task)]
        points[name] = 100 * sum(values) / 2  # of MMLU's two documents each is another subject's
        assert found[task, "", COUNTED[name]].value == pytest.approx(sum(values) / 2, abs=1e-5)
        assert found[task, "", "leaderboard_pct"].value == pytest.approx(points[name], abs=1e-3)
    average = found["s2demo_leaderboard", "", "leaderboard_pct"]
    assert average.value == pytest.approx(sum(points.values()) / 4, abs=1e-3)
    assert {subset for task, subset, _ in found if task == "s2demo_mmlu"} == {"", "astronomy", "high_school_geography"}


def test_the_answers_numbers_are_the_libraries(undisturbed: tuple[Path, Outcome], textstat: Any) -> None:
    from bert_score import BERTScorer
    from rouge_score.rouge_scorer import RougeScorer

    from s2eval.metrics import resolve_encoder

    run, _ = undisturbed
    found = rows(run)
    answers = [sample["filtered_resps"][0].strip() for sample in samples(run, "s2demo_eli5")]
    references = [sample["doc"]["answer"] for sample in samples(run, "s2demo_eli5")]
    assert all(answers)
    encoder = resolve_encoder("minilm")
    scorer: Any = BERTScorer(model_type=encoder.source, num_layers=encoder.num_layers, device="cpu")
    columns = [column.mean().item() for column in scorer.score(answers, references)]
    wanted = dict(zip(("s2_bertscore_precision", "s2_bertscore_recall", "s2_bertscore_f1"), columns, strict=True))
    for name in ("rouge1", "rouge2", "rougeL", "rougeLsum"):
        rouge = RougeScorer([name], use_stemmer=False)
        scores = [rouge.score(reference, answer) for answer, reference in zip(answers, references, strict=True)]
        wanted[f"s2_{name}"] = sum(score[name].fmeasure for score in scores) / 2
    wanted["s2_fre"] = sum(round(textstat.flesch_reading_ease(answer), 2) for answer in answers) / 2
    wanted["s2_fkg"] = sum(round(textstat.flesch_kincaid_grade(answer), 1) for answer in answers) / 2
    wanted["s2_words"] = sum(textstat.lexicon_count(answer) for answer in answers) / 2
    wanted["s2_empty"] = 0.0
    wanted["s2_cut"] = 1.0  # random weights do not find an end
    assert {metric: found["s2demo_eli5", "", metric].value for metric in wanted} == pytest.approx(wanted, abs=1e-6)


def test_the_report_has_the_papers_four_tables(undisturbed: tuple[Path, Outcome]) -> None:
    run, _ = undisturbed
    report = (run / "report.md").read_text(encoding="utf-8")
    for number in (1, 2, 3, 4):
        assert f"Table {number}, demonstration data: " in report
    average = rows(run)["s2demo_leaderboard", "", "leaderboard_pct"].value
    (line,) = [line for line in report.splitlines() if line.startswith("| tiny")]  # the leaderboard's only row
    assert f"{average:.2f}" in line
    assert "Only the first 2 documents of each task were evaluated" in report
    assert "MMLU on 2 of 57 subjects: astronomy, high_school_geography." in report
    assert "questions asked with template s2 (" in report
