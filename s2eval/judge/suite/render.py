"""A question, its answers and a prompt → the judge's messages; texts are put in unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from s2eval.errors import DataError
from s2eval.judge.suite.prompts import OPTIONAL, REFERENCES, JudgePrompt, Kind, Turn, parts_of
from s2eval.judge.suite.questions import Answer, Question
from s2eval.llm.calls import Message


def render_single(prompt: JudgePrompt, question: Question, answer: Answer) -> tuple[Message, ...]:
    """The messages to the judge of one answer: the system message where there is one, and the user's.

    Raises:
        DataError: the question lacks a text for the prompt (a reference, a second turn, a reading age).
        ValueError: a pairwise prompt, or an answer to another question.
    """
    return _messages(prompt, "single", question, {"answer": answer})


def render_pair(prompt: JudgePrompt, question: Question, a: Answer, b: Answer) -> tuple[Message, ...]:
    """The messages to the judge of two answers, `a` shown first; else as `render_single`."""
    return _messages(prompt, "pairwise", question, {"answer_a": a, "answer_b": b})


def _messages(
    prompt: JudgePrompt, kind: Kind, question: Question, answers: Mapping[str, Answer]
) -> tuple[Message, ...]:
    if prompt.kind != kind:
        raise ValueError(f"judge prompt {prompt.name!r} is {prompt.kind}, not {kind}")
    for answer in answers.values():
        if answer.question_id != question.id:
            raise ValueError(f"an answer to question {answer.question_id!r} with question {question.id!r}")
    texts = _texts(question, prompt.turn)
    for name, answer in answers.items():
        texts |= {name: answer.turns[0], **_numbered(name, answer.turns)}
    lacking = sorted(prompt.placeholders - set(texts))
    if lacking:
        names = ", ".join(f"{{{name}}}" for name in lacking)
        raise DataError(f"question {question.id!r} has nothing for {names} of judge prompt {prompt.name!r}")
    # one pass over the template: texts that were put in are not templates
    content = "".join(text if field is None else texts[field] for text, field in parts_of(prompt.template))
    system = (Message("system", prompt.system),) if prompt.system else ()
    return (*system, Message("user", content))


def lacks(question: Question, prompt: JudgePrompt) -> list[str]:
    """Placeholders of the prompt, other than answers, for which the question has no text; in alphabetical order."""
    own = REFERENCES[2] + OPTIONAL
    return sorted(prompt.placeholders & set(own) - set(_texts(question, prompt.turn)))


def _texts(question: Question, turn: Turn) -> dict[str, str]:
    """Placeholder → the question's text for it."""
    texts = {"question": question.turns[0], **_numbered("question", question.turns)}
    texts |= _numbered("ref_answer", question.reference or ())
    if question.reading_age is not None:
        texts["reading_age"] = str(question.reading_age)
    if len(question.expects) >= turn:
        texts["expects"] = question.expects[turn - 1]
    return texts


def _numbered(name: str, turns: Sequence[str]) -> dict[str, str]:
    return {f"{name}_{number}": text for number, text in enumerate(turns, 1)}
