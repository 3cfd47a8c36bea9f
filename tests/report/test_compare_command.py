"""`s2eval compare` from folders to text and exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from s2eval.api.comparison import sides
from s2eval.cli import main
from s2eval.report.compare import Side
from s2eval.report.read.items import LogContents, Scored
from s2eval.stats import tango_interval
from tests.report import lm_eval_logs

BETTER = [1.0] * 30 + [0.0] * 10
WORSE = [0.0] * 12 + [1.0] * 18 + [0.0] * 10


def compare(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main(["compare", *map(str, arguments)])
    return left.value.code if isinstance(left.value.code, int) else -1


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for model, values in (("base", WORSE), ("tuned", BETTER), ("copy", WORSE)):
        lm_eval_logs.write(tmp_path, model, {"quiz": lm_eval_logs.lines("acc", values)})
    return tmp_path


def test_against_a_baseline(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(logs, "--baseline", "base", "--model", "tuned", "--model", "copy") == 0
    text = capsys.readouterr().out
    lines = [line for line in text.splitlines() if line.startswith("| quiz")]
    assert len(lines) == 2
    # 30 of 40 against 18 of 40, all 12 that differ for the same: p = 2⁻¹², times 2
    low, high = (100 * float(bound) for bound in tango_interval(12, 0, 40))
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == [
        "quiz, acc, %",
        "tuned",
        "base",
        "75.00",
        "45.00",
        "+30.00",
        f"[{low:+.2f}, {high:+.2f}]",
        "< 0.001",
        "40",
        "difference shown: higher",
    ]
    assert "the same on every document" in lines[1]
    assert "One training seed of base, tuned, copy" in text


def test_every_pair_without_a_baseline(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(logs, "--format", "json") == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    pairs = [(row["baseline"], row["model"], row["verdict"]) for row in table["rows"]]
    assert [pair[:2] for pair in pairs] == [("base", "copy"), ("base", "tuned"), ("copy", "tuned")]
    assert pairs[2][2] == "difference shown: higher"
    row = table["rows"][1]
    assert row["difference"]["estimate"]["value"] == pytest.approx(30.0)
    assert row["difference"]["p"] == pytest.approx(2**-12)
    assert row["adjusted"] == pytest.approx(3 * 2**-12)


def test_to_a_file(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "compared.md"
    assert compare(logs, "--baseline", "base", "--out", out) == 0
    assert capsys.readouterr().out == ""
    assert out.read_text().startswith("# Comparison\n")


def test_what_is_refused_is_told_and_ends_with_3(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("base", "tuned"):
        rows = lm_eval_logs.lines("acc", [1.0, 0.0], prompt=model)
        lm_eval_logs.write(logs / "more", model, {"other": rows})
    assert compare(logs, "--baseline", "base", "--model", "tuned") == 3
    told = capsys.readouterr()
    assert "## Not compared" in told.out
    assert "tuned against base, other: prompts of 2 (0, 1) of 2 documents (base and tuned)" in told.out
    assert "1 comparison refused" in told.err


def test_nothing_can_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version, model in enumerate(("base", "tuned"), 1):
        lm_eval_logs.write(tmp_path, model, {"quiz": lm_eval_logs.lines("acc", [1.0, 0.0])}, version=version)
    assert compare(tmp_path, "--baseline", "base") == 2
    assert "tuned against base, quiz: task version: 1 (base) and 2 (tuned)" in capsys.readouterr().err


def test_names(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(logs, "--baseline", "tunde") == 2
    assert "unknown model 'tunde'; did you mean 'tuned'?" in capsys.readouterr().err
    assert compare(logs, "--model", "base") == 2
    assert "needs two models" in capsys.readouterr().err
    assert compare(logs / "missing") == 2
    assert "no such folder" in capsys.readouterr().err


def test_nothing_heavy_is_imported(logs: Path) -> None:
    code = (
        "import sys; from s2eval.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'transformers', 'lm_eval', 'pandas', 'scipy.stats') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "compare", str(logs), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout[-500:] + done.stderr[-500:]


def test_a_group_of_seeds_is_named_like_a_model() -> None:
    seeds = [Scored(f"eli5-{n}", "quiz", (), group="eli5", seed=n) for n in (1, 2)]
    found = LogContents((Scored("base", "quiz", ()), *seeds))
    assert sides(found, "base", ["eli5"]) == [(Side("base", ("base",)), Side("eli5", ("eli5-1", "eli5-2")))]
    assert sides(found, "eli5", []) == [(Side("eli5", ("eli5-1", "eli5-2")), Side("base", ("base",)))]
    assert [side.name for _, side in sides(found, "base", [])] == ["eli5-1", "eli5-2"]
