"""`s2eval report` on what plain lm-eval wrote and on run folders; what the light commands do not import."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval.cli import main

TASKS = [f"s2_{name}" for name in ("arc_challenge", "hellaswag", "mmlu", "truthfulqa_mc2", "eli5", "wiki", "full")]
Outcome = tuple[int, str, str]  # exit code, standard output, standard error


@pytest.fixture
def s2eval(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, error = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, out, error

    return call


@pytest.fixture(scope="module")
def plain(plain_lm_eval: tuple[subprocess.CompletedProcess[str], Path]) -> Path:
    """A folder of `lm_eval --output_path … --log_samples`."""
    finished, folder = plain_lm_eval
    assert finished.returncode == 0, finished.stderr
    return folder


@pytest.fixture(scope="module")
def printed(plain: Path) -> dict[str, dict[str, float]]:
    """Task → metric → what lm-eval itself made of it."""
    (path,) = plain.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {
        task: {key.removesuffix(",none"): value for key, value in numbers.items() if key.endswith(",none")}
        for task, numbers in content.items()
    }


@pytest.fixture
def run_folder(plain: Path, tmp_path: Path) -> Path:
    """The same results laid out as a run of one model that names its row of the paper, its run.yaml by hand."""
    folder = tmp_path / "run"
    (results,) = plain.rglob("results_*.json")
    content = json.loads(results.read_text(encoding="utf-8"))
    date = results.stem.removeprefix("results_")
    for task in TASKS:
        unit = folder / "ours" / task
        unit.mkdir(parents=True)
        of_task = {**content, "configs": {task: content["configs"][task]}}
        (unit / results.name).write_text(json.dumps(of_task), encoding="utf-8")
        shutil.copy(results.parent / f"samples_{task}_{date}.jsonl", unit)
        facts = {"key": f"key-of-{task}", "model": "ours", "task": task, "template": "s2", "template_hash": "0123"}
        (unit / "unit.json").write_text(json.dumps(facts), encoding="utf-8")
    config: dict[str, Any] = {
        "name": "by hand",
        "models": [{"name": "ours", "model": "./ours", "reference": "Llama-2-7b-ELI5"}],
        "tasks": TASKS,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def cells(report: str, title: str, row: str = "") -> list[str]:
    """The cells of a table's first row that begins with `row`."""
    lines = report[report.index(title) :].splitlines()
    ruled = next(number for number, line in enumerate(lines) if line.startswith("|:"))
    line = next(line for line in lines[ruled + 1 :] if line.startswith(f"| {row}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


# --- plain lm-eval ---------------------------------------------------------------------------------------------


def test_a_folder_of_plain_lm_eval(plain: Path, printed: dict[str, dict[str, float]], s2eval: Any) -> None:
    code, report, error = s2eval("report", plain)
    assert (code, error) == (0, "")
    for number in (1, 2, 3, 4):
        assert f"Table {number}: " in report
    average = printed["s2_leaderboard"]["leaderboard_pct"]
    assert cells(report, "Table 1: ")[1].startswith(f"{average:.2f} ")
    assert "Evaluated with `--limit 2`." in report
    assert "MMLU on 2 of 57 subjects" in report
    assert re.search(r"\| [^|]* – too few", report)  # of two documents no interval is computed
    assert not re.search(r"^\|[^|]*\|[^|]*\[\d", report, re.MULTILINE)


def test_its_numbers_are_lm_evals(plain: Path, printed: dict[str, dict[str, float]], s2eval: Any) -> None:
    code, out, _ = s2eval("report", plain, "--format", "csv")
    assert code == 0
    found = {(row["task"], row["metric"]): row for row in csv.DictReader(io.StringIO(out)) if not row["subset"]}
    compared = 0
    for task in (*TASKS, "s2_leaderboard", "s2_mtsbench"):
        for metric, value in printed[task].items():
            if metric == "s2_judge_score":  # without a judge lm-eval prints nan
                assert (found[task, metric]["value"], found[task, metric]["n_valid"]) == ("", "0")
                compared += 1
            elif not metric.endswith("_stderr"):
                assert float(found[task, metric]["value"]) == pytest.approx(value, abs=1e-9), (task, metric)
                compared += 1
                error = printed[task][f"{metric}_stderr"]
                if found[task, metric]["stderr"] and error != "N/A":
                    assert float(found[task, metric]["stderr"]) == pytest.approx(error, rel=1e-6), (task, metric)
    assert compared == sum(len(numbers) for numbers in printed.values()) / 2
    assert {row["n"] for row in found.values()} == {"2", "8"}


def test_a_report_may_go_to_a_file(plain: Path, tmp_path: Path, s2eval: Any) -> None:
    _, report, _ = s2eval("report", plain)
    code, out, _ = s2eval("report", plain, "--out", tmp_path / "reports" / "one.md")
    assert (code, out) == (0, "")
    assert (tmp_path / "reports" / "one.md").read_text(encoding="utf-8") == report
    assert s2eval("report", plain, "--format", "csv", "--out", tmp_path / "scores.csv")[0] == 0
    # and what was written can be reported in its turn, without lm-eval's files
    (tmp_path / "alone").mkdir()
    shutil.move(tmp_path / "scores.csv", tmp_path / "alone")
    _, again, _ = s2eval("report", tmp_path / "alone")
    assert cells(again, "Table 2: ", "ELI5") == cells(report, "Table 2: ", "ELI5")


# --- the paper's numbers ---------------------------------------------------------------------------------------


def test_the_papers_number_stands_beside_ours(run_folder: Path, plain: Path, s2eval: Any) -> None:
    code, report, _ = s2eval("report", run_folder, "--reference", "paper")
    assert code == 0
    # "Training LLMs on Simple, Safe Text", 24 September 2023, the rows of Llama-2-7b-ELI5
    for title, row, published in (
        ("Table 1: ", "ours", ["53.92", "53.41", "77.90", "43.56", "40.81"]),
        ("Table 2: ", "ELI5", ["0.3701", "0.2140", "0.2736", "0.2821"]),
        ("Table 2: ", "full", ["0.2243", "0.0118", "0.0971", "0.1312"]),
        ("Table 3: ", "wiki", ["0.7859", "0.8093", "0.7971"]),
        ("Table 4: ", "ELI5", ["67.6357", "8.148"]),
    ):
        shown = cells(report, title, row)
        for number in published:
            assert any(number in cell for cell in shown), (title, number, shown)
    assert "Published numbers: " in report
    _, without, _ = s2eval("report", run_folder)
    assert "53.92" not in without
    assert "53.92" not in s2eval("report", plain, "--reference", "paper")[1]  # its model names no row


def test_an_unknown_reference_is_told(run_folder: Path, s2eval: Any) -> None:
    config = yaml.safe_load((run_folder / "run.yaml").read_text(encoding="utf-8"))
    config["models"][0]["reference"] = "Llama-2-7b-ELY5"
    (run_folder / "run.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    code, _, error = s2eval("report", run_folder, "--reference", "paper")
    assert code == 2
    assert "unknown reference row 'Llama-2-7b-ELY5'; did you mean 'Llama-2-7b-ELI5'?" in error


def test_folders_are_reported_together(run_folder: Path, plain: Path, s2eval: Any) -> None:
    _, report, _ = s2eval("report", run_folder, plain)
    table = report[report.index("Table 1: ") : report.index("Table 2: ")]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "too few" in line]
    assert len(rows) == 2
    assert rows[0].startswith("| ours")


@pytest.mark.parametrize(("name", "told"), [("none", "no such folder"), ("empty", "nothing to report")])
def test_nothing_to_report_is_told(name: str, told: str, tmp_path: Path, s2eval: Any) -> None:
    (tmp_path / "empty").mkdir()
    code, out, error = s2eval("report", tmp_path / name)
    assert (code, out) == (2, "")
    assert error.startswith(f"error: {tmp_path / name}: {told}")


# --- what is not imported --------------------------------------------------------------------------------------

LIGHT = """
import sys
from s2eval.cli import main
try:
    main(sys.argv[1:])
finally:
    heavy = {"torch", "transformers", "lm_eval", "datasets", "bert_score", "fastchat"} & set(sys.modules)
    print(f"HEAVY {sorted(heavy)}", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], *(["ls", what] for what in ("tasks", "models", "judges", "tables", "metrics"))],
    ids=" ".join,
)
def test_help_and_ls_import_nothing_heavy(arguments: list[str]) -> None:
    light(*arguments)


def test_report_imports_nothing_heavy(run_folder: Path, plain: Path) -> None:
    for folder in (run_folder, plain):
        assert "Table 4: " in light("report", str(folder), "--reference", "paper").stdout


def light(*arguments: str) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run([sys.executable, "-c", LIGHT, *arguments], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.splitlines()[-1] == "HEAVY []"
    return finished


# --- ls --------------------------------------------------------------------------------------------------------


def test_ls_tasks_are_those_of_lm_eval(s2eval: Any) -> None:
    from lm_eval.tasks import TaskManager

    from s2eval import paths

    index = TaskManager(include_path=str(paths.tasks()), include_defaults=False).task_index
    code, out, _ = s2eval("ls", "tasks")
    assert code == 0
    names = out.split()
    assert len(names) == len(set(names))
    assert set(names) == set(index)
    assert s2eval("ls", "tasks", "--path")[1] == f"{paths.tasks()}\n"


def test_ls_metrics_are_those_that_are_written(plain: Path, s2eval: Any) -> None:
    _, out, _ = s2eval("ls", "metrics")
    rows = csv.DictReader(io.StringIO(s2eval("report", plain, "--format", "csv")[1]))
    assert {row["metric"] for row in rows} <= set(out.split())


def test_ls_models_and_tables(s2eval: Any) -> None:
    assert s2eval("ls", "models")[1].splitlines()[:2] == ["smollm2", "smollm2-nf4"]
    tables = s2eval("ls", "tables")[1].splitlines()
    assert [line.partition(",")[0] for line in tables] == [
        "leaderboard: Table 1",
        "rouge: Table 2",
        "bertscore: Table 3",
        "readability: Table 4",
        "ease: Ease and a panel of readability measures",
    ]
    assert s2eval("ls", "tsks")[0] == 2
