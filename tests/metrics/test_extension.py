"""A metric of another package: listed, chosen, measured, reported and suggested; no file of ours knows it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from s2eval.metrics import METRICS
from tests.packages import install, look_again
from tests.run.conftest import restored, s2eval  # noqa: F401
from tests.run.runs import Command, rows, write

SOURCE = '''
from s2eval.metrics import Metric, MetricFamily

def score(texts, references):
    """1 / (1 + words); none of an answer that shouts."""
    return [{} if "!!!" in text else {"brevity": 1 / (1 + len(text.split()))} for text in texts]

BREVITY = MetricFamily(
    "brevity", (Metric("brevity", "Brevity", digits=3),), "Brevity of answers", score, references=False
)
'''


@pytest.fixture(autouse=True)
def brevity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, monkeypatch, "brief", SOURCE, s2eval__metrics="brevity = brief:BREVITY")
    look_again(METRICS, monkeypatch)
    return folder


def test_it_is_listed(s2eval: Command) -> None:  # noqa: F811
    assert "brevity (brevity)" in s2eval("ls", "metrics")[1].splitlines()
    assert "brevity: Brevity of answers" in s2eval("ls", "tables")[1].splitlines()


def test_it_is_measured_on_a_file(s2eval: Command, tmp_path: Path) -> None:  # noqa: F811
    predictions = ("a b c", "a", "", "no!!!")
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps({"prediction": text}) + "\n" for text in predictions), encoding="utf-8")
    code, out, _ = s2eval("score", "brevity", file, "--json")
    assert code == 0
    measured = json.loads(out)["brevity"]
    assert measured["value"] == pytest.approx((1 / 4 + 1 / 2 + 1) / 3)
    assert (measured["n"], measured["n_valid"]) == (4, 3)


def test_it_is_suggested(s2eval: Command, tmp_path: Path) -> None:  # noqa: F811
    code, _, error = s2eval("score", "brevty", tmp_path / "none.jsonl")
    assert code == 2
    assert "unknown metric 'brevty'; did you mean 'brevity'? See: s2eval ls metrics" in error
    config = write(tmp_path / "run.yaml", models=["smollm2"], tasks=["s2demo_eli5"], metrics=["brevty"])
    assert "metrics.0: unknown name 'brevty'; did you mean 'brevity'?" in s2eval("run", config, "--dry-run")[2]


def test_a_run_measures_and_reports_it(
    s2eval: Command,  # noqa: F811
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = [{"model": str(tiny_model), "name": "tiny"}]
    settings = {"models": models, "tasks": ["s2demo_eli5"], "limit": 4}
    run = tmp_path / "run"
    config = write(tmp_path / "run.yaml", **settings, metrics=["readability"])
    assert s2eval("run", config, "--out", run)[0] == 0
    unit = run / "tiny" / "s2demo_eli5" / "unit.json"
    before = unit.stat().st_mtime_ns
    config = write(tmp_path / "run.yaml", **settings, metrics=["readability", "brevity"])
    code, _, error = s2eval("run", config, "--out", run)
    assert code == 0, error
    assert unit.stat().st_mtime_ns == before  # the answers are measured, not written again
    measured = rows(run)["s2demo_eli5", "", "brevity"]
    assert measured.value is not None
    report = s2eval("report", run)[1]
    table = report.partition("Brevity of answers")[2].partition("##")[0]
    assert " Brevity |" in table
    assert f"{measured.value:.3f}" in table
    assert "brevity of tiny/s2demo_eli5" not in s2eval("run", config, "--out", run)[2]  # it is measured already
    monkeypatch.setitem(METRICS._entries, "brevity", replace(METRICS["brevity"], version=2))
    assert "brevity of tiny/s2demo_eli5, 4 answers" in s2eval("run", config, "--out", run)[2]
    config = write(tmp_path / "run.yaml", **settings, metrics=["readability"])
    assert s2eval("run", config, "--out", run)[0] == 0
    assert "Brevity of answers" not in s2eval("report", run)[1]


def test_yaml_of_any_task_can_name_it(brevity: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(brevity)!r})\n"
        "import s2eval.tasks.lm_eval_metrics\n"
        "from lm_eval.api.registry import get_metric\n"
        "print(get_metric('brevity')(references=['x'], predictions=['a b c']))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "0.25\n"
