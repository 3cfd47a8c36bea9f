"""One run of a benchmark with a judge: asks what is not stored yet, and counts what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

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
from s2eval.llm.ledger import Ledger, Spent
from s2eval.llm.prices import Prices

ASSUMED = 1200  # characters of a text that is not there yet, for estimates

Progress = Callable[[str, int, int, Spent], None]
"""Is told who is asked, how many calls have ended, how many there are, and what they cost."""


@dataclass(frozen=True, slots=True)
class CachedClient:
    """Asks for real, through the store.

    Attributes:
        budget: checked before the first call of each round; kept in the ledger.
    """

    ledger: Ledger
    prices: Prices
    budget: Budget | None = None
    progress: Progress = lambda *_: None

    def __call__(self, handle: ModelHandle, calls: Sequence[Call]) -> Mapping[str, Outcome]:
        assert handle.service is not None
        budget = self.budget if handle.remote else None
        if budget is not None:
            budget.check(self.ledger.pending(calls))
        told = lambda done, total, spent: self.progress(handle.name, done, total, spent)  # noqa: E731
        return ask(handle.service, calls, self.ledger, cost=self.prices.cost, progress=told, budget=budget)


@dataclass(slots=True)
class DryRunClient:
    """Asks nobody: what is stored is given, the rest is made up, and noted as a call that would be made.

    Attributes:
        calls: those calls, with who would be asked.
    """

    ledger: Ledger
    calls: list[tuple[ModelHandle, Call]] = field(default_factory=list[tuple[ModelHandle, Call]])

    def __call__(self, handle: ModelHandle, calls: Sequence[Call]) -> Mapping[str, Outcome]:
        known = self.ledger.outcomes(calls)
        pending = {call.key: call for call in calls if not isinstance(known.get(call.key), Reply)}
        self.calls += [(handle, call) for call in pending.values()]
        return {**known, **{key: Reply((key * ASSUMED)[:ASSUMED]) for key in pending}}


@dataclass(frozen=True, slots=True)
class Result:
    """One model, judged.

    Attributes:
        answers: the model's.
        judgments: of them, in the order of the questions.
        suspects: (question, choice) → what looks as if it were written for the judge.
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
        """Judgments that a resumed run makes: the answer or the verdict could not be had."""
        return sum(bool(judgment.failure) for judgment in self.judgments)


def known(path: Path) -> AbstractContextManager[Ledger]:
    """The store at `path`, to look into; an empty one where there is none yet, which leaves nothing behind."""
    return Ledger.open(path if path.exists() else Path(":memory:"))


def rate(suite: Suite, model: ModelHandle, settings: JudgeSettings, choices: int, client: answering.Ask) -> Result:
    """Answers and ratings of one model."""
    answers = answering.answer(suite, model, choices, client)
    if model.service is None:
        choices = 1 + max(answer.choice for answer in answers.given)
    judgments = judging.judge(suite, answers, model.name, choices, settings, client)
    return Result(suite, model, settings, choices, answers, tuple(judgments), judge_gaming.suspects(answers.given))


def compare(
    suite: Suite, model: ModelHandle, against: ModelHandle, settings: JudgeSettings, client: answering.Ask
) -> Result:
    """Answers of two models, and which of each two the judge finds better, in both orders."""
    answers = answering.answer(suite, model, 1, client)
    others = answering.answer(suite, against, 1, client)
    judgments = judging.compare(suite, answers, others, (model.name, against.name), settings, client)
    suspects = judge_gaming.suspects(answers.given)
    return Result(suite, model, settings, 1, answers, tuple(judgments), suspects, against)
