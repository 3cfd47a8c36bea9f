"""`import s2eval`: what it offers, what it costs, and results of every origin as data frames."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import s2eval
import s2train
from s2eval.api.comparison import COMPARISON_COLUMNS
from s2eval.api.run import JUDGMENT_COLUMNS, SAMPLE_COLUMNS, SCORE_COLUMNS
from s2eval.api.scores import ESTIMATE_COLUMNS
from s2eval.errors import DataError, UnknownNameError, UsageError

ARCHIVE = Path(__file__).parents[1] / "golden" / "0.1.0.tar.xz"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that version 0.1.0 wrote."""
    out = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(out, filter="data")
    return out


def test_importing_costs_nothing_heavy() -> None:
    program = (
        "import sys, typing; bare = set(sys.modules); import s2eval, s2train; print(sorted({*sys.modules} - bare))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['__future__', 's2eval', 's2train']"


@pytest.mark.parametrize("package", [s2eval, s2train])
def test_it_lists_what_it_offers(package: object) -> None:
    names = package.__all__  # pyright: ignore
    assert {*names} <= {*dir(package)}
    assert all(getattr(package, name) is not None for name in names)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing  # pyright: ignore


@pytest.mark.parametrize(
    "first", ["s2eval.judge", "s2eval.judge.suite; s2eval.judge", "s2train.merge", "s2train.label"]
)
def test_a_package_is_called_whatever_was_imported_first(first: str) -> None:
    module, _, name = first.partition("; ")
    program = f"import {module}\nassert callable({name or module})"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_run_as_data_frames(folders: Path) -> None:
    run = s2eval.open_run(folders / "run")
    assert run.models == ["base", "sft", "merged"]
    assert tuple(run.scores.columns) == SCORE_COLUMNS
    stored = (folders / "run" / "scores.csv").read_text().count("\n") - 1
    assert len(run.scores) == stored
    samples = run.samples("s2demo_eli5", model="sft")
    assert tuple(samples.columns[: len(SAMPLE_COLUMNS)]) == SAMPLE_COLUMNS
    assert {*samples["model"]} == {"sft"}
    assert all(samples["question"])
    mean = run.scores.query("model == 'sft' and task == 's2demo_eli5' and metric == 's2_rouge1'")["value"].item()
    assert float(sum(samples["s2_rouge1"])) / len(samples) == pytest.approx(mean)
    with pytest.raises(UnknownNameError, match="s2demo_eli5"):
        run.samples("s2demo_elli5")
    assert tuple(run.judgments.columns) == JUDGMENT_COLUMNS
    assert "<th>merged</th>" in run._repr_html_()


def test_a_run_compares_reports_and_plots(folders: Path, tmp_path: Path) -> None:
    run = s2eval.open_run(folders / "run")
    comparison = run.compare(baseline="base", models="sft")
    frame = comparison.to_frame()
    assert tuple(frame.columns) == COMPARISON_COLUMNS
    assert (set(frame["baseline"]), set(frame["model"])) == ({"base"}, {"sft"})
    assert (frame["model_score"] - frame["baseline_score"]).dropna().tolist() == pytest.approx(
        frame["difference"].dropna().tolist()
    )
    assert json.dumps(comparison.to_dict())
    assert run.report("md") == run.report(out=tmp_path / "report.md") == (tmp_path / "report.md").read_text()
    with pytest.raises(UsageError, match=r"report\.html"):
        run.report("html")
    plot = run.plot("leaderboard")
    assert plot.savefig(tmp_path / "chart.svg").read_text().startswith("<svg") or plot.svg().startswith("<?xml")
    with pytest.raises(UnknownNameError, match="leaderboard"):
        run.plot("leaderbord")


def test_results_of_other_origins(folders: Path, tmp_path: Path) -> None:
    assert s2eval.open_run(folders / "lm_eval").samples().shape[0] == 6
    ours = s2eval.open_run(folders / "mtbench").judgments
    assert len(ours) > 0
    fastchat = tmp_path / "gpt-4_single.jsonl"
    row = {
        "question_id": 1,
        "model": "m",
        "judge": ["gpt-4", "single-v1"],
        "turn": 1,
        "judgment": "Good. Rating: [[7]]",
    }
    fastchat.write_text(json.dumps({**row, "score": 7}) + "\n")
    opened = s2eval.open_run(fastchat)
    assert opened.judgments["rating"].tolist() == [7.0]
    assert opened.scores.query("turn == '1'")["value"].tolist() == [7.0]
    with pytest.raises(DataError, match="no such folder"):
        s2eval.open_run(tmp_path / "missing")


def test_texts_are_scored() -> None:
    scores = s2eval.score(["The dog runs.", "A cat."], references=["A dog runs.", "The cat."])
    assert tuple(scores.scores.columns) == ESTIMATE_COLUMNS
    assert scores.samples.shape[0] == 2
    assert scores.samples["s2_rouge1"].tolist() == pytest.approx([2 / 3, 1 / 2])  # 2 of 3 words, 1 of 2
    assert s2eval.score(["Cool dogs wear da sunglasses."]).samples["s2_fre_unrounded"].item() == pytest.approx(83.32)
    with pytest.raises(UsageError, match="compares with references"):
        s2eval.score(["A."], metrics=["rouge"])
    with pytest.raises(UsageError, match="2 texts and 1 references"):
        s2eval.score(["A.", "B."], ["A."])
    with pytest.raises(UnknownNameError, match="rouge"):
        s2eval.score(["A."], metrics="rogue")


def test_models_need_tasks() -> None:
    with pytest.raises(UsageError, match="--tasks is missing"):
        s2eval.evaluate(["smollm2"])
