"""`s2eval run --status` answers from the plan in the run's folder, unless anything it was made from has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval.run import stored_plan
from tests.run.runs import TASKS, Command, program, write


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a run is planned from now on."""
    from s2eval.run import plan

    calls: list[int] = []
    original = plan.plan

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(plan, "plan", counted)
    return calls


def status(s2eval: Command, config: Path, run: Path, *more: object) -> list[str]:
    code, out, said = s2eval("run", config, "--out", run, "--status", *more)
    assert code == 0, said
    return out.splitlines()


def test_it_is_used_and_loads_nothing_heavy(small: Path, copied: Path) -> None:
    """In a copy of the folder too: what is in it is looked up there."""
    command = program("run", small, "--out", copied, "--status")
    code = (
        "import sys; from s2eval.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(sorted(sys.modules), file=sys.stderr)"
    )
    for _ in range(2):  # the first call may have to plan: S2_DATA_DIR differs between tests
        asked = subprocess.run([sys.executable, "-c", code, *command[1:]], capture_output=True, text=True)
    lines = asked.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [f"done   tiny/{task}" for task in TASKS]
    assert lines[-1] == f"5 of 5 units done in {copied}"
    assert not {name for name in ("torch", "transformers", "lm_eval", "datasets") if f"{name!r}" in asked.stderr}


def test_what_has_changed_since_is_told(small: Path, copied: Path, s2eval: Command, planned: list[int]) -> None:
    before = status(s2eval, small, copied)
    planned.clear()
    assert status(s2eval, small, copied) == before
    assert status(s2eval, small, copied, "--only", "*arc*") == [before[0], f"1 of 1 units done in {copied}"]
    assert planned == []
    (path,) = (copied / "tiny" / TASKS[0]).glob("samples_*.jsonl")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0", b"9", 1))  # as long as before
    assert status(s2eval, small, copied)[0].startswith(f"broken tiny/{TASKS[0]}")
    path.write_bytes(content)
    shutil.rmtree(copied / "tiny" / TASKS[1])
    assert status(s2eval, small, copied)[1].startswith(f"to do  tiny/{TASKS[1]}")
    assert planned == []


def test_other_inputs_are_planned_anew(
    small: Path, copied: Path, tiny_model: Path, s2eval: Command, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = yaml.safe_load(small.read_text(encoding="utf-8"))
    settings["models"][0] |= {"model": str(shutil.copytree(tiny_model, copied / "elsewhere")), "name": "tiny"}
    config = write(copied / "moved.yaml", **settings)
    assert status(s2eval, config, copied)[-1].startswith("5 of 5")
    planned.clear()

    def anew(*more: object) -> str:
        """The last line; planned once, and kept."""
        last = status(s2eval, config, copied, *more)[-1]
        assert planned == [1]
        assert status(s2eval, config, copied, *more)[-1] == last
        assert planned == [1]
        planned.clear()
        return last

    assert anew("--limit", "1").startswith("0 of 5")
    weights = copied / "elsewhere" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")  # as long as before
    assert anew().startswith("0 of 5")
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "present")
    anew()
    monkeypatch.chdir(copied)
    anew()
    stored = copied / stored_plan.FILE
    stored.write_text(stored.read_text().replace('"documents": 2', '"documents": 3', 1))
    anew()
    stored.write_text("[" * 100_000)
    anew()


def test_no_secret_is_kept(small: Path, copied: Path, s2eval: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2_SOMETHING_KEY", "sk-secret")
    status(s2eval, small, copied)
    content = json.loads((copied / stored_plan.FILE).read_text(encoding="utf-8"))
    assert set(content) == {"format", "watched", "inputs", "units", "judges", "files", "sha256"}
    assert "sk-secret" not in json.dumps(content)


def test_an_error_in_a_new_configuration_is_told(small: Path, copied: Path, s2eval: Command) -> None:
    settings = yaml.safe_load(small.read_text(encoding="utf-8")) | {"tasks": ["s2demo_elli5"]}
    code, _, said = s2eval("run", write(copied / "wrong.yaml", **settings), "--out", copied, "--status")
    assert code == 2
    assert "unknown task 's2demo_elli5'; did you mean 's2demo_eli5'?" in said
