"""What the models under test are asked, turn by turn, and the answers that came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.questions import Answer, Question, reasoned_answer
from s2eval.judge.suite.rows import QuestionId
from s2eval.llm.calls import Call, Failure, Message, Outcome, Reply

Ask = Callable[[ModelHandle, Sequence[Call]], Mapping[str, Outcome]]
"""Asks a handle what its store does not know yet; key → outcome of every call that was made."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's answers.

    Attributes:
        given: whole ones: every turn was answered.
        failed: (question, choice) → why there is no whole answer.
        cut: (question, choice, turn) that ended at the limit of tokens, or before the reasoning did.
        served: the names of the model that its server reported, one a reply.
    """

    given: tuple[Answer, ...]
    failed: Mapping[tuple[QuestionId, int], Failure]
    cut: frozenset[tuple[QuestionId, int, int]]
    served: tuple[str, ...] = ()


def answer(suite: Suite, model: ModelHandle, choices: int, ask: Ask) -> Answers:
    """Ask every question of a suite, first turns first.

    Args:
        choices: how often each question is answered; greedy answers are all the same.
    """
    if model.service is None:
        never_began = {(one.question_id, one.choice, turn) for one in model.answers for turn in one.cut}
        return Answers(model.answers, {}, frozenset(never_began))
    asked = [(question, choice) for question in suite.questions for choice in range(choices)]
    said: dict[tuple[QuestionId, int], list[str]] = {(question.id, choice): [] for question, choice in asked}
    thought: dict[tuple[QuestionId, int], list[str]] = {place: [] for place in said}
    failed: dict[tuple[QuestionId, int], Failure] = {}
    cut: set[tuple[QuestionId, int, int]] = set()
    served: list[str] = []
    for turn in range(max(len(question.turns) for question in suite.questions)):
        calls = {
            (question.id, choice): call_for(suite, model, question, said[question.id, choice], choice)
            for question, choice in asked
            if len(question.turns) > turn and (question.id, choice) not in failed
        }
        outcomes = ask(model, list(calls.values()))
        for place, call in calls.items():
            outcome = outcomes.get(call.key) or Failure("server", "not asked")
            if isinstance(outcome, Reply):
                said[place].append(outcome.text)
                thought[place].append(outcome.reasoning)
                served.append(outcome.model)
                if outcome.cut:
                    cut.add((*place, turn + 1))
            else:
                failed[place] = outcome
    given = tuple(
        reasoned_answer(question.id, model.name, choice, said[question.id, choice], thought[question.id, choice])
        for question, choice in asked
        if (question.id, choice) not in failed
    )
    return Answers(given, failed, frozenset(cut), tuple(served))


def call_for(suite: Suite, model: ModelHandle, question: Question, said: Sequence[str], choice: int) -> Call:
    """The next turn of a question, after what the model said so far.

    Sampled answers have a seed, a number for each choice, so that a resumed run asks the same.
    """
    messages: list[Message] = []
    for asked, answered in zip(question.turns, [*said, None], strict=False):
        messages.append(Message("user", asked))
        if answered is None:
            break
        messages.append(Message("assistant", answered))
    temperature = suite.temperature(question)
    return Call(
        service=model.identity,
        model=model.model,
        messages=tuple(messages),
        temperature=temperature,
        max_tokens=suite.max_tokens,
        seed=choice if temperature > 0 else None,
        stop=model.stop,
        repeat=choice if temperature > 0 else 0,
    )
