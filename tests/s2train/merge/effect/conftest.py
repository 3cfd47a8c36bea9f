"""Fixtures of the tests of `s2train merge-effect`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.conftest import loads, restored
from tests.run.runs import Command, Outcome

__all__ = ["loads", "restored"]


@pytest.fixture
def s2train(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process: spares a dozen times the import of torch."""
    from s2train.cli import main

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        out, error = capfd.readouterr()
        assert "Traceback" not in error, error
        return code, out, error

    return call


def program(*arguments: object) -> list[str]:
    """The command line of a process of its own."""
    import sys

    return [str(Path(sys.executable).parent / "s2train"), *map(str, arguments)]
