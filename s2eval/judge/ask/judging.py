"""The judgments of some answers: the calls to the judge, and the verdicts in its replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from s2eval.judge.ask.answering import Answers, Ask
from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.judgments import Judgment, Place
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.prompts import JudgePrompt, Turn
from s2eval.judge.suite.questions import Question
from s2eval.judge.suite.render import render_pair, render_single
from s2eval.judge.verdicts.parsers import Parser
from s2eval.llm.calls import Call, Failure, Message, Outcome

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
        parser: of the verdicts.
        repeats: judgments of each answer.
        structured: ratings as JSON objects, where the server can enforce a schema.
        temperature: of the judge; None = the suite's.
    """

    judge: ModelHandle
    parser: Parser = "strict"
    repeats: int = 1
    structured: bool = False
    temperature: float | None = None

    def temperature_for(self, suite: Suite) -> float:
        """The judge's temperature."""
        return suite.judge_temperature if self.temperature is None else self.temperature


def judge(
    suite: Suite, answers: Answers, model: str, choices: int, settings: JudgeSettings, ask: Ask
) -> list[Judgment]:
    """Rate every turn of every answer; a missing answer makes a judgment without verdict."""
    complete = {(answer.question_id, answer.choice): answer for answer in answers.complete}
    requests: list[tuple[Judgment, Call | None]] = []
    for question in suite.questions:
        for choice in range(choices):
            answer = complete.get((question.id, choice))
            failure = answers.failed.get((question.id, choice))
            for turn in _turns(question):
                prompt = suite.prompt("single", turn, question)
                draft = replace(_draft(settings, question, model, prompt), choice=choice)
                messages = render_single(prompt, question, answer) if answer else None
                for repeat in range(settings.repeats):
                    requests.append(_request(suite, settings, replace(draft, repeat=repeat), messages, failure))
    return _judgments(requests, settings, ask)


def compare(
    suite: Suite, answers: Answers, other: Answers, names: tuple[str, str], settings: JudgeSettings, ask: Ask
) -> list[Judgment]:
    """Compare the first answers of two models, whose names these are, each pair in both orders."""
    ours, theirs = (
        {answer.question_id: answer for answer in part.complete if answer.choice == 0} for part in (answers, other)
    )
    orders: tuple[Place, Place] = ("A", "B")
    requests: list[tuple[Judgment, Call | None]] = []
    for question in suite.questions:
        pair = ours.get(question.id), theirs.get(question.id)
        failure = answers.failed.get((question.id, 0)) or other.failed.get((question.id, 0))
        for turn in _turns(question):
            prompt = suite.prompt("pairwise", turn, question)
            draft = replace(_draft(settings, question, names[0], prompt), against=names[1])
            for repeat in range(settings.repeats):
                for place in orders:
                    a, b = pair if place == "A" else pair[::-1]
                    messages = render_pair(prompt, question, a, b) if a and b else None
                    judgment = replace(draft, repeat=repeat, place=place)
                    requests.append(_request(suite, settings, judgment, messages, failure))
    return _judgments(requests, settings, ask)


def _turns(question: Question) -> tuple[Turn, ...]:
    return (1, 2) if len(question.turns) > 1 else (1,)


def _draft(settings: JudgeSettings, question: Question, model: str, prompt: JudgePrompt) -> Judgment:
    """A judgment without text."""
    return Judgment(
        question_id=question.id,
        model=model,
        judge=settings.judge.name,
        prompt=prompt.name,
        turn=prompt.turn,
        text="",
        score=None,
        category=question.category,
        prompt_hash=prompt.hash,
        structured=settings.structured,
    )


def _request(
    suite: Suite,
    settings: JudgeSettings,
    draft: Judgment,
    messages: tuple[Message, ...] | None,
    failure: Failure | None,
) -> tuple[Judgment, Call | None]:
    """The draft with its call to the judge; without `messages` there is no answer to judge, for that failure."""
    if messages is None:
        return replace(draft, failure=f"no answer: {failure.message}" if failure else "no answer"), None
    if settings.structured:
        messages = (*messages[:-1], Message("user", messages[-1].content + IN_JSON))
    call = Call(
        service=settings.judge.identity,
        model=settings.judge.model,
        messages=messages,
        temperature=settings.temperature_for(suite),
        max_tokens=suite.judge_max_tokens,
        seed=draft.repeat or None,
        stop=settings.judge.stop,
        schema=SCHEMA if settings.structured else None,
        repeat=draft.repeat,
    )
    return replace(draft, user_prompt=messages[-1].content, key=call.key), call


def _judgments(requests: Sequence[tuple[Judgment, Call | None]], settings: JudgeSettings, ask: Ask) -> list[Judgment]:
    outcomes = ask(settings.judge, [call for _, call in requests if call])
    return [
        _judgment(draft, outcomes.get(draft.key or ""), settings.parser) if call else draft for draft, call in requests
    ]


def _judgment(draft: Judgment, outcome: Outcome | None, parser: Parser) -> Judgment:
    if outcome is None:
        return replace(draft, failure="not asked")
    if isinstance(outcome, Failure):
        return replace(draft, failure=f"{outcome.kind}: {outcome.message}")
    judgment = replace(
        draft, text=outcome.text, finish=outcome.finish, reasoning=outcome.reasoning, served=outcome.model
    )
    if not draft.place:
        rating = judgment.read(parser)
        return replace(judgment, score=rating.value, problem=rating.problem or "")
    choice = judgment.read_choice(parser)
    points = None if choice.value is None else 0.5 if choice.value == "tie" else float(choice.value == draft.place)
    return replace(judgment, winner=choice.value or "", points=points, problem=choice.problem or "")
