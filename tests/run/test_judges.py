"""`judges:` of a run: every model judged after its tasks, resumed, chosen by `--only`, and in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.llm.faults import error, serve
from tests.run.runs import Command, rows, write


@pytest.fixture
def judged(tiny_model: Path, tmp_path: Path) -> Path:
    """A model that judges itself, with six questions."""
    return write(
        tmp_path / "judged.yaml",
        models=[{"model": str(tiny_model), "name": "tiny", "template": "s2"}],
        tasks=["s2demo_eli5"],
        metrics=["readability"],
        limit=2,
        judges=[{"judge": str(tiny_model), "limit": 6, "max_tokens": 8, "judge_max_tokens": 8}],
    )


def test_a_run_with_a_judge(s2eval: Command, judged: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, _ = s2eval("run", judged, "--out", out, "--status")
    assert code == 0
    assert f"to do  tiny/mtbench/{tiny_model.name}: 6 questions, 24 calls" in said  # 12 answers, 12 judgments
    assert s2eval("run", judged, "--out", out)[0] == 0
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "MT(S)-Bench, judged by" in report
    assert "12 of 12 verdicts could not be read (no verdict 12)" in report  # it stammers
    row = rows(out)["s2_mtsbench", "", "s2_judge_score"]
    assert (row.value, row.n_valid) == (None, 0)
    code, said, _ = s2eval("run", judged, "--out", out, "--status")
    assert f"done   tiny/mtbench/{tiny_model.name}: 6 questions, 0 calls" in said
    assert "Table 4" in report


def test_status_of_judges_from_the_stored_plan(
    s2eval: Command, judged: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while there is something left to judge, and where the numbers were changed."""
    from s2eval.run import plan

    out = tmp_path / "out"
    assert s2eval("run", judged, "--out", out, "--only", "s2demo_eli5")[0] == 0
    monkeypatch.setattr(plan, "plan", lambda *_: pytest.fail("planned anew"))
    name = f"tiny/mtbench/{tiny_model.name}"
    _, said, _ = s2eval("run", judged, "--out", out, "--status")
    assert f"to do  {name}: 6 questions; --dry-run counts the calls" in said
    monkeypatch.undo()
    assert s2eval("run", judged, "--out", out)[0] == 0
    monkeypatch.setattr(plan, "plan", lambda *_: pytest.fail("planned anew"))
    assert f"done   {name}: 6 questions, 0 calls" in s2eval("run", judged, "--out", out, "--status")[1]
    path = next((out / "tiny" / "mtbench").rglob("single.json"))
    path.write_text(path.read_text(encoding="utf-8").replace('"questions": 6', '"questions": 7'), encoding="utf-8")
    _, said, _ = s2eval("run", judged, "--out", out, "--status")
    assert f"broken {name}: 6 questions; single.json: " in said


def test_only_the_judge(s2eval: Command, judged: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert s2eval("run", judged, "--out", out, "--only", "mtbench")[0] == 0
    assert not (out / "tiny" / "s2demo_eli5").exists()
    assert "MT(S)-Bench, judged by" in (out / "report.md").read_text(encoding="utf-8")
    lines = (out / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert s2eval("run", judged, "--out", out, "--only", "mtbench")[0] == 0  # what `scores.csv` held is not added again
    assert (out / "scores.csv").read_text(encoding="utf-8").splitlines() == lines
    assert len(lines) == len(set(lines))


def test_two_judges_of_one_name_are_refused(s2eval: Command, tiny_model: Path, tmp_path: Path) -> None:
    judges = [{"judge": str(tiny_model)}, {"judge": str(tiny_model), "repeats": 2}]
    config = write(tmp_path / "run.yaml", models=[str(tiny_model)], tasks=["s2demo_eli5"], judges=judges)
    code, _, said = s2eval("run", config, "--out", tmp_path / "out", "--status")
    assert code == 2
    assert "two judges would write into" in said


def test_the_task_needs_a_judge(s2eval: Command, tiny_model: Path, tmp_path: Path) -> None:
    config = write(tmp_path / "run.yaml", models=[str(tiny_model)], tasks=["s2_mtsbench"])
    code, _, said = s2eval("run", config, "--out", tmp_path / "out")
    assert code == 2
    assert "judges:" in said


def test_a_wrong_judge_is_told(s2eval: Command, tiny_model: Path, tmp_path: Path) -> None:
    judges = [{"judge": "openai:gpt-4", "repeat": 2}]
    config = write(tmp_path / "run.yaml", models=[str(tiny_model)], tasks=["s2demo_eli5"], judges=judges)
    code, _, said = s2eval("run", config, "--out", tmp_path / "out")
    assert code == 2
    assert "judges.0.repeat: unknown key; did you mean 'repeats'?" in said


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ({"base_url": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1 cannot be reached"),
        ({"base_url": "http://127.0.0.1:9/v1", "max_cost": 1}, "--max-cost: no price known for gpt-none"),
        ({"base_url": "https://api.openai.com/v1"}, "no key for https://api.openai.com/v1"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_known_before_the_first_unit(
    s2eval: Command,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    judge: dict[str, object],
    message: str,
    dry: tuple[str, ...],
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    judges = [{"judge": "openai:gpt-none", "limit": 6, "judge_temperature": 1, **judge}]
    config = write(tmp_path / "run.yaml", models=[str(tiny_model)], tasks=["s2demo_eli5"], judges=judges)
    code, _, said = s2eval("run", config, "--out", tmp_path / "out", "--keep-going", *dry)
    assert code not in (0, 3)
    assert message in said
    assert not (tmp_path / "out").exists()


def test_a_password_in_a_url_is_in_no_file(s2eval: Command, tiny_model: Path, tmp_path: Path) -> None:
    with serve(error(400, "no")) as server:
        url = server.url.replace("http://", "http://me:canary-password@")
        config = write(
            tmp_path / "run.yaml",
            models=[{"model": str(tiny_model), "template": "s2"}],
            tasks=["s2demo_eli5"],
            metrics=["readability"],
            limit=2,
            judges=[{"judge": "openai:judge", "base_url": url, "limit": 6, "max_tokens": 8}],
        )
        out = tmp_path / "out"
        code, printed, said = s2eval("run", config, "--out", out)
    assert code == 3
    assert "canary-password" not in printed + said
    files = [path for path in out.rglob("*") if path.is_file()]
    assert out / "run.yaml" in files
    assert [path for path in files if b"canary-password" in path.read_bytes()] == []
