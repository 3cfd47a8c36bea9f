"""Which judgments are to be made of some answers, and what each reads once it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from s2eval.judge.ask.answering import Answers, Ask
from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.judgments import Judgment, Place
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.prompts import JudgePrompt, Turn
from s2eval.judge.suite.questions import Answer, Question
from s2eval.judge.suite.render import render_pair, render_single
from s2eval.judge.verdicts.parsers import Parser
from s2eval.llm.calls import Call, Failure, Message, Outcome, Reply

SCHEMA = (
    '{"type":"object","properties":{"explanation":{"type":"string"},'
    '"rating":{"type":"integer","minimum":1,"maximum":10}},"required":["explanation","rating"],'
    '"additionalProperties":false}'
)
"""Of a structured rating. The explanation comes first, so that the rating follows from it."""

IN_JSON = "\n\nAnswer with a JSON object: your text as `explanation`, and your number as `rating`."


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How answers are judged.

    Attributes:
        judge: who does.
        parser: reads the verdicts.
        repeats: how often each answer is judged.
        structured: ratings as JSON objects, where the server can hold a model to a schema.
        temperature: of the judge; None = the suite's.
    """

    judge: ModelHandle
    parser: Parser = "strict"
    repeats: int = 1
    structured: bool = False
    temperature: float | None = None

    def temperature_for(self, suite: Suite) -> float:
        """At which the judge is asked."""
        return suite.judge_temperature if self.temperature is None else self.temperature


@dataclass(frozen=True, slots=True)
class Task:
    """One judgment to make.

    Attributes:
        model: whose answer.
        choice, turn, repeat: which of the model's answers, which turn of it, and which judgment of that.
        prompt: what the judge is given.
        call: None where there is no answer to judge.
        lacking: why not.
        against: the other model, in a comparison of two; else "".
        place: where the model's answer stands in a comparison: as A or as B.
    """

    question: Question
    model: str
    choice: int
    turn: Turn
    repeat: int
    prompt: JudgePrompt
    call: Call | None
    lacking: Failure | None = None
    against: str = ""
    place: Place = ""


def judge(
    suite: Suite, answers: Answers, model: str, choices: int, settings: JudgeSettings, ask: Ask
) -> list[Judgment]:
    """Rate every turn of every answer; an answer that is missing makes a judgment without verdict."""
    return _judge(list(_ratings(suite, answers, model, choices, settings)), settings, ask)


def compare(
    suite: Suite, answers: Answers, other: Answers, names: tuple[str, str], settings: JudgeSettings, ask: Ask
) -> list[Judgment]:
    """Compare the answers of two models, each pair in both orders; the first answer of either counts.

    Args:
        names: of the model and of the one that it is compared with.
    """
    return _judge(list(_pairs(suite, answers, other, names, settings)), settings, ask)


def _ratings(suite: Suite, answers: Answers, model: str, choices: int, settings: JudgeSettings) -> Iterator[Task]:
    given = {(one.question_id, one.choice): one for one in answers.given}
    for question in suite.questions:
        for number in range(choices):
            answer = given.get((question.id, number))
            lacking = answers.failed.get((question.id, number))
            for turn in _turns(question):
                prompt = suite.prompt("single", turn, question)
                for repeat in range(settings.repeats):
                    call = _call(suite, settings, render_single(prompt, question, answer), repeat) if answer else None
                    yield Task(question, model, number, turn, repeat, prompt, call, lacking)


def _pairs(
    suite: Suite, answers: Answers, other: Answers, names: tuple[str, str], settings: JudgeSettings
) -> Iterator[Task]:
    ours, theirs = _first(answers), _first(other)
    for question in suite.questions:
        pair = ours.get(question.id), theirs.get(question.id)
        lacking = answers.failed.get((question.id, 0)) or other.failed.get((question.id, 0))
        for turn in _turns(question):
            prompt = suite.prompt("pairwise", turn, question)
            for repeat in range(settings.repeats):
                for place in cast("tuple[Place, Place]", ("A", "B")):
                    a, b = pair if place == "A" else pair[::-1]
                    call = _call(suite, settings, render_pair(prompt, question, a, b), repeat) if a and b else None
                    yield Task(question, names[0], 0, turn, repeat, prompt, call, lacking, names[1], place)


def _first(answers: Answers) -> Mapping[object, Answer]:
    return {one.question_id: one for one in answers.given if one.choice == 0}


def _turns(question: Question) -> tuple[Turn, ...]:
    return (1, 2) if len(question.turns) > 1 else (1,)


def _call(suite: Suite, settings: JudgeSettings, messages: tuple[Message, ...], repeat: int) -> Call:
    if settings.structured:
        messages = (*messages[:-1], Message("user", messages[-1].content + IN_JSON))
    return Call(
        service=settings.judge.identity,
        model=settings.judge.model,
        messages=messages,
        temperature=settings.temperature_for(suite),
        max_tokens=suite.judge_max_tokens,
        seed=repeat or None,
        stop=settings.judge.stop,
        schema=SCHEMA if settings.structured else None,
        repeat=repeat,
    )


def _judge(tasks: Sequence[Task], settings: JudgeSettings, ask: Ask) -> list[Judgment]:
    outcomes = ask(settings.judge, [task.call for task in tasks if task.call])
    return [_judgment(task, outcomes.get(task.call.key) if task.call else task.lacking, settings) for task in tasks]


def _judgment(task: Task, outcome: Outcome | None, settings: JudgeSettings) -> Judgment:
    judgment = Judgment(
        question_id=task.question.id,
        model=task.model,
        judge=settings.judge.name,
        prompt=task.prompt.name,
        turn=task.turn,
        text="",
        score=None,
        choice=task.choice,
        repeat=task.repeat,
        category=task.question.category,
        prompt_hash=task.prompt.hash,
        structured=settings.structured,
        against=task.against,
        place=task.place,
        user_prompt=task.call.messages[-1].content if task.call else None,
        key=task.call.key if task.call else None,
    )
    if not isinstance(outcome, Reply):
        return replace(judgment, failure=_failure(task, outcome))
    judgment = replace(
        judgment, text=outcome.text, finish=outcome.finish, reasoning=outcome.reasoning, served=outcome.model
    )
    if not task.place:
        rating = judgment.read(settings.parser)
        return replace(judgment, score=rating.value, problem=rating.problem or "")
    choice = judgment.read_choice(settings.parser)
    points = None if choice.value is None else 0.5 if choice.value == "tie" else float(choice.value == task.place)
    return replace(judgment, winner=choice.value or "", points=points, problem=choice.problem or "")


def _failure(task: Task, outcome: Failure | None) -> str:
    if task.call is None:
        return f"no answer: {outcome.message}" if outcome else "no answer"
    return f"{outcome.kind}: {outcome.message}" if outcome else "not asked"
