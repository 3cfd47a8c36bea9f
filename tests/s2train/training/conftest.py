"""A base and a folder of data that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.s2train.training import tiny


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Path:
    return tiny.base(tmp_path_factory.mktemp("training") / "base", smollm2)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.data(tmp_path_factory.mktemp("training") / "data")


@pytest.fixture(scope="session")
def sft(tmp_path_factory: pytest.TempPathFactory, base: Path, data: Path) -> Path:
    """An SFT adapter of the base."""
    folder = tmp_path_factory.mktemp("training")
    return tiny.train("sft", tiny.recipe("sft", base, data, folder / "sft"), folder).out


@pytest.fixture(scope="session")
def reward(tmp_path_factory: pytest.TempPathFactory, base: Path, data: Path) -> Path:
    """A reward model of the base: plain words against `notwithstanding`."""
    folder = tmp_path_factory.mktemp("reward")
    return tiny.train("reward", tiny.recipe("reward", base, data, folder / "plain", num_train_epochs=4), folder).out
