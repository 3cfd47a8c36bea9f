"""A kind of model of another package: parsed in runs and mtbench, listed and suggested; no file of ours knows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.errors import UnknownNameError
from s2eval.models import MODEL_KINDS, kind_of, parse
from tests.packages import install, look_again
from tests.run.conftest import restored, s2eval  # noqa: F401
from tests.run.runs import Command, rows, write

SOURCE = """
from pathlib import Path
from s2eval.models import ModelKind, ModelSpec

def spec(name, text):
    return ModelSpec(text, str(Path(__file__).parent / name))

SHELF = ModelKind("shelf", "shelf:NAME", spec=spec)
"""


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "tiny").symlink_to(tiny_model, target_is_directory=True)
    install(folder, monkeypatch, "shelves", SOURCE, s2eval__model_kinds="shelf = shelves:SHELF")
    look_again(MODEL_KINDS, monkeypatch)
    return folder


def test_it_is_parsed(shelf: Path) -> None:
    assert parse("shelf:tiny").pretrained == str(shelf / "tiny")


def test_it_is_listed_and_in_the_help(s2eval: Command) -> None:  # noqa: F811
    assert "shelf:NAME" in s2eval("ls", "models")[1].splitlines()
    assert "shelf:NAME" in s2eval("mtbench", "run", "--help")[1]


def test_it_is_suggested(s2eval: Command, tmp_path: Path) -> None:  # noqa: F811
    config = write(tmp_path / "run.yaml", models=["shelv:tiny"], tasks=["s2demo_eli5"])
    code, _, error = s2eval("run", config, "--dry-run")
    assert code == 2
    assert "unknown model kind 'shelv'; did you mean 'shelf'? See: s2eval ls models" in error
    assert "did you mean 'shelf'?" in s2eval("mtbench", "--model", "shelv:tiny", "--dry-run")[2]


def test_a_run_evaluates_it(s2eval: Command, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    config = write(tmp_path / "run.yaml", models=["shelf:tiny"], tasks=["s2demo_hellaswag"], limit=2)
    code, _, error = s2eval("run", config, "--out", run)
    assert code == 0, error
    assert any(row.n_valid == 2 for row in rows(run).values())


def test_mtbench_asks_it_and_judges_with_it(s2eval: Command, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "judged"
    given = ("--model", "shelf:tiny", "--judge", "shelf:tiny", "--limit", "1", "--max-tokens", "4", "--out", out)
    _, _, error = s2eval("mtbench", *given, "--judge-max-tokens", "4")
    assert "Traceback" not in error
    (judged,) = out.rglob("single.json")
    assert "shelf:tiny" in judged.read_text("utf-8")


def test_a_folder_with_a_colon_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="unknown model kind 'adaptor'; did you mean 'adapter'"):
        kind_of("adaptor:sft")
    Path("adaptor:sft").mkdir()
    assert kind_of("adaptor:sft")[0].name == "checkpoint"
