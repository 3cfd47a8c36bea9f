"""One run of a benchmark with a judge, over a store of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.judge.ask import answering, judging
from s2eval.judge.ask.answering import Answers
from s2eval.judge.ask.judging import JudgeSettings
from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.judgments import Judgment
from s2eval.judge.scores import judge_gaming
from s2eval.judge.suite.definition import Suite
from s2eval.llm.asking import ask
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Outcome, Reply
from s2eval.llm.ledger import MEMORY, Ledger, Spent
from s2eval.llm.prices import Prices

if TYPE_CHECKING:
    from s2eval.llm.client import OpenAIService

ASSUMED = 1200  # characters of an answer that is not stored yet, for estimates

Progress = Callable[[str, int, int, Spent], None]
"""Called with the model, how many of its calls have ended, how many there are, and their cost."""


@dataclass(frozen=True, slots=True)
class CachedClient:
    """Makes the calls that the store lacks; the budget is checked before each round."""

    ledger: Ledger
    prices: Prices
    budget: Budget | None = None
    progress: Progress = lambda *_: None

    def __call__(self, handle: ModelHandle, calls: Sequence[Call]) -> Mapping[str, Outcome]:
        assert handle.service is not None
        budget = self.budget if handle.remote else None
        if budget is not None:
            budget.check(self.ledger.pending(calls))
        report = partial(self.progress, handle.name)
        return ask(handle.service, calls, self.ledger, cost=self.prices.cost, progress=report, budget=budget)


@dataclass(slots=True)
class DryRunClient:
    """Makes no calls: stored replies are returned; the other calls are collected, and get a placeholder."""

    ledger: Ledger
    calls: list[tuple[ModelHandle, Call]] = field(default_factory=list[tuple[ModelHandle, Call]])

    def __call__(self, handle: ModelHandle, calls: Sequence[Call]) -> Mapping[str, Outcome]:
        known = self.ledger.outcomes(calls)
        pending = {call.key: call for call in calls if not isinstance(known.get(call.key), Reply)}
        self.calls += [(handle, call) for call in pending.values()]
        return {**known, **{key: Reply((key * ASSUMED)[:ASSUMED]) for key in pending}}


@dataclass(frozen=True, slots=True)
class Result:
    """One model's answers and their judgments, in the order of the questions.

    Attributes:
        suspects: (question, choice) → signs that an answer was written for the judge.
        against: the model that it was compared with; None where each answer was rated by itself.
    """

    suite: Suite
    model: ModelHandle
    settings: JudgeSettings
    choices: int
    answers: Answers
    judgments: tuple[Judgment, ...]
    suspects: Mapping[tuple[object, int], list[str]]
    against: ModelHandle | None = None

    @property
    def failed(self) -> int:
        """Judgments that a resumed run repeats, because a call failed."""
        return sum(bool(judgment.failure) for judgment in self.judgments)


def known(path: Path) -> AbstractContextManager[Ledger]:
    """The store at `path`; where there is none, an empty one in memory."""
    return Ledger.open(path if path.exists() else MEMORY)


def check(calls: Iterable[tuple[ModelHandle, Call]], budget: Budget) -> None:
    """Check, without cost, that these calls can be made: each server is asked once for its list of models.

    Raises:
        UsageError: there is a limit of cost, and a price is not known.
        PrerequisiteError: no key.
        ServiceError: a server is out of reach, refuses the key, or does not serve the model.
    """
    remote = {handle.identity: (handle, call) for handle, call in calls if handle.remote}
    budget.check(call for _, call in remote.values())
    servers: dict[str, tuple[OpenAIService, list[str]]] = {}
    for handle, _ in remote.values():
        if handle.server is not None:
            servers.setdefault(handle.server.url, (handle.server, []))[1].append(handle.model)
    for server, models in servers.values():
        server.check(*models)


def rate(suite: Suite, model: ModelHandle, settings: JudgeSettings, choices: int, client: answering.Ask) -> Result:
    """Answers and ratings of one model."""
    answers = answering.answer(suite, model, choices, client)
    if model.service is None:
        choices = 1 + max(answer.choice for answer in answers.complete)
    judgments = judging.judge(suite, answers, model.name, choices, settings, client)
    return Result(suite, model, settings, choices, answers, tuple(judgments), judge_gaming.suspects(answers.complete))


def compare(
    suite: Suite, model: ModelHandle, against: ModelHandle, settings: JudgeSettings, client: answering.Ask
) -> Result:
    """Answers of two models, and the judge's choice between each two, in both orders."""
    answers = answering.answer(suite, model, 1, client)
    others = answering.answer(suite, against, 1, client)
    judgments = judging.compare(suite, answers, others, (model.name, against.name), settings, client)
    suspects = judge_gaming.suspects(answers.complete)
    return Result(suite, model, settings, 1, answers, tuple(judgments), suspects, against)
