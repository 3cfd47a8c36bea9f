"""The answers of the models under test, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.questions import Answer, Question, reasoned_answer
from s2eval.judge.suite.rows import QuestionId
from s2eval.llm.calls import Call, Failure, Message, Outcome, Reply

Ask = Callable[[ModelHandle, Sequence[Call]], Mapping[str, Outcome]]
"""Makes the calls that are not in the store; key → outcome of every call."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's answers.

    Attributes:
        complete: those with every turn.
        failed: (question, choice) → why there is no complete answer.
        cut: (question, choice, turn) that ended at the limit of tokens, or before the reasoning did.
        served: the names of the model that its server reported, one a reply.
    """

    complete: tuple[Answer, ...]
    failed: Mapping[tuple[QuestionId, int], Failure]
    cut: frozenset[tuple[QuestionId, int, int]]
    served: tuple[str, ...] = ()


def answer(suite: Suite, model: ModelHandle, choices: int, ask: Ask) -> Answers:
    """Answer every question of a suite `choices` times, first turns first; greedy answers are all the same."""
    if model.service is None:
        cut = {(answer.question_id, answer.choice, turn) for answer in model.answers for turn in answer.cut}
        return Answers(model.answers, {}, frozenset(cut))
    questions = {(question.id, choice): question for question in suite.questions for choice in range(choices)}
    texts: dict[tuple[QuestionId, int], list[str]] = {key: [] for key in questions}
    reasoning: dict[tuple[QuestionId, int], list[str]] = {key: [] for key in questions}
    failed: dict[tuple[QuestionId, int], Failure] = {}
    cut: set[tuple[QuestionId, int, int]] = set()
    served: list[str] = []
    for turn in range(max(len(question.turns) for question in suite.questions)):
        calls = {
            key: _call(suite, model, question, texts[key], key[1])
            for key, question in questions.items()
            if len(question.turns) > turn and key not in failed
        }
        outcomes = ask(model, list(calls.values()))
        for key, call in calls.items():
            outcome = outcomes.get(call.key) or Failure("server", "not asked")
            if isinstance(outcome, Reply):
                texts[key].append(outcome.text)
                reasoning[key].append(outcome.reasoning)
                served.append(outcome.model)
                if outcome.cut:
                    cut.add((*key, turn + 1))
            else:
                failed[key] = outcome
    complete = tuple(
        reasoned_answer(key[0], model.name, key[1], texts[key], reasoning[key])
        for key in questions
        if key not in failed
    )
    return Answers(complete, failed, frozenset(cut), tuple(served))


def _call(suite: Suite, model: ModelHandle, question: Question, texts: Sequence[str], choice: int) -> Call:
    """The call for the turn after these answers. The seed of a sampled answer is its choice, so that a run resumes."""
    messages: list[Message] = []
    for user, assistant in zip(question.turns, texts, strict=False):
        messages += [Message("user", user), Message("assistant", assistant)]
    messages.append(Message("user", question.turns[len(texts)]))
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
