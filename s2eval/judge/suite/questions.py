"""Question, reference and answer files, in FastChat's form too.

All errors of a file are reported together, each with its line and field; extra fields are ignored, as FastChat's files
have many.
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
        turns: the user's messages.
        reading_age: the age in years for which the answer should be written.
        expects: for each turn what a good answer must contain; () = not known.
        temperature: of the answers, instead of the category's (`required_temperature`).
        reference: a correct answer to each turn; None where there is not one for every turn.
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
    """A model's answer to every turn of a question.

    Attributes:
        choice: 0, 1, …: the same question answered again.
        reasoning: before each turn's answer; () where it gave none.
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
    """The questions of a file, in its order, all of these categories.

    Raises:
        DataError: with all errors: not JSON, a missing, empty or ill-typed field, a repeated id, an unknown category.
    """
    problems = Problems(path)
    rows = read_rows(path, _QuestionRow, problems)
    _check_ids(rows, problems)
    for line, row in rows:
        if categories is not None and row.category not in categories:
            close = nearest(row.category, categories)
            hint = f"did you mean {close!r}?" if close else f"known: {', '.join(categories)}"
            problems.add(line, f"category: unknown {row.category!r}; {hint}")
        if row.expects is not None and len(row.expects) != len(row.turns):
            problems.add(line, f"expects: {len(row.expects)}, but turns: {len(row.turns)}")
    problems.check()
    questions: list[Question] = []
    for _, row in rows:
        reference = tuple(text for text in row.reference or () if text and text.strip())
        complete = len(reference) == len(row.turns) == len(row.reference or ())
        question = Question(row.question_id, row.category, tuple(row.turns), row.reading_age, tuple(row.expects or ()))
        temperature = row.required_temperature
        questions.append(replace(question, temperature=temperature, reference=reference if complete else None))
    return questions


def read_references(path: Path, questions: Iterable[Question]) -> dict[QuestionId, tuple[str, ...]]:
    """A correct answer to every turn of some of the questions: question id → turns. Of several choices the first.

    Raises:
        DataError: with all errors; as with questions, and an id without a question, an empty turn, more or fewer
            turns than the question has.
    """
    problems = Problems(path)
    rows = _read_answer_rows(path, questions, problems)
    for line, row in rows:
        for turn, text in enumerate(row.choices[0].turns):
            if not answer_of(text).strip():
                problems.add(line, f"choices.0.turns.{turn}: is empty")
    problems.check()
    return {row.question_id: tuple(map(answer_of, row.choices[0].turns)) for _, row in rows}


def read_answers(path: Path, questions: Sequence[Question], model: str | None = None) -> list[Answer]:
    """A model's answers to all the questions, in their order, the choices of each from 0.

    `model` is the model's name; by default the file's `model_id` (FastChat itself goes by the file's name).

    Raises:
        DataError: with all errors; as with references, though an answer may be empty, and: a question without an
            answer, questions with different numbers of choices, answers of more than one model.
    """
    problems = Problems(path)
    rows = _read_answer_rows(path, questions, problems)
    for line, row in rows:
        first_line, first = rows[0]
        if row.model_id != first.model_id:
            problems.add(
                line, f"model_id: {row.model_id!r}, but {first.model_id!r} in line {first_line}: one model a file"
            )
        if len(row.choices) != len(first.choices):
            problems.add(line, f"choices: {len(row.choices)}, but {len(first.choices)} in line {first_line}")
        for number, choice in enumerate(row.choices):
            if choice.index not in (None, number):
                problems.add(line, f"choices.{number}.index: {choice.index}, expected {number}")
    answered = {row.question_id: row for _, row in rows}
    missing = [question.id for question in questions if question.id not in answered]
    if missing and not problems:  # else the answer may be in a broken line
        problems.add(None, f"{len(missing)} of {len(questions)} questions are not answered: {listed(missing)}")
    problems.check()
    answers: list[Answer] = []
    for question in questions:
        row = answered[question.id]
        for number, choice in enumerate(row.choices):
            turns, reasoning = choice.turns, choice.reasoning
            if reasoning is None:  # in the text, in FastChat's files and older ones of ours
                parts = [split(text) for text in turns]
                turns, reasoning = [part.answer for part in parts], [part.reasoning for part in parts]
            answers.append(reasoned_answer(question.id, model or row.model_id, number, turns, reasoning))
    return answers


def reasoned_answer(
    question: QuestionId, model: str, choice: int, turns: Sequence[str], reasoning: Sequence[str]
) -> Answer:
    """An answer with each turn's reasoning; a turn that has nothing else was cut."""
    if not any(reasoning):
        return Answer(question, model, choice, tuple(turns))
    pairs = enumerate(zip(turns, reasoning, strict=False), 1)
    cut = tuple(turn for turn, (text, thought) in pairs if thought and not text)
    return Answer(question, model, choice, tuple(turns), tuple(reasoning), cut)


def _read_answer_rows(path: Path, questions: Iterable[Question], problems: Problems) -> list[tuple[int, _AnswerRow]]:
    """The rows with their lines, checked against the questions; a call that failed is not an answer."""
    by_id = {question.id: question for question in questions}
    rows = read_rows(path, _AnswerRow, problems)
    _check_ids(rows, problems)
    for line, row in rows:
        question = by_id.get(row.question_id)
        if question is None:
            problems.add(line, f"question_id: no question {row.question_id!r} among {listed(list(by_id))}")
        for number, choice in enumerate(row.choices):
            turns = len(choice.turns)
            if question is not None and turns != len(question.turns):
                problems.add(line, f"choices.{number}.turns: {turns}, but the question has {len(question.turns)}")
        for number, choice in enumerate(row.choices):
            for turn, text in enumerate(choice.turns):
                if text.strip() == API_ERROR:
                    failed = f"{API_ERROR} (a failed call); answer the question again"
                    problems.add(line, f"choices.{number}.turns.{turn}: {failed}")
    return rows


def _check_ids(rows: Sequence[tuple[int, _QuestionRow]] | Sequence[tuple[int, _AnswerRow]], problems: Problems) -> None:
    first: dict[QuestionId, int] = {}
    for line, row in rows:
        before = first.setdefault(row.question_id, line)
        if before != line:
            problems.add(line, f"question_id: {row.question_id!r} is that of line {before} too")
