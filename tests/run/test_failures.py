"""What `s2eval run` survives, and what it refuses before anything is evaluated."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from s2eval.cli import main
from s2eval.store import read_scores
from tests.run.runs import Command, write, written

# --- failures --------------------------------------------------------------------------------------------------


@pytest.fixture
def half_broken(tiny_model: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A configuration of two models on two tasks, and the weights of the first, which were cut off.

    In PyTorch's own format, which only loading shows to be broken.
    """
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    weights = broken / "pytorch_model.bin"
    torch.save(load_file(broken / "model.safetensors"), weights)
    (broken / "model.safetensors").unlink()
    shutil.copy(weights, tmp_path / "whole.bin")
    weights.write_bytes(weights.read_bytes()[:-1000])
    config = write(
        tmp_path / "two.yaml",
        models=[str(broken), {"model": str(tiny_model), "name": "good"}],
        tasks=["s2demo_hellaswag", "s2demo_truthfulqa_mc2"],
        limit=1,
        out=str(tmp_path / "run"),
    )
    return config, weights


def test_keep_going_keeps_what_succeeded(half_broken: tuple[Path, Path], tmp_path: Path, s2eval: Command) -> None:
    config, weights = half_broken
    run = tmp_path / "run"
    code, out, said = s2eval("run", config, "--keep-going")
    assert (code, out) == (3, f"{run / 'report.html'}\n")
    *_, count, first, second, advice = said.splitlines()
    assert count == "error: 2 failed:"
    assert first.startswith("  broken/s2demo_hellaswag: ")
    assert f"{weights.parent}: cannot be loaded" in first
    assert second.startswith("  broken/s2demo_truthfulqa_mc2: ")
    assert advice == f"The rest is kept; to try these again: s2eval run {config} --keep-going"
    assert {row.model for row in read_scores(run / "scores.csv")} == {"good"}
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "Not finished, so not in the tables: broken/s2demo_hellaswag, broken/s2demo_truthfulqa_mc2." in report

    shutil.copy(tmp_path / "whole.bin", weights)
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


def test_debug_shows_where_an_error_came_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", str(tmp_path / "none.yaml"), "--debug"])
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert "Traceback (most recent call last):" in printed
    assert "s2eval/files/yamlfile.py" in printed or "s2eval/files" in printed


def test_a_folder_that_differs_by_case_only_is_refused(small: Path, tmp_path: Path, s2eval: Command) -> None:
    """On macOS and Windows both would be one folder, and one model's results the other's."""
    (tmp_path / "run" / "TINY").mkdir(parents=True)
    code, _, said = s2eval("run", small, "--out", tmp_path / "run")
    assert code == 2
    assert "there is 'TINY' already, which differs by case or Unicode form only" in said
    (tmp_path / "run" / "TINY").rename(tmp_path / "run" / "tiny")
    (tmp_path / "run" / "tiny" / "S2demo_mmlu").mkdir()
    code, _, said = s2eval("run", small, "--out", tmp_path / "run", "--status")
    assert code == 2
    assert "there is 'S2demo_mmlu' already" in said
    assert list((tmp_path / "run").glob("*/*/unit.json")) == []
