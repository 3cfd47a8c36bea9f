"""What both programs share: every command has help with examples, `-h`, `-v`, `-q`; versions; completion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.text import Text

import s2eval
import s2train
from s2eval.cli import app, main
from s2train.cli import app as training_app
from s2train.cli import main as train_main


def commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group, with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = [
    *commands(typer.main.get_command(app), ("s2eval",)),
    *commands(typer.main.get_command(training_app), ("s2train",)),
]


def run(*words: str) -> int:
    program = {"s2eval": main, "s2train": train_main}[words[0]]
    with pytest.raises(SystemExit) as left:
        program(words[1:])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_every_command_explains_itself(words: tuple[str, ...], command: Any) -> None:
    assert command.help
    assert command.epilog.startswith("Examples:\n  ")
    options = {name for parameter in command.params for name in parameter.opts}
    assert {"--verbose", "-v", "--quiet", "-q", "--debug"} <= options
    for text in (command.help, *(parameter.help or "" for parameter in command.params)):
        assert Text.from_markup(text).plain == text, "rich would take a part of it for markup"


@pytest.mark.parametrize("words", [("s2eval", "run"), ("s2eval", "mtbench"), ("s2train", "sft"), ("s2train", "data")])
def test_h_is_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words, "-h") == 0
    short = capsys.readouterr().out
    assert run(*words, "--help") == 0
    assert capsys.readouterr().out == short
    assert "Usage:" in short


def test_types_are_readable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    run("s2eval", "mtbench", "run", "-h")
    printed = capsys.readouterr().out
    assert "--questions" in printed
    for leaked in ("<path>", "<int>", "<str>", "<float>"):
        assert leaked not in printed


@pytest.mark.parametrize("program", ["s2eval", "s2train"])
def test_version(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program, "--version") == 0
    assert capsys.readouterr().out == f"{program} {s2eval.__version__}\n"
    assert s2train.__version__ == s2eval.__version__


@pytest.mark.parametrize("program", ["s2eval", "s2train"])
def test_completion(program: str) -> None:
    environment = {
        **os.environ,
        f"_{program.upper()}_COMPLETE": "complete_bash",
        "COMP_WORDS": f"{program} m",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([sys.executable, "-m", program], env=environment, capture_output=True, text=True)
    assert "merge" in done.stdout if program == "s2train" else "mtbench" in done.stdout


def test_a_command_that_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("s2eval", "reprot") == 2
    assert "Did you mean 'report'?" in capsys.readouterr().err
