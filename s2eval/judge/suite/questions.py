"""What is asked and what was answered: question, reference and answer files, in FastChat's form too.

Whatever is wrong with a file is told at once, each problem with its line and field; extra fields are let pass, as
FastChat's files carry many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from s2eval.errors import nearest
from s2eval.judge.suite.rows import FileRow, Filled, Id, Problems, QuestionId, Text, listed, read_rows
from s2eval.judge.verdicts.anchors import API_ERROR
from s2eval.reasoning import answer_of, split


@dataclass(frozen=True, slots=True)
class Question:
    """One question of one or two turns.

    Attributes:
        id: FastChat numbers them; a text will do.
        turns: what the user says, turn by turn.
        reading_age: the age in years for which the answer should be written; None = not said.
        expects: for each turn what a good answer must contain; () = not said.
        temperature: at which models answer it, whatever its category says (`required_temperature`).
        reference: a right answer to each turn; None where there is not one for every turn.
    """

    id: QuestionId
    category: str
    turns: tuple[str, ...]
    reading_age: int | None = None
    expects: tuple[str, ...] = ()
    temperature: float | None = None
    reference: tuple[str, ...] | None = None

    def opening(self, turns: int) -> Question:
        """The same with its first turns only."""
        reference = None if self.reference is None else self.reference[:turns]
        return replace(self, turns=self.turns[:turns], expects=self.expects[:turns], reference=reference)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said in every turn of a question; "" where it said nothing.

    Attributes:
        choice: 0, 1, …: the same question answered again.
        reasoning: what it thought before it said so, turn by turn; () where it told nothing.
        cut: turns, from 1, whose reasoning never ended, so that there is no answer.
    """

    question_id: QuestionId
    model: str
    choice: int
    turns: tuple[str, ...]
    reasoning: tuple[str, ...] = ()
    cut: tuple[int, ...] = ()


class _QuestionRow(FileRow):
    question_id: Id
    category: Filled
    turns: list[Filled] = Field(min_length=1, max_length=2)
    reading_age: Annotated[int, Field(gt=0)] | None = None
    expects: list[Filled] | None = None
    required_temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    reference: list[Text | None] | None = None  # FastChat's own has "" where there is none for a turn


class _Choice(FileRow):
    index: int | None = None
    turns: list[Text]
    reasoning: list[Text] | None = None  # in files of ours, where `turns` are without it


class _AnswerRow(FileRow):
    question_id: Id
    model_id: Filled
    choices: list[_Choice] = Field(min_length=1)


def read_questions(path: Path, categories: Collection[str] | None = None) -> list[Question]:
    """The questions of a file, in its order.

    Args:
        categories: those that there are; None = any.

    Raises:
        DataError: with all that is wrong: no JSON, a missing, empty or ill-typed field, a repeated id, an unknown
            category (with the nearest one).
    """
    problems = Problems(path)
    rows = read_rows(path, _QuestionRow, problems)
    _tell_repeated(rows, problems)
    for line, row in rows:
        if categories is not None and row.category not in categories:
            close = nearest(row.category, categories)
            hint = f"did you mean {close!r}?" if close else f"known: {', '.join(categories)}"
            problems.add(line, f"category: unknown {row.category!r}; {hint}")
        if row.expects is not None and len(row.expects) != len(row.turns):
            problems.add(line, f"expects: {len(row.expects)}, but turns: {len(row.turns)}")
    problems.tell()
    return [_question(row) for _, row in rows]


def _question(row: _QuestionRow) -> Question:
    reference = tuple(text for text in row.reference or () if text and text.strip())
    return Question(
        row.question_id,
        row.category,
        tuple(row.turns),
        row.reading_age,
        tuple(row.expects or ()),
        row.required_temperature,
        reference if len(reference) == len(row.turns) == len(row.reference or ()) else None,
    )


def read_references(path: Path, questions: Iterable[Question]) -> dict[QuestionId, tuple[str, ...]]:
    """A right answer to every turn of some of the questions: question id → turns. Of several choices the first.

    Raises:
        DataError: with all that is wrong; as with questions, and an id that is no question's, an empty turn,
            more or fewer turns than the question has.
    """
    problems = Problems(path)
    asked = {question.id: question for question in questions}
    rows = read_rows(path, _AnswerRow, problems)
    _tell_repeated(rows, problems)
    for line, row in rows:
        _tell_unlike(line, row, asked, problems)
        _check_failed_calls(line, row, problems)
        for turn, text in enumerate(row.choices[0].turns):
            if not answer_of(text).strip():
                problems.add(line, f"choices.0.turns.{turn}: is empty")
    problems.tell()
    return {row.question_id: tuple(map(answer_of, row.choices[0].turns)) for _, row in rows}


def read_answers(path: Path, questions: Sequence[Question], model: str | None = None) -> list[Answer]:
    """A model's answers to all the questions, in their order, the choices of each from 0.

    Args:
        model: the model's name; by default the file's `model_id` (FastChat itself goes by the file's name).

    Raises:
        DataError: with all that is wrong; as with references, though an answer may be empty, and: a question without
            an answer, questions with different numbers of choices, answers of more than one model.
    """
    problems = Problems(path)
    asked = {question.id: question for question in questions}
    rows = read_rows(path, _AnswerRow, problems)
    _tell_repeated(rows, problems)
    for line, row in rows:
        _tell_unlike(line, row, asked, problems)
        _tell_uneven(line, row, rows[0], problems)
        _check_failed_calls(line, row, problems)
    answered = {row.question_id: row for _, row in rows}
    missing = [question.id for question in questions if question.id not in answered]
    if missing and not problems:  # else a broken line may be what is missing
        problems.add(None, f"{len(missing)} of {len(questions)} questions are not answered: {listed(missing)}")
    problems.tell()
    return [
        _answer(question.id, model or answered[question.id].model_id, choice, content)
        for question in questions
        for choice, content in enumerate(answered[question.id].choices)
    ]


def _answer(question: QuestionId, model: str, number: int, choice: _Choice) -> Answer:
    """The answer, its reasoning split off: FastChat's files, and older ones of ours, have it in the text."""
    if choice.reasoning is not None:
        return reasoned_answer(question, model, number, choice.turns, choice.reasoning)
    parts = [split(text) for text in choice.turns]
    return reasoned_answer(question, model, number, [part.answer for part in parts], [part.reasoning for part in parts])


def reasoned_answer(
    question: QuestionId, model: str, choice: int, turns: Sequence[str], reasoning: Sequence[str]
) -> Answer:
    """An answer of which each turn's reasoning is known; a turn that has nothing else was cut."""
    if not any(reasoning):
        return Answer(question, model, choice, tuple(turns))
    pairs = enumerate(zip(turns, reasoning, strict=False), 1)
    cut = tuple(turn for turn, (text, thought) in pairs if thought and not text)
    return Answer(question, model, choice, tuple(turns), tuple(reasoning), cut)


def _tell_repeated(rows: Sequence[tuple[int, _QuestionRow]] | Sequence[tuple[int, _AnswerRow]], to: Problems) -> None:
    first: dict[QuestionId, int] = {}
    for line, row in rows:
        before = first.setdefault(row.question_id, line)
        if before != line:
            to.add(line, f"question_id: {row.question_id!r} is that of line {before} too")


def _tell_unlike(line: int, row: _AnswerRow, asked: dict[QuestionId, Question], to: Problems) -> None:
    """What does not fit the question that the line names."""
    question = asked.get(row.question_id)
    if question is None:
        to.add(line, f"question_id: no question {row.question_id!r} among {listed(list(asked))}")
        return
    for number, choice in enumerate(row.choices):
        if len(choice.turns) != len(question.turns):
            to.add(line, f"choices.{number}.turns: {len(choice.turns)}, but the question has {len(question.turns)}")


def _check_failed_calls(line: int, row: _AnswerRow, to: Problems) -> None:
    """Turns that hold FastChat's mark of a call that failed: they are no answer, and are not to be judged."""
    for number, choice in enumerate(row.choices):
        for turn, text in enumerate(choice.turns):
            if text.strip() == API_ERROR:
                to.add(line, f"choices.{number}.turns.{turn}: {API_ERROR} (a failed call); answer the question again")


def _tell_uneven(line: int, row: _AnswerRow, first: tuple[int, _AnswerRow], to: Problems) -> None:
    """Where the line differs from the file's first in model or number of choices, or counts its choices wrongly."""
    if row.model_id != first[1].model_id:
        to.add(line, f"model_id: {row.model_id!r}, but {first[1].model_id!r} in line {first[0]}: one model a file")
    if len(row.choices) != len(first[1].choices):
        to.add(line, f"choices: {len(row.choices)}, but {len(first[1].choices)} in line {first[0]}")
    for number, choice in enumerate(row.choices):
        if choice.index not in (None, number):
            to.add(line, f"choices.{number}.index: {choice.index}, expected {number}")
