"""A judge's files as pieces for the page: the question, the answer of each turn, and what the judge wrote of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from s2eval.files import jsonl
from s2eval.judge import results
from s2eval.judge.suite import definition as suite
from s2eval.reasoning import split
from s2eval.report.html.logs import one_line, text_of, to_bytes
from s2eval.report.read.items import Scored


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model answered to a question, and what was said of it.

    Attributes:
        question: its id.
        title: its first turn on one line; "" where its text is not known.
        prompt, answer: JSON, as of `logs.Line`.
    """

    question: str
    title: str
    prompt: bytes
    answer: bytes


def read(scored: Scored) -> Iterator[Judged]:
    """Everything about a model's answers that lies beside the judgments of which its scores were made."""
    path = Path(scored.source)
    of_model = [row for row in _rows(path) if row["model"] == scored.recorded and _is_by(row, scored.judge)]
    answers = {
        str(row["question_id"]): cast("list[Any]", row["choices"])
        for row in _rows(path.with_name(results.ANSWERS))
        if row.get("model_id") == scored.recorded
    }
    contests = [row for file in sorted(path.parent.glob("pairwise-*.jsonl")) for row in _rows(file)]
    questions = _questions(scored.task.removeprefix("s2_"))
    for question in dict.fromkeys(str(row["question_id"]) for row in of_model):
        own = [row for row in of_model if str(row["question_id"]) == question]
        against = [
            row for row in contests if str(row.get("question_id")) == question and row.get("model") == scored.recorded
        ]
        turns = _turns(questions.get(question), own)
        yield Judged(question, one_line(turns[0]) if turns else "", _prompt(turns), _answer(answers, own, against))


def _rows(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a file that was read and found right before; none where there is no file."""
    if not path.is_file():
        return []
    return [row for _, row in jsonl.records(path, "replace")]


def _is_by(row: Mapping[str, Any], judge: str) -> bool:
    name = str(row["judge"][0])
    return judge == name or judge.startswith(f"{name}/")


@cache
def _questions(name: str) -> Mapping[str, Sequence[str]]:
    """Turns of the questions that ship with the package."""
    return (
        {str(question.id): question.turns for question in suite.load(name).questions} if name in suite.names() else {}
    )


def _turns(turns: Sequence[str] | None, judged: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """The question's turns, if it is what the judge was shown: other questions may have the same ids."""
    prompts = [str(row.get("user_prompt") or "") for row in judged]
    return turns if turns and any(turns[0] in prompt for prompt in prompts) else ()


def _prompt(turns: Sequence[str]) -> bytes:
    return to_bytes({"x": list(turns), "t": ""})


def _answer(
    answers: Mapping[str, Sequence[Any]], judged: Sequence[Mapping[str, Any]], against: Sequence[Mapping[str, Any]]
) -> bytes:
    texts: list[dict[str, Any]] = []
    choices = answers.get(str(judged[0]["question_id"]), ())
    several = len(choices) > 1
    for number, choice in enumerate(choices):
        for turn, text in enumerate(choice["turns"], 1):
            place = f"turn {turn}" + (f", choice {number + 1}" if several else "")
            answer, reasoning = _split(str(text), choice.get("reasoning"), turn)
            texts.append(text_of(answer, f"Answer, {place}"))
            if reasoning:
                texts.append(text_of(reasoning, f"Reasoning before it, {place}, not scored", fold=True))
    for row in sorted(judged, key=lambda row: (row["turn"], row.get("choice", 0), row.get("repeat", 0))):
        rating = "no rating" if row.get("score") in (None, -1) else f"{row['score']:g}"
        why = row.get("failure") or row.get("problem")
        label = f"Judgment, turn {row['turn']}: {rating}" + (f" ({why})" if why else "")
        verdict, thought = _split(str(row.get("judgment") or ""), [row["reasoning"]] if "reasoning" in row else None, 1)
        texts.append(text_of(verdict, label))
        if thought:
            texts.append(text_of(thought, f"The judge's reasoning before it, turn {row['turn']}", fold=True))
        if row.get("user_prompt"):
            texts.append({"t": str(row["user_prompt"]), "l": f"What the judge was given, turn {row['turn']}", "f": 1})
    for row in against:
        points = row.get("points")
        outcome = {1: "won", 0: "lost", 0.5: "tie"}.get(cast("float", points), "no verdict")
        label = f"Against {row.get('against')}, turn {row.get('turn')}, shown as {row.get('place')}: {outcome}"
        texts.append(text_of(str(row.get("judgment") or ""), label) | {"f": 1})
    return to_bytes({"x": texts})


def _split(text: str, reasoning: Sequence[Any] | None, turn: int) -> tuple[str, str]:
    """The text and the reasoning before it, which files of older releases, and FastChat's, have in the text."""
    if reasoning is None:
        parts = split(text)
        return parts.answer, parts.reasoning
    return text, str(reasoning[turn - 1]) if turn <= len(reasoning) else ""
