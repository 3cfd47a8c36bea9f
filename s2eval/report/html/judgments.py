"""A judge's files as pieces for the page: the question, the answer of each turn, and what the judge wrote of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from s2eval.files import Json, JsonObject, jsonl
from s2eval.judge import results
from s2eval.judge.suite import definition as suite
from s2eval.reasoning import split
from s2eval.report.html.logs import one_line, text_of, to_bytes
from s2eval.report.read.items import Scored


@dataclass(frozen=True, slots=True)
class Judged:
    """A question of a judge's suite and what a model answered, with the judgments of it.

    Attributes:
        title: the first turn on one line; "" where its text is not known.
        prompt, answer: JSON, as of `logs.Line`.
    """

    question: str
    title: str
    prompt: bytes
    answer: bytes


def read(scored: Scored) -> Iterator[Judged]:
    """A model's answers, from the files beside the judgments that its scores are made of."""
    path = Path(scored.source)
    own = [row for row in _rows(path) if row["model"] == scored.recorded and _is_by(row, scored.judge)]
    choices = {
        str(row["question_id"]): row["choices"]
        for row in _rows(path.with_name(results.ANSWERS))
        if row.get("model_id") == scored.recorded
    }
    contests = [
        row
        for file in sorted(path.parent.glob("pairwise-*.jsonl"))
        for row in _rows(file)
        if row.get("model") == scored.recorded
    ]
    questions = _questions(scored.task.removeprefix("s2_"))
    for question in dict.fromkeys(str(row["question_id"]) for row in own):
        judgments = [row for row in own if str(row["question_id"]) == question]
        against = [row for row in contests if str(row.get("question_id")) == question]
        turns = questions.get(question, ())
        # Another suite's questions may have the same ids: the judge must have been shown this one.
        if not (turns and any(turns[0] in str(row.get("user_prompt") or "") for row in judgments)):
            turns = ()
        answer = to_bytes({"x": _texts(choices.get(question), judgments, against)})
        yield Judged(question, one_line(turns[0]) if turns else "", to_bytes({"x": list(turns), "t": ""}), answer)


def _rows(path: Path) -> list[JsonObject]:
    """The lines of a file that was checked when it was read for the tables; none where there is no file."""
    if not path.is_file():
        return []
    return [row for _, row in jsonl.records(path, "replace")]


def _is_by(row: JsonObject, judge: str) -> bool:
    name = _listed(row["judge"])[0]
    return judge == name or judge.startswith(f"{name}/")


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


@cache
def _questions(name: str) -> Mapping[str, Sequence[str]]:
    """Turns of the questions that ship with the package."""
    if name not in suite.names():
        return {}
    return {str(question.id): question.turns for question in suite.load(name).questions}


def _texts(choices: Json, judgments: Sequence[JsonObject], contests: Sequence[JsonObject]) -> list[JsonObject]:
    """Answers, judgments, and comparisons with other models."""
    texts: list[JsonObject] = []
    several = len(_listed(choices)) > 1
    for number, choice in enumerate(_listed(choices), 1):
        assert isinstance(choice, dict)
        for turn, text in enumerate(_listed(choice["turns"]), 1):
            place = f"turn {turn}" + (f", choice {number}" if several else "")
            answer, reasoning = _split(str(text), choice.get("reasoning"), turn)
            texts.append(text_of(answer, f"Answer, {place}"))
            if reasoning:
                texts.append(text_of(reasoning, f"Reasoning before it, {place}, not scored", fold=True))
    for row in sorted(judgments, key=lambda row: [int(str(row.get(name, 0))) for name in ("turn", "choice", "repeat")]):
        score = row.get("score")
        rating = "no rating" if score in (None, -1) else f"{score:g}"
        why = row.get("failure") or row.get("problem")
        label = f"Judgment, turn {row['turn']}: {rating}" + (f" ({why})" if why else "")
        verdict, reasoning = _split(str(row.get("judgment") or ""), [row["reasoning"]] if "reasoning" in row else None)
        texts.append(text_of(verdict, label))
        if reasoning:
            texts.append(text_of(reasoning, f"The judge's reasoning before it, turn {row['turn']}", fold=True))
        if prompt := row.get("user_prompt"):
            texts.append({"t": str(prompt), "l": f"What the judge was given, turn {row['turn']}", "f": 1})
    for row in contests:
        points = row.get("points")
        outcome = "won" if points == 1 else "lost" if points == 0 else "tie" if points == 0.5 else "no verdict"
        label = f"Against {row.get('against')}, turn {row.get('turn')}, shown as {row.get('place')}: {outcome}"
        texts.append(text_of(str(row.get("judgment") or ""), label, fold=True))
    return texts


def _split(text: str, reasoning: Json, turn: int = 1) -> tuple[str, str]:
    """The text and the reasoning before it, which files of older releases, and FastChat's, have in the text."""
    if reasoning is None:
        parts = split(text)
        return parts.answer, parts.reasoning
    stored = _listed(reasoning)
    return text, str(stored[turn - 1]) if turn <= len(stored) else ""
