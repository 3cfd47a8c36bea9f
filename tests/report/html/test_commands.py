"""`s2eval report --format html`."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.cli import main
from tests.report.html.made_up import logs


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(str(ended.value.code))


def test_a_page_with_and_without_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, page = str(logs(tmp_path / "logs")), tmp_path / "report.html"
    assert command("report", made, "--format", "html", "--out", str(page)) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert 'id="piece-0-0"' in page.read_text(encoding="utf-8")
    assert command("report", made, "--format", "html", "--no-samples", "--out", str(page)) == 0
    text = page.read_text(encoding="utf-8")
    assert "piece-" not in text
    assert "b&lt;i&gt;" in text  # the second model's name
    assert sorted(one.name for one in tmp_path.iterdir()) == ["logs", "report.html"]


def test_a_page_needs_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("report", str(tmp_path), "--format", "html") == 2
    assert "add --out report.html" in capsys.readouterr().err
    assert command("report", str(tmp_path), "--no-samples") == 2
    assert "--format md does not take --no-samples" in capsys.readouterr().err
