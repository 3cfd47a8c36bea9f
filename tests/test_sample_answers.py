"""Answers with reasoning in lm-eval's samples: scored without it, whenever they were written, and shown with it."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from s2eval import store
from s2eval.cli import app
from s2eval.lm_eval_logs.samples import read_samples
from s2eval.metrics import answers as qa
from s2eval.metrics.size import CUT
from s2eval.report.html import logs
from s2eval.report.tables import run_notes
from s2eval.run.local import _note_cut
from s2eval.tasks import lm_eval
from s2eval.tasks import lm_eval_metrics as metrics
from s2eval.tasks.mtsbench import lm_eval as judged
from s2eval.tasks.qa import lm_eval as tasks
from tests.report import lm_eval_logs

ANSWER, REFERENCE = "The moon pulls the sea.", "The moon pulls the water of the sea."
THOUGHT = "Gravitational considerations necessitate simplification."
FORMS = [
    f"<think>{THOUGHT}</think>\n\n{ANSWER}",
    f"[THINK]{THOUGHT}[/THINK]{ANSWER}",
    f"{THOUGHT}\n</think>\n\n{ANSWER}",
    f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
    f"analysis{THOUGHT}assistantfinal{ANSWER}",
]


def line(doc_id: int, text: str, scored: str, **more: Any) -> dict[str, Any]:
    """A line of a task of ours, with the values that `scored` has."""
    values = qa.score(scored, REFERENCE)
    counts = qa.counts(scored)
    own = {**values, **(dict.fromkeys(qa.WHOLE_TEXT, astuple(counts)) if counts else {}), CUT: 0.0}
    doc = {"question": "Why are there tides?", "answer": REFERENCE}
    return lm_eval_logs.line(doc_id, **own) | {
        "doc": doc, "target": REFERENCE, "resps": [[text]], "filtered_resps": [text], **more,
    }  # fmt: skip


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize("text", FORMS)
def test_samples_that_were_scored_with_their_reasoning_are_measured_anew(tmp_path: Path, text: str, texts: bool):
    path = write(tmp_path / "samples.jsonl", line(0, text, scored=text), line(1, ANSWER, scored=ANSWER))
    before = path.read_bytes()
    old, plain = read_samples(path, texts=texts)
    assert old.values == plain.values
    assert old.counts == plain.counts
    assert (old.reasoning, plain.reasoning) == (THOUGHT, "")
    assert path.read_bytes() == before


def test_reasoning_in_another_script_hides_no_answer(tmp_path: Path):
    text = f"<think>{'月亮的引力' * 30}</think>{ANSWER}"
    path = write(tmp_path / "samples.jsonl", line(0, text, scored=text), line(1, ANSWER, scored=ANSWER))
    old, plain = read_samples(path)
    assert (old.values, old.counts) == (plain.values, plain.counts)


def test_empty_reasoning_is_no_part_of_the_answer_either(tmp_path: Path):
    text = f"<think>\n\n</think>\n\n{ANSWER}"  # of a model that was told not to think
    scored = f"think think {ANSWER}"
    path = write(tmp_path / "samples.jsonl", line(0, text, scored=scored), line(1, ANSWER, scored=ANSWER))
    for texts in (True, False):
        old, plain = read_samples(path, texts=texts)
        assert (old.values, old.counts, old.reasoning) == (plain.values, plain.counts, "")


def test_reasoning_that_never_ended_is_a_cut_answer(tmp_path: Path):
    (sample,) = read_samples(write(tmp_path / "s.jsonl", line(0, f"<think>{THOUGHT}", scored=THOUGHT)))
    assert (sample.answer, sample.reasoning) == ("", THOUGHT)
    assert (sample.values["s2_empty"], sample.values["s2_words"], sample.values[CUT]) == (1.0, 0.0, 1.0)


def test_a_tag_within_an_answer_is_part_of_it(tmp_path: Path):
    text = "Write `<think>` before it and `</think>` after it."
    (sample,) = read_samples(write(tmp_path / "s.jsonl", line(0, text, scored=text)))
    assert (sample.answer, sample.reasoning, sample.values["s2_words"]) == (text, "", 8.0)


@pytest.mark.parametrize("text", FORMS)
def test_what_lm_eval_scores(text: str):
    doc = {"id": 1, "answer": REFERENCE, "encoder": "minilm"}
    plain = tasks.score_answer(doc, [ANSWER])
    assert tasks.score_answer(doc, [text]) == plain  # BERTScore's pair among them
    assert judged.score_answer(doc, [text]) == judged.score_answer(doc, [ANSWER])
    assert metrics.s2_fre([REFERENCE], [text]) == metrics.s2_fre([REFERENCE], [ANSWER])
    assert metrics.s2_rouge1([REFERENCE], [text]) == metrics.s2_rouge1([REFERENCE], [ANSWER])


def test_a_prompt_that_opens_the_reasoning():
    assert lm_eval.opening("Q\n<think>\n", {}) == {"reasoning_opened": True}
    assert lm_eval.opening("Q\n<think>\n", {"think_end_token": "</think>"}) == {}  # lm-eval takes it off
    assert lm_eval.opening("Q\n", {}) == {}
    doc = {"answer": REFERENCE, "reasoning_opened": True}
    assert tasks.score_answer(doc, [THOUGHT])["s2_empty"] == 1.0
    assert tasks.score_answer(doc, [f"{THOUGHT}</think>{ANSWER}"]) == tasks.score_answer(
        {"answer": REFERENCE}, [ANSWER]
    )


def test_a_run_notes_cut_answers_and_what_lm_eval_took_off():
    samples: list[dict[str, Any]] = [
        {"arguments": [(prompt, {})], "filtered_resps": [text], "doc": {}, "metrics": []}
        for prompt, text in (("a", f"<think>{THOUGHT}"), ("b", ANSWER), ("c", ANSWER))
    ]
    _note_cut(samples, {"a": False, "b": False, "c": True}, {"b": THOUGHT})
    assert [sample[CUT] for sample in samples] == [1.0, 0.0, 1.0]
    assert [sample.get("reasoning") for sample in samples] == [None, THOUGHT, None]


def unit(folder: Path, **bertscore: Any) -> Path:
    rows = [line(0, FORMS[0], scored=FORMS[0]), line(1, f"<think>{THOUGHT}", scored=THOUGHT), line(2, ANSWER, ANSWER)]
    lm_eval_logs.write(folder.parent, folder.name, {"s2_eli5": rows})
    store.write_json(folder / "unit.json", {"key": "k", "model": "mine"})
    store.write_json(
        folder / "bertscore.json", {"key": "b", "encoder": "minilm", "scores": [[0.1, 0.2, 0.3]] * 3, **bertscore}
    )
    return folder


def test_the_report_says_how_many_answers_had_reasoning(tmp_path: Path):
    found = store.read_unit(unit(tmp_path / "old"), texts=False)
    notes = " ".join(run_notes.reasoning([found]))
    assert "mine, s2_eli5: 2 of 3 answers (1 without an answer after it)" in notes
    assert "BERTScore of mine/s2_eli5 was measured by an earlier version with the reasoning" in notes
    assert "s2_bertscore_f1" not in found.samples[0].values
    new = store.read_unit(unit(tmp_path / "new", without_reasoning=True))
    assert new.samples[0].values["s2_bertscore_f1"] == 0.3
    assert "earlier version" not in " ".join(run_notes.reasoning([new]))


def test_of_a_task_without_our_metrics_the_report_says_nothing(tmp_path: Path):
    row = lm_eval_logs.line(0, exact_match=1.0) | {"resps": [[FORMS[0]]], "filtered_resps": [FORMS[0]]}
    lm_eval_logs.write(tmp_path, "plain", {"gsm8k": [row]})
    (found,) = store.find_lm_eval(tmp_path)
    assert found.samples[0].reasoning == THOUGHT
    assert found.samples[0].values == {"exact_match": 1.0}  # lm-eval's, of the whole text
    assert not list(run_notes.reasoning([found]))


def test_the_page_shows_it_beside_the_answer(tmp_path: Path):
    rows = [line(0, FORMS[0], scored=ANSWER), line(1, ANSWER, scored=ANSWER, reasoning=THOUGHT)]
    path = write(tmp_path / "samples.jsonl", *rows)
    for shown in (logs.read(path, lambda _: True), logs.read(path, lambda _: False)):
        for row in shown:
            answer, reasoning = json.loads(row.answer)["x"][:2]
            assert (answer["t"], reasoning["t"], reasoning["f"]) == (ANSWER, THOUGHT, 1)


def test_the_command_for_files(tmp_path: Path):
    runner = CliRunner()
    path = write(tmp_path / "with.jsonl", {"prediction": FORMS[0]}, {"prediction": f"<think>{THOUGHT}"})
    bare = write(tmp_path / "without.jsonl", {"prediction": ANSWER}, {"prediction": ""})
    outputs = [runner.invoke(app, ["score", "readability", str(file), "--format", "json"]) for file in (path, bare)]
    assert outputs[0].stdout == outputs[1].stdout
    said = "2 of 2 predictions have reasoning before the answer, which is not scored."
    assert outputs[0].stderr == f"{said} 1 of them never ended: these have no answer.\n"
