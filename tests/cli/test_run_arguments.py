"""`s2eval run` with models instead of a file, and `key=value`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2eval.cli import main
from s2eval.errors import UsageError
from s2eval.run.settings import load, split_arguments


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["run", *map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_what_stands_on_the_command_line() -> None:
    assert split_arguments(["paper.yaml", "limit=8"]) == (Path("paper.yaml"), [], ["limit=8"])
    assert split_arguments(["a", "adapter:b", "bertscore.encoder=minilm"]) == (
        None,
        ["a", "adapter:b"],
        ["bertscore.encoder=minilm"],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to evaluate"),
        (["limit=8"], "nothing to evaluate"),
        (["a.yaml", "b.yml"], "one configuration at a time, got a.yaml, b.yml"),
        (["a.yaml", "smollm2"], "a.yaml names its own models; leave out smollm2"),
    ],
)
def test_what_is_wrong_there(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split_arguments(arguments)


def test_models_need_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("smollm2") == 2
    assert "--tasks is missing" in capsys.readouterr().err
    assert load(None, ["a"], {}, ["tasks=s2_eli5"]).tasks == ["s2_eli5"]


def test_a_run_has_the_name_of_its_models_and_tasks() -> None:
    assert load(None, ["org/Some-7b"], {"tasks": ["s2_eli5"]}).name == "Some-7b-s2_eli5"
    assert load(None, ["a", "b", "c"], {"tasks": ["s2_*", "x"]}).name == "a_and_2_more-s2___and_1_more"


def test_overrides_go_into_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("models: [a]\ntasks: [s2_eli5]\nlimit: 3\n")
    settings = load(file, [], {"limit": 4, "tasks": None}, ["batch_size=2", "bertscore.encoder=minilm", "template=007"])
    assert (settings.limit, settings.batch_size, settings.template) == (4, 2, "007")
    assert settings.bertscore.encoder == "minilm"
    assert load(file, [], {"limit": 4}, ["limit=5"]).limit == 5  # what is typed last and most exactly


def test_an_unknown_key_says_which_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("models: [smollm2]\ntasks: [s2demo_eli5]\n")
    assert run(file, "batchsize=2", "--status") == 2
    printed = capsys.readouterr().err
    assert "batchsize: unknown key" in printed
    assert "batch_size" in printed
    assert "pydantic" not in printed


def test_status_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("smollm2", "--tasks", "s2demo_eli5", "--limit", "2", "--out", tmp_path / "run", "--status", "--json")
    assert run(*words) == 0
    assert json.loads(capsys.readouterr().out) == {
        "out": str(tmp_path / "run"),
        "parts": [
            {
                "state": "to do",
                "name": "smollm2/s2demo_eli5",
                "size": "2 documents, 2 requests",
                "problem": "",
                "unit": True,
            }
        ],
    }
