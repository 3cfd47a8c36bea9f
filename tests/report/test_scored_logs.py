"""Folders of every kind become models' scores by item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval import store
from s2eval.errors import DataError
from s2eval.report.read import item_scores
from tests.report import lm_eval_logs, test_inspect_log, test_rated


def test_plain_lm_eval(tmp_path: Path) -> None:
    rows = lm_eval_logs.points("acc", [1.0, 0.0], stratum="anatomy")
    folder = lm_eval_logs.write(tmp_path, "org__tiny", {"s2_mmlu": rows}, version=2.0, chat_template_sha="c0ffee")
    (found,) = item_scores.read([folder]).scored
    assert (found.model, found.task, found.source) == ("org__tiny", "s2_mmlu", str(folder))
    assert found.conditions == {"task version": "2", "shots": "0", "template": "c0ffee"}
    assert [(item.key, item.prompt, item.stratum) for item in found.items] == [
        ("d0", "p0", "anatomy"),
        ("d1", "p1", "anatomy"),
    ]
    assert found.items[0].values == {"acc": 1.0, "leaderboard_pct": 100.0}


def test_averages_without_samples(tmp_path: Path) -> None:
    folder = lm_eval_logs.write(tmp_path, "m", {"quiz": lm_eval_logs.lines("acc", [1.0])}, log_samples=False)
    (found,) = item_scores.read([folder]).scored
    assert (found.items, found.averages) == ((), ("acc",))


def test_a_document_that_is_there_twice(tmp_path: Path) -> None:
    rows = [lm_eval_logs.line(n, document="same", acc=float(n)) for n in range(3)]
    (found,) = item_scores.read([lm_eval_logs.write(tmp_path, "m", {"quiz": rows})]).scored
    assert [item.key for item in found.items] == ["same", "same, time 2", "same, time 3"]


def run(folder: Path, **config: Any) -> Path:
    """A run of two models on two tasks; the second model lacks one, which is told as unfinished."""
    models = [{"name": "a", "model": "x", "group": "recipe", "seed": 1}, {"name": "b", "model": "y"}]
    content = {"name": "run", "models": models, "tasks": ["s2_eli5", "s2_wiki"], "unfinished": ["b/s2_wiki"], **config}
    for model, task in (("a", "s2_eli5"), ("a", "s2_wiki"), ("b", "s2_eli5"), ("b", "s2_wiki")):
        unit = folder / model / task
        lm_eval_logs.write(unit, ".", {task: lm_eval_logs.lines("s2_rouge1", [0.1, 0.2])})
        facts = {
            "key": f"key-{model}-{task}",
            "model": model,
            "template": "s2",
            "template_hash": "ab12",
            "inputs": {"version": 1.0, "shots": 0, "decoding": {"max_gen_toks": 256, "until": ["###"]}},
        }
        (unit / store.UNIT).write_text(json.dumps(facts))
    (folder / store.RUN).write_text(yaml.safe_dump(content))
    return folder


def test_a_run(tmp_path: Path) -> None:
    found = item_scores.read([run(tmp_path / "run")])
    assert [(one.model, one.task, one.group, one.seed) for one in found.scored] == [
        ("a", "s2_eli5", "recipe", 1),
        ("a", "s2_wiki", "recipe", 1),
        ("b", "s2_eli5", "", None),
    ]
    assert found.scored[0].conditions == {
        "task version": "1",
        "shots": "0",
        "template": "s2 (ab12)",
        "decoding": '{"max_gen_toks": 256}',
    }
    assert found.remarks == (f"{tmp_path / 'run'}: not finished, so not compared: b/s2_wiki",)


def test_the_same_model_in_two_folders_is_told_apart(tmp_path: Path) -> None:
    rows = {"quiz": lm_eval_logs.lines("acc", [1.0, 0.0])}
    folders = [lm_eval_logs.write(tmp_path / name, "m", rows) for name in ("old", "new")]
    assert [one.model for one in item_scores.read(folders).scored] == [f"{folder}/m" for folder in folders]
    assert [one.model for one in item_scores.read(folders[:1]).scored] == ["m"]


def test_one_models_tasks_in_two_folders(tmp_path: Path) -> None:
    folders = [
        lm_eval_logs.write(tmp_path / task, "m", {task: lm_eval_logs.lines("acc", [1.0])}) for task in ("x", "y")
    ]
    assert {(one.model, one.task) for one in item_scores.read(folders).scored} == {("m", "x"), ("m", "y")}


def test_judgments_beside_our_numbers(tmp_path: Path) -> None:
    place = tmp_path / "mine" / "mtbench" / "gpt-4"
    place.mkdir(parents=True)
    facts = {
        "suite": {"name": "mtsbench", "hash": "ff"},
        "label": "gpt-4/p@1/strict",
        "parser": "strict",
        "temperature": 0.0,
    }
    (place / "single.json").write_text(json.dumps({"facts": facts, "rows": []}))
    test_rated.write(place / "judgments.jsonl", [test_rated.judged(1, 1, "[[7]]", model="mine")])
    first, both = item_scores.read([tmp_path]).scored
    assert (first.model, first.task, first.judge, first.turn, both.turn) == (
        "mine",
        "s2_mtsbench",
        "gpt-4/p@1/strict",
        "1",
        "",
    )
    assert first.conditions == {"parser": "strict", "questions": "mtsbench (ff)", "judge's temperature": "0"}


def test_fastchats_folder_and_inspects(tmp_path: Path) -> None:
    judgments = tmp_path / "mt_bench" / "model_judgment"
    judgments.mkdir(parents=True)
    test_rated.write(judgments / "gpt-4_single.jsonl", [test_rated.judged(81, 1, "[[7]]")])
    test_rated.write(judgments / "gpt-4_pair.jsonl", [test_rated.compared(81, 1, "tie", "tie")])
    test_inspect_log.write(tmp_path / "log.json", test_inspect_log.log([test_inspect_log.sample(1, "C")]))
    found = item_scores.read([tmp_path])
    assert [(one.model, one.task) for one in found.scored] == [("vicuna", "mt_bench")] * 2 + [
        ("ollama/llama3.1", "popularity")
    ]
    assert [one.against for one in found.contests] == ["llama"]
    files = [judgments / "gpt-4_single.jsonl", judgments / "gpt-4_pair.jsonl", tmp_path / "log.json"]
    assert item_scores.read(files).contests == found.contests


def test_what_has_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or file"):
        item_scores.read([tmp_path / "missing"])
    with pytest.raises(DataError, match="nothing to compare"):
        item_scores.read([tmp_path])
    (tmp_path / store.SCORES).write_text("")
    with pytest.raises(DataError, match=r"averages only \(scores.csv\)"):
        item_scores.read([tmp_path])
    (tmp_path / "x.eval").write_bytes(b"PK")
    with pytest.raises(DataError, match="inspect log convert"):
        item_scores.read([tmp_path])
    (tmp_path / "run.yaml").write_text("models: 3")
    with pytest.raises(DataError, match="not the configuration of a run"):
        item_scores.read([tmp_path])


def test_broken_numbers_of_a_judge(tmp_path: Path) -> None:
    place = tmp_path / "mine" / "mtbench" / "gpt-4"
    place.mkdir(parents=True)
    (place / "single.json").write_text("{}")
    with pytest.raises(DataError, match="not the numbers of a judge"):
        item_scores.read([tmp_path])
