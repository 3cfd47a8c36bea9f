"""Commands of `s2eval` that other packages bring by an entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from s2eval.cli import main, plugins
from tests import packages

PACKAGE = """
import typer
app = typer.Typer()
@app.command()
def wave(to: str = "you"):
    "Wave to somebody."
    typer.echo(f"waving to {to}")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the group `s2eval.commands` another entry point, as a package that is installed would."""

    def call(line: str) -> None:
        packages.install(tmp_path, monkeypatch, "waving_package", PACKAGE, **{plugins.GROUP: line})
        plugins._points.cache_clear()

    yield call  # pyright: ignore
    sys.modules.pop("waving_package", None)
    plugins._points.cache_clear()


def s2eval(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code


def test_it_is_listed_and_called(install: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    install("wave = waving_package:app")
    assert s2eval("--help") == 0
    assert "Wave to somebody." in capsys.readouterr().out
    assert s2eval("wave", "--to", "her") == 0
    assert capsys.readouterr().out == "waving to her\n"


def test_one_that_cannot_be_loaded(install: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    install("wave = waving_package:missing")
    assert s2eval("wave") == 1
    assert "error: the command wave (waving_package:missing) cannot be loaded" in capsys.readouterr().err


def test_merge_effect_under_its_old_name(
    install: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    install("merge-effect = s2train.cli.merge_effect:alias")
    assert s2eval("merge-effect", "--adapter", str(tmp_path / "missing"), "--base", str(tmp_path)) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("note: s2eval merge-effect is now called s2train merge-effect")
    assert "missing" in said
    assert s2eval("--help") == 0
    assert "merge-effect" not in capsys.readouterr().out
