"""A question set of another package: a folder and an entry in the table, and every command knows it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s2eval import paths
from s2eval.errors import UnknownNameError
from s2eval.judge.suite.definition import SUITES, SuiteFolder, load
from tests.judge.commands import Outcome


@pytest.fixture
def own_suite(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "plainbench"
    shutil.copytree(paths.judges() / "mtsbench", folder)
    file = folder / "judge.yaml"
    file.write_text(file.read_text("utf-8").replace("name: mtsbench", "name: plainbench"), "utf-8")
    SUITES.register(SuiteFolder("plainbench", folder))
    yield "plainbench"
    SUITES.remove("plainbench")


def test_a_suite_from_outside_is_listed_loaded_and_suggested(s2eval: Callable[..., Outcome], own_suite: str) -> None:
    code, out, _ = s2eval("ls", "judges")
    assert code == 0
    assert f"{own_suite} (version" in out
    assert load(own_suite).name == own_suite
    with pytest.raises(UnknownNameError, match="did you mean 'plainbench'"):
        load("plainbenhc")
