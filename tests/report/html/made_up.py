"""Two models' logs: right and wrong answers to 120 questions, and answers that attack the page that shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2eval.report import sources
from s2eval.report.build import Report
from s2eval.report.document import Document
from s2eval.report.read.items import Scored
from s2eval.report.read.judgment_reader import ratings
from tests.report.lm_eval_logs import DATE, line, write
from tests.report.test_rated import judged

ARC, QA, JUDGED = "s2_arc_challenge", "own_qa", "mt_bench, judged by gpt-4"
N = 120
MODELS = ("a", "b<i>")
ATTACKS = {
    "script": '<script>window.hit=1</script><img src="x" onerror="window.hit=1"><svg onload="window.hit=1">',
    "end of script": "</script><script>window.hit=1</script><!-- <script>",
    "link": "Look **here**: [click](javascript:window.hit=1) <a href='javascript:window.hit=1'>or here</a>\n\n- one\n",
    "half a character": "before \ud800 after",
    "right to left": "\u202eשלום עולם\u202c and on",
    "long": "word " * 200_000,
    "broken bytes": "before BROKEN after",
}


def rights(model: int) -> list[float]:
    """The first is wrong in every third, the second in every fourth: 20 only first right, 30 only second."""
    return [float(number % (3, 4)[model] != 0) for number in range(N)]


def logs(folder: Path) -> Path:
    """Both models' logs; the second's ends in bytes that are no UTF-8."""
    for number, model in enumerate(MODELS):
        arc = [
            _asked(
                at,
                f"Shots.\n\nQuestion: why {at}?\nAnswer:",
                [" yes", " no"],
                leaderboard_pct=100 * right,
                acc_norm=right,
            )
            for at, right in enumerate(rights(number))
        ]
        qa = [
            _answered(at, text if number else f"Answer {at}.", length=float(len(text)))
            for at, text in enumerate(ATTACKS.values())
        ]
        write(folder, model, {ARC: arc, QA: qa})
        path = folder / model / f"samples_{QA}_{DATE}.jsonl"
        path.write_bytes(path.read_bytes().replace(b"BROKEN", b"\xff\xfe\xe2\x28"))
    return folder


def _asked(at: int, prompt: str, continuations: Sequence[str], **values: Any) -> dict[str, Any]:
    row = line(at, **values)
    calls = {f"gen_args_{n}": {"arg_0": prompt, "arg_1": one} for n, one in enumerate(continuations)}
    pairs = [["-1.25", "True"], ["-2.5", "False"]]
    doc = {"query": f"Question: why {at}?"}
    return _in_order(row, doc, arguments=calls, resps=[[one] for one in pairs], filtered_resps=pairs)


def _answered(at: int, text: str, **values: Any) -> dict[str, Any]:
    calls = {"gen_args_0": {"arg_0": f"Tell me <b>{at}</b>.", "arg_1": {"until": ["\n\n"], "max_gen_toks": 8}}}
    doc = {"question": f"Tell <script>window.hit=1</script> {at}"}
    row = line(at, **values) | {"target": f"Told {at}."}
    return _in_order(row, doc, arguments=calls, resps=[[text]], filtered_resps=[text])


def _in_order(row: dict[str, Any], doc: Any, **asked: Any) -> dict[str, Any]:
    """As lm-eval orders the fields."""
    head = {"doc_id": row["doc_id"], "doc": doc, "target": row["target"], **asked}
    return {**head, **{name: value for name, value in row.items() if name not in head}}


def judgments(folder: Path) -> list[Scored]:
    """FastChat's file with two turns of a question, its answers beside it."""
    folder.mkdir(parents=True)
    rows = [
        judged(81, 1, "Clear and true. Rating: [[7]]", user_prompt="Rate this: hello", score=7),
        judged(81, 2, "<script>window.hit=1</script> Worse. Rating: [[4]]", score=4),
    ]
    (folder / "judgments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer = {"question_id": 81, "model_id": "vicuna", "choices": [{"index": 0, "turns": ["Hello there.", "Bye."]}]}
    (folder / "answers.jsonl").write_text(json.dumps(answer) + "\n")
    return ratings(folder / "judgments.jsonl")


def report(folder: Path) -> tuple[Document, list[Scored]]:
    """The document of both, with charts, and what its samples are of."""
    source = sources.read(logs(folder / "logs"))
    document = Report([source], title="Two <models>").illustrated
    return document, [*source.scored, *judgments(folder / "judged")]
