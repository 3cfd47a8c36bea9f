"""A base, a folder of data, an SFT adapter and a reward model that the tests of the command share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.s2train.training import tiny


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Path:
    return tiny.base(tmp_path_factory.mktemp("ppo") / "base", smollm2)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.data(tmp_path_factory.mktemp("ppo") / "data")


@pytest.fixture(scope="session")
def sft(tmp_path_factory: pytest.TempPathFactory, base: Path, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("ppo")
    return tiny.train("sft", tiny.recipe("sft", base, data, folder / "sft"), folder).out


@pytest.fixture(scope="session")
def reward(tmp_path_factory: pytest.TempPathFactory, base: Path, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("ppo")
    return tiny.train("reward", tiny.recipe("reward", base, data, folder / "reward"), folder).out
