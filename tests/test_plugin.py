"""What installing s2eval does to lm-eval, seen from lm-eval's own command line, and to every other Python process."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from s2eval import paths, plugin
from s2eval.plugin import PluginError, without_covered
from s2eval.tasks.leaderboard.rows import SUBJECTS
from s2eval.tasks.leaderboard.scores import COUNTED

FOUR = ("arc_challenge", "hellaswag", "mmlu", "truthfulqa_mc2")
SHOTS = {"arc_challenge": "25", "hellaswag": "10", "mmlu": "5", "truthfulqa_mc2": "0"}

# Runs several command lines of lm_eval in one process, one after the other, and writes what each printed. Of
# lm-eval's own 14,000 task files only the folder `arc` is scanned; that alone saves a quarter of a minute.
DRIVER = """
import contextlib, io, json, sys, traceback
from lm_eval.tasks._index import TaskIndex

everything = TaskIndex._iter_yaml_files
TaskIndex._iter_yaml_files = staticmethod(
    lambda root: [path for path in everything(root) if "lm_eval" not in path.parts or "arc" in path.parts]
)
from lm_eval.__main__ import cli_evaluate

finished = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["lm_eval", *arguments]
    out, error = io.StringIO(), ""
    with contextlib.redirect_stdout(out):
        try:
            cli_evaluate()
        except BaseException:
            error = traceback.format_exc()
    finished.append([out.getvalue(), error])
print("FINISHED" + json.dumps(finished))
"""


def python(program: str, *arguments: str, **environment: str) -> str:
    """Standard output of a fresh interpreter with this environment's packages."""
    command = [sys.executable, "-c", program, *arguments]
    finished = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def lm_eval(*commands: str, **environment: str) -> list[list[str]]:
    """[standard output, traceback or ""] of each command line."""
    out = python(DRIVER, json.dumps([command.split() for command in commands]), **environment)
    return json.loads(out.partition("FINISHED")[2])


def printed(out: str) -> list[tuple[str, str, str, float, float | None]]:
    """The rows of lm-eval's first table: (task, n-shot, metric, value, standard error); None where it says N/A."""
    rows: list[tuple[str, str, str, float, float | None]] = []
    task = ""
    for line in out.partition("Groups")[0].splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 9 and re.fullmatch(r"-?[\d.]+|nan", cells[6], re.I):
            task = cells[0].removeprefix("- ") or task
            rows.append((task, cells[3], cells[4], float(cells[6]), None if cells[8] == "N/A" else float(cells[8])))
    return rows


def points(out: str, prefix: str) -> dict[str, tuple[float, float | None]]:
    """Task without prefix → its leaderboard_pct with standard error."""
    return {
        task.removeprefix(prefix): (value, error)
        for task, _, metric, value, error in printed(out)
        if metric == "leaderboard_pct"
    }


# --- the literal command ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def literal(plain_lm_eval: tuple[subprocess.CompletedProcess[str], Path]) -> str:
    """What `lm_eval --tasks 's2_*'` printed."""
    finished, _ = plain_lm_eval
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_literal_pattern_runs_every_task_once(literal: str) -> None:
    tasks = [task for task, _, _, _, _ in printed(literal)]
    wanted = {f"s2_{name}" for name in (*FOUR, "leaderboard", "eli5", "wiki", "full", "mtsbench")}
    assert set(tasks) == wanted
    blocks = [task for task, before in zip(tasks, [None, *tasks[:-1]], strict=True) if task != before]
    assert len(blocks) == len(wanted)  # each name heads one block of rows
    pairs = [(task, metric) for task, _, metric, _, _ in printed(literal)]
    assert len(pairs) == len(set(pairs))


def test_the_literal_pattern_prints_the_average(literal: str) -> None:
    found = points(literal, "s2_")
    assert set(found) == {"leaderboard", *FOUR}
    mean = sum(found[name][0] for name in FOUR) / 4
    assert found["leaderboard"][0] == pytest.approx(mean, abs=1e-4)  # 4 decimals are printed


def test_the_number_of_shots_is_the_true_one(literal: str) -> None:
    shots = {task.removeprefix("s2_"): n for task, n, _, _, _ in printed(literal) if task != "s2_leaderboard"}
    assert shots == SHOTS | {"eli5": "0", "wiki": "0", "full": "0", "mtsbench": "0"}


def test_what_is_not_judged_has_no_score(literal: str) -> None:
    scores = {metric: value for task, _, metric, value, _ in printed(literal) if task == "s2_mtsbench"}
    assert str(scores["s2_judge_score"]) == "nan"  # no key, no judge: answered and measured, not judged
    assert scores["s2_words"] is not None


def test_every_metric_of_an_answer_has_a_standard_error(literal: str) -> None:
    errors = {metric: error for task, _, metric, _, error in printed(literal) if task == "s2_full"}
    assert {"s2_rougeLsum", "s2_bertscore_f1", "s2_fre", "s2_fkg_corpus"} <= set(errors)
    assert [metric for metric, error in errors.items() if error is None] == []


def test_a_restricted_mmlu_is_told(plain_lm_eval: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert "MMLU on 3 of 57 subjects: astronomy, high_school_geography, nutrition" in plain_lm_eval[0].stderr


# --- other command lines ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def others(tiny_model: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    out = tmp_path_factory.mktemp("others")
    small = f"--model hf --model_args pretrained={tiny_model},dtype=float32 --limit 2"
    commands = {
        "hf": f"{small} --tasks s2_leaderboard",
        "whole": f"--model dummy --tasks s2demo_leaderboard --log_samples --output_path {out}/whole",
        "two shots": f"--model dummy --tasks s2demo_arc_challenge --limit 2 --num_fewshot 2 --log_samples "
        f"--output_path {out}/two",
        "thirty shots": "--model dummy --tasks s2demo_arc_challenge --limit 2 --num_fewshot 30",
    }
    finished = lm_eval(*commands.values(), S2_DATA_DIR=str(data_dir), S2_MMLU_SUBJECTS="present")
    return dict(zip(commands, finished, strict=True)) | {"out": [str(out), ""]}


def samples(folder: Path, task: str) -> list[dict[str, Any]]:
    (path,) = folder.rglob(f"samples_{task}_*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lm_evals_own_model_runs_them_too(others: dict[str, list[str]]) -> None:
    out, error = others["hf"]
    assert error == ""
    found = points(out, "s2_")
    assert found["leaderboard"][0] == pytest.approx(sum(found[name][0] for name in FOUR) / 4, abs=1e-4)


def test_the_average_weighs_the_four_alike_and_mmlu_its_subjects(others: dict[str, list[str]]) -> None:
    """Subjects and tasks of unequal size, and a model that guesses: its own samples give every printed number."""
    out, error = others["whole"]
    assert error == ""
    found = points(out, "s2demo_")
    folder = Path(others["out"][0]) / "whole"
    percent: dict[str, float] = {}
    for name in ("arc_challenge", "hellaswag", "truthfulqa_mc2"):
        values = [sample[COUNTED[name]] for sample in samples(folder, f"s2demo_{name}")]
        percent[name] = 100 * sum(values) / len(values)
    by_subject: dict[str, list[float]] = {}
    for sample in samples(folder, "s2demo_mmlu"):
        subject, value = sample["acc"]
        by_subject.setdefault(subject, []).append(value)
    sizes = {subject: len(values) for subject, values in by_subject.items()}
    assert len(set(sizes.values())) == 3, sizes
    percent["mmlu"] = 100 * sum(sum(values) / len(values) for values in by_subject.values()) / 3
    assert {name: found[name][0] for name in FOUR} == pytest.approx(percent, abs=1e-4)
    assert found["leaderboard"][0] == pytest.approx(sum(percent.values()) / 4, abs=1e-4)


def test_the_average_has_its_own_standard_error(others: dict[str, list[str]]) -> None:
    found = points(others["whole"][0], "s2demo_")
    errors = [found[name][1] for name in FOUR]
    assert None not in errors
    # the four are independent: Var(mean of 4) = sum of the 4 variances / 16
    wanted = math.sqrt(sum(error**2 for error in errors if error is not None)) / 4
    assert found["leaderboard"][1] == pytest.approx(wanted, abs=1e-4)


def test_fewer_shots_are_the_first_of_those_drawn(others: dict[str, list[str]]) -> None:
    out, error = others["two shots"]
    assert error == ""
    assert {n for _, n, _, _, _ in printed(out)} == {"2"}
    for sample in samples(Path(others["out"][0]) / "two", "s2demo_arc_challenge"):
        context = sample["arguments"]["gen_args_0"]["arg_0"]
        shots = [f"{shot['query']} {shot['target']}" for shot in sample["doc"]["shots"]]
        assert len(shots) == 25
        assert context == "\n\n".join([*shots[:2], sample["doc"]["query"]])


def test_more_shots_than_were_drawn_are_an_error(others: dict[str, list[str]]) -> None:
    out, error = others["thirty shots"]
    assert printed(out) == []
    assert "--num_fewshot 30: this task has 25 shots, as the leaderboard drew them" in error


def test_switched_off_lm_eval_is_untouched() -> None:
    by_path = f"--model dummy --include_path {paths.tasks()} --tasks s2demo_hellaswag --limit 2"
    finished = lm_eval(
        "--model dummy --tasks s2demo_hellaswag --limit 2",
        "--model s2 --tasks arc_challenge --limit 2",
        by_path,
        S2EVAL_HOOK="0",
    )
    (_, no_task), (_, no_model), (out, error) = finished
    assert "Tasks not found: s2demo_hellaswag" in no_task
    assert "Unknown model 's2'" in no_model
    assert error == ""
    assert {task for task, _, _, _, _ in printed(out)} == {"s2demo_hellaswag"}


# --- names and patterns ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manager() -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(paths.tasks()), include_defaults=False)


def test_the_pattern_covers_all_names_through_as_few_as_possible(manager: Any) -> None:
    assert manager.match_tasks(["s2_*"]) == ["s2_eli5", "s2_full", "s2_leaderboard", "s2_mtsbench", "s2_wiki"]
    assert manager.match_tasks(["s2demo_*"]) == ["s2demo_eli5", "s2demo_full", "s2demo_leaderboard", "s2demo_wiki"]
    assert len(manager.match_tasks(["s2_mmlu_*"])) == len(SUBJECTS)  # without s2_mmlu, each by itself
    assert manager.match_tasks(["s2_mmlu*"]) == ["s2_mmlu"]
    assert manager.match_tasks(["s2_qa"]) == ["s2_qa"]
    assert manager.match_tasks(["s2_arc*", "s2_hellaswag"]) == ["s2_arc_challenge", "s2_hellaswag"]


def test_what_the_pattern_matches_loads(manager: Any, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("S2_DATA_DIR", str(data_dir))
    monkeypatch.setenv("S2_BERTSCORE_ENCODER", "minilm")
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "present")
    loaded = manager.load(manager.match_tasks(["s2_*"]))  # lm-eval's "Duplicate task" would be raised here
    assert sorted(loaded["tasks"]) == sorted(f"s2_{name}" for name in (*FOUR, "eli5", "wiki", "full", "mtsbench"))
    assert list(loaded["groups"]) == ["s2_leaderboard"]


def entry(name: str, *, tags: tuple[str, ...] = (), **config: Any) -> tuple[str, Any]:
    return name, SimpleNamespace(cfg=config or None, tags=set(tags))


def test_without_covered() -> None:
    index = dict(
        [
            entry("s2_all", group="s2_all", task=["s2_a", "s2_m"]),
            entry("s2_a", task="s2_a"),
            entry("s2_b", task="s2_b"),
            entry("s2_m", task="s2_m", metadata={"covers": ["s2_m_*"]}),
            entry("s2_m_1", task="s2_m_1"),
            entry("s2_tag", tags=("s2_a", "s2_b")),
            entry("all", group="all", task=["a"]),
            entry("a", task="a"),
        ]
    )
    assert without_covered(["s2_all", "s2_a", "s2_b", "s2_m", "s2_m_1"], index) == ["s2_all", "s2_b"]
    assert without_covered(["s2_m_1", "s2_m"], index) == ["s2_m"]
    assert without_covered(["s2_m_1", "s2_a"], index) == ["s2_m_1", "s2_a"]
    assert without_covered(["s2_tag", "s2_a", "s2_b"], index) == ["s2_a", "s2_b"]  # its members are all there
    assert without_covered(["s2_tag", "s2_a"], index) == ["s2_tag", "s2_a"]  # s2_b is in the tag only
    assert without_covered(["all", "a"], index) == ["all", "a"]  # not ours: lm-eval's own rule stands
    assert without_covered([], index) == []


def test_no_model_and_only_our_tasks_is_the_embedded_model(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.config.evaluate_config import EvaluatorConfig

    monkeypatch.setattr("lm_eval.tasks.TaskManager", lambda **_: manager)  # spares the scan of 14,000 files

    def chosen(**options: Any) -> str:
        config = EvaluatorConfig(**options)
        config.process_tasks()
        return config.model

    assert chosen(tasks="s2_*") == "s2"
    assert chosen(tasks="s2_*", model="dummy") == "dummy"
    assert chosen(tasks="s2_*", model_args={"pretrained": "gpt2"}) == "hf"


# --- other processes, other releases ---------------------------------------------------------------------------


def test_a_process_without_lm_eval_pays_nothing() -> None:
    mine, bare = (
        set(json.loads(python("import json, sys; print(json.dumps(list(sys.modules)))", S2EVAL_HOOK=hook)))
        for hook in ("1", "0")
    )
    assert {name for name in mine if name.startswith(("s2eval", "s2train"))} == {"s2eval_hook"}
    assert mine == bare  # the hook itself brings no module
    program = "import os, json, sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import s2eval_hook"
    report = "; print(json.dumps(sorted(set(sys.modules) - before)))"
    command = [sys.executable, "-S", "-c", program + report, str(Path(plugin.__file__).parent.parent)]
    loaded = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert loaded == ["s2eval_hook"]


@pytest.mark.parametrize("first", ["lm_eval.api.registry", "s2eval.tasks.lm_eval_metrics", "s2eval.models.s2"])
def test_nothing_of_lm_evals_is_hidden(first: str) -> None:
    """lm-eval fills its registries when one is asked for and still empty: ours alone in one would hide all others."""
    program = f"""
import {first}
from lm_eval.api.registry import get_aggregation, get_metric, get_model, model_registry
print([get_metric(name) is not None for name in ("acc", "exact_match", "s2_rouge1", "s2_bertscore")])
print([get_aggregation(name) is not None for name in ("mean", "s2_bertscore")])
print(get_model("dummy").__name__, [name in model_registry for name in ("hf", "vllm", "s2")])
"""
    wanted = ["[True, True, True, True]", "[True, True]", "DummyLM [True, True, True]", ""]
    assert python(program).split("\n") == wanted


@pytest.mark.parametrize(
    ("function", "module", "place"),
    [
        ("add_task_folder", "lm_eval.tasks._index", "TaskIndex.build"),
        ("match_each_task_once", "lm_eval.tasks.manager", "TaskManager.match_tasks"),
        ("use_own_stderr", "lm_eval.evaluator_utils", "stderr_for_metric"),
        ("choose_default_model", "lm_eval.config.evaluate_config", "EvaluatorConfig.process_tasks"),
    ],
)
@pytest.mark.parametrize("class_is_there", [True, False])
def test_a_changed_lm_eval_is_a_loud_error(function: str, module: str, place: str, class_is_there: bool) -> None:
    changed = ModuleType(module)
    changed.__file__ = f"{module}.py"
    owner = place.rpartition(".")[0]
    if class_is_there and owner:
        setattr(changed, owner, type(owner, (), {}))
    with pytest.raises(PluginError) as caught:
        getattr(plugin, function)(changed)
    assert f": {module}.{place} is gone." in str(caught.value)
    assert "pip install lm-eval==0.4.13" in str(caught.value)
    assert "S2EVAL_HOOK=0" in str(caught.value)


def test_a_registry_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.api import registry

    monkeypatch.delattr(registry, "model_registry")
    with pytest.raises(PluginError, match=re.escape("lm_eval.api.registry.model_registry is gone.")):
        plugin.register_model(ModuleType("lm_eval.models"))


def test_a_release_that_discovers_entry_points_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.api import registry

    monkeypatch.setattr(registry, "import_plugins", lambda: None, raising=False)
    monkeypatch.delattr(registry, "model_registry")  # would be missed, were anything registered
    plugin.register_model(ModuleType("lm_eval.models"))


def test_outside_a_repository_git_says_nothing(tmp_path: Path) -> None:
    """lm-eval asks git for a commit after every evaluation; it printed `fatal: not a git repository`."""
    program = "from lm_eval.evaluator import get_git_commit_hash as commit; print(commit())"
    asked = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == "None\n"
    assert "fatal" not in asked.stderr


def test_inside_a_repository_the_commit_is_found(tmp_path: Path) -> None:
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    program = "from lm_eval.evaluator import get_git_commit_hash as commit; print(commit())"
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert re.fullmatch(r"[0-9a-f]{7,}\n", asked.stdout), asked
