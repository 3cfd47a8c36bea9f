"""`measured.json` of `s2eval merge-effect`: read back where it is what was written, measured again otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2eval import store
from s2train.merge.effect import Measured, Predictions, Weights, job
from s2train.merge.effect.records import Matrix, Pair

MEASURED = Measured(
    Weights((Matrix("layers.0.q_proj", None, "q_proj", 0.1, 1 / 3, {"bf16": 1e-7}),)),
    Predictions(("Why?",), (0, 0), (Pair("as-trained", "bf16", (1e-9, 0.25), (True, False)),), {}, "float32"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    content = job._File(key="k", measured=MEASURED).model_dump(mode="json", exclude={"sha256"})
    store.write_sealed(tmp_path / "measured.json", content)
    return tmp_path / "measured.json"


def test_it_is_read_back(path: Path) -> None:
    said: list[str] = []
    assert job._read(path, "k", said.append) == MEASURED
    assert job._read(path, "another", said.append) is None
    assert job._read(path.with_name("nothing.json"), "k", said.append) is None
    assert said == []


@pytest.mark.parametrize(("old", "new"), [("0.25", "0.75"), ('"k"', '"l"'), ("{", "")])
def test_a_changed_file_is_measured_again(path: Path, old: str, new: str) -> None:
    said: list[str] = []
    path.write_text(path.read_text().replace(old, new, 1))
    assert job._read(path, "k", said.append) is None
    assert said == [f"{path} is broken: it was changed since it was written; measuring again"]


def test_that_of_version_0_1_0_is_read(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert job._read(path, "k", lambda _: None) == MEASURED
