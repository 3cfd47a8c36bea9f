"""The command line of `s2eval`, in the process of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from s2eval.cli import main
from tests.judge.commands import KEY, Outcome


@pytest.fixture
def s2eval(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """The command line in this process, with a key in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        out, said = capfd.readouterr()
        assert "Traceback" not in said, said
        assert KEY not in out + said
        assert isinstance(left.value.code, int)
        return left.value.code, out, said

    return call
