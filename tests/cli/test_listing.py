"""`ls` and `doctor` for people and for programs."""

from __future__ import annotations

import json

import pytest

from s2eval.cli import main
from s2eval.cli.ls import _LISTS


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("what", list(_LISTS))
def test_ls_as_json(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(printed(capsys, "ls", what, "--json"))
    assert listed[what] == printed(capsys, "ls", what).splitlines()
    assert listed["path"] == printed(capsys, "ls", what, "--path").strip()


def test_doctor_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret")
    text = printed(capsys, "doctor", "--json")
    assert "very-secret" not in text
    checks = json.loads(text)
    assert {"state": "set", "name": "OPENAI_API_KEY", "detail": "", "advice": ""} in checks
    assert printed(capsys, "doctor").count("\n") == len(checks)
