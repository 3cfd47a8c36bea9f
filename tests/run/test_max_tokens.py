"""`max_tokens` of a run: answers are cut there, and results under another limit are others."""

from __future__ import annotations

import json
from pathlib import Path

from tests.run.runs import Command, write


def test_answers_end_at_the_limit(s2eval: Command, tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    config = write(
        tmp_path / "cut.yaml",
        models=[str(tiny_model)],
        tasks=["s2demo_eli5"],
        limit=2,
        max_tokens=5,
        metrics=["readability"],
        out=str(tmp_path / "run"),
    )
    code, _, error = s2eval("run", config)
    assert code == 0, error
    assert "s2_rouge1" not in error  # the run shows readability only
    (samples,) = (tmp_path / "run").glob("*/s2demo_eli5/samples_*.jsonl")
    answers = [json.loads(line)["resps"][0][0] for line in samples.read_text(encoding="utf-8").splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    lengths = [len(tokenizer(answer, add_special_tokens=False).input_ids) for answer in answers]
    assert max(lengths) <= 5, answers
    longer = s2eval("run", config, "max_tokens=6", "--status")[1]
    assert longer.endswith(f"0 of 1 units done in {tmp_path / 'run'}\n"), longer


def test_where_no_task_generates_it_is_an_error(s2eval: Command, tiny_model: Path, tmp_path: Path) -> None:
    code, _, error = s2eval(
        "run", tiny_model, "--tasks", "s2demo_mmlu", "--out", tmp_path / "run", "max_tokens=5", "--dry-run"
    )
    assert code == 2, error
    assert "max_tokens would change nothing: no task of this run generates text" in error
