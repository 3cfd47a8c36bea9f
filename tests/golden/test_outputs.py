"""What the commands print of folders that version 0.1.0 wrote: held in `outputs/`, one file a command.

An output that changes on purpose is written anew by `S2_UPDATE_GOLDEN=1 pytest tests/golden`, and the commit shows how.
`0.1.0.tar.xz` holds the script that made it, `make.py`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMMANDS = {
    "report-md": "s2eval report run",
    "report-tex": "s2eval report run --format tex",
    "report-csv": "s2eval report run --format csv",
    "report-paper": "s2eval report run --reference paper",
    "report-mtbench": "s2eval report run mtbench",
    "report-lm-eval": "s2eval report lm_eval",
    "compare-md": "s2eval compare run --baseline base --model sft --model merged",
    "compare-json": "s2eval compare run --baseline base --model sft --model merged --format json",
    "mtbench-score": "s2eval mtbench score --judgments mtbench/base/mtbench/judge-1/judgments.jsonl",
    "mtbench-score-json": "s2eval mtbench score --judgments mtbench/merged-qdq/mtbench/judge-1/judgments.jsonl "
    "--parser fastchat --format json",
    "score-readability": "s2eval score readability predictions.jsonl",
    "score-rouge": "s2eval score rouge predictions.jsonl --format json",
    "run-status": "s2eval run configs/run.yaml --status",
    "sft-dry-run": "s2train sft configs/sft.yaml out=new --dry-run",
    "reward-dry-run": "s2train reward configs/reward.yaml out=new --dry-run",
    "dpo-dry-run": "s2train dpo configs/dpo.yaml out=new --dry-run",
    "ppo-dry-run": "s2train ppo configs/ppo.yaml out=new --dry-run",
    "merge-dry-run": "s2train merge --base base --adapter checkpoints/dpo --method qdq --out new --dry-run",
}
_TIME = re.compile(r"(time, estimated .*?:) .*")  # of this machine


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archive; nothing writes into it."""
    out = tmp_path_factory.mktemp("golden") / "0.1.0"
    with tarfile.open(HERE / "0.1.0.tar.xz") as archive:
        archive.extractall(out, filter="data")
    rows = (json.dumps({"prediction": answer, "reference": reference}) + "\n" for answer, reference in PREDICTIONS)
    (out / "predictions.jsonl").write_text("".join(rows), encoding="utf-8")
    return out


PREDICTIONS = (
    ("The sky is blue because air scatters blue light.", "Air scatters short waves of light more than long ones."),
    ("Bees make honey from nectar. They eat it in winter.", "Honey is what bees store of nectar for the winter."),
    ("", "Nothing was answered here."),
)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_what_it_printed(
    name: str, folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folders)
    monkeypatch.setenv("COLUMNS", "120")
    program, *arguments = shlex.split(COMMANDS[name])
    if program == "s2eval":
        from s2eval.cli import main
    else:
        from s2train.cli import main
    with pytest.raises(SystemExit) as left:
        main(arguments)
    printed = f"$ {COMMANDS[name]}\n{capsys.readouterr().out}exit {left.value.code}\n"
    printed = _TIME.sub(r"\1 …", printed).replace(str(folders), "FOLDER")
    golden = HERE / "outputs" / f"{name}.txt"
    if os.environ.get("S2_UPDATE_GOLDEN"):
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")
