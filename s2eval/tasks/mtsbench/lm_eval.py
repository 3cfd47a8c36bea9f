"""`s2_mtsbench`: the first turns of MT(S)-Bench as a task of lm-eval, with a judge from the environment.

S2_JUDGE            openai:NAME, or a model of this machine; by default openai:gpt-4 where OPENAI_API_KEY is set
S2_JUDGE_BASE_URL   of an OpenAI-compatible server; by default OpenAI's
S2_JUDGE_MAX_CALLS, S2_JUDGE_MAX_COST    limits, the cost in USD
"""

from __future__ import annotations

import logging
import os
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from s2eval import paths
from s2eval.errors import S2Error, UsageError
from s2eval.lm_eval_logs.answers import split_text
from s2eval.metrics import count, scale_of
from s2eval.metrics.judgments import RATED, SCORE
from s2eval.records import Estimate
from s2eval.stats import clustered_mean, proportion
from s2eval.tasks import lm_eval
from s2eval.tasks.aggregations import Aggregation

if TYPE_CHECKING:
    import datasets

    from s2eval.judge.ask.judging import JudgeSettings
    from s2eval.llm.budget import Budget

log = logging.getLogger("s2eval")

SUITE = "mtsbench"
T = TypeVar("T")
Item = tuple[int | str, str]  # question, answer


def questions(
    *, template: str | None = None, pretrained: object = None, peft: str | None = None, **model: object
) -> datasets.DatasetDict:
    """The sixty first turns, each with its prompt; the judge is checked now, before anything is answered."""
    from s2eval.judge.suite.definition import load

    name = judge_name()
    if name is None:
        log.warning("s2_mtsbench: answers will not be judged: set S2_JUDGE, or OPENAI_API_KEY for openai:gpt-4")
    else:
        settings, _ = _open(name)
        log.warning("s2_mtsbench: answers will be judged by %s", name)
        try:
            settings.judge.check()
        except S2Error as error:
            log.warning("s2_mtsbench: answers will not be judged unless this passes: %s", error)
    chosen = lm_eval.template_for(template, pretrained, peft, model)
    return lm_eval.dataset(
        [
            {"id": question.id, "category": question.category, "question": question.turns[0]}
            | lm_eval.prompt_fields(question.turns[0], chosen, model)
            for question in load(SUITE).questions
        ]
    )


def score_answer(doc: Mapping[str, object], results: Sequence[str]) -> dict[str, object]:
    """Readability of one answer, and the item that the aggregations judge."""
    answer = split_text(results[0], doc).answer
    item = (doc["id"], answer)
    return {SCORE: item, RATED: item, **lm_eval.whole_text(answer), "s2_words": count(answer).words}


def judge_name() -> str | None:
    """The judge that the environment names; None if it names none and has no key for the default."""
    return os.environ.get("S2_JUDGE") or ("openai:gpt-4" if os.environ.get("OPENAI_API_KEY") else None)


def _mean(items: Sequence[Item]) -> Estimate:
    """The mean rating; no value without a judge, or if it did not answer."""
    ratings = _ratings(judge_name(), tuple((number, answer) for number, answer in items))
    return clustered_mean(ratings, range(len(ratings)), within=scale_of(SCORE))


def _share(items: Sequence[Item]) -> Estimate:
    """The share of the answers that have a rating."""
    ratings = _ratings(judge_name(), tuple((number, answer) for number, answer in items))
    return proportion(sum(rating is not None for rating in ratings), len(ratings))


@lru_cache(maxsize=4)
def _ratings(name: str | None, items: tuple[Item, ...]) -> list[float | None]:
    """A rating for each answer. lm-eval aggregates before it writes any task, so an error is logged, not raised."""
    if name is None:
        return [None] * len(items)
    try:
        return _judge(name, items)
    except S2Error as error:
        log.error("s2_mtsbench: not judged: %s. Its judgments so far are kept; the score is nan, not a number", error)
        return [None] * len(items)


def _judge(name: str, items: Sequence[Item]) -> list[float | None]:
    from s2eval.judge import bench
    from s2eval.judge.ask import judging
    from s2eval.judge.ask.answering import Answers
    from s2eval.judge.suite.definition import load
    from s2eval.judge.suite.questions import Answer
    from s2eval.llm import prices as tables
    from s2eval.llm.ledger import Ledger

    settings, budget = _open(name)
    texts = dict(items)
    suite = load(SUITE).part(texts, turns=1)
    answers = tuple(Answer(question.id, "model", 0, (texts[question.id],)) for question in suite.questions)
    with Ledger.open(paths.cache() / "judge" / "calls.sqlite") as ledger:
        budget.keep_in(ledger, f"lm-eval {uuid.uuid4().hex}")  # the limits are those of this run
        client = bench.CachedClient(ledger, tables.load(), budget)
        judgments = judging.judge(suite, Answers(answers, {}, frozenset()), "model", 1, settings, client)
    problems = Counter(judgment.without_verdict.partition(":")[0] for judgment in judgments if judgment.without_verdict)
    if problems:
        listed = ", ".join(f"{problem} {number}" for problem, number in problems.items())
        log.warning("s2_mtsbench: %d of %d answers have no rating: %s", sum(problems.values()), len(judgments), listed)
    by_question = {judgment.question_id: judgment.score for judgment in judgments}
    return [by_question[question] for question, _ in items]


def _open(name: str) -> tuple[JudgeSettings, Budget]:
    from s2eval.judge.ask.judging import JudgeSettings
    from s2eval.judge.ask.model_handles import Access, open_judge
    from s2eval.llm import prices as tables
    from s2eval.llm.budget import Budget

    calls, cost = _limit("S2_JUDGE_MAX_CALLS", int), _limit("S2_JUDGE_MAX_COST", float)
    budget = Budget(calls, cost, tables.load().of)
    return JudgeSettings(open_judge(name, Access(os.environ.get("S2_JUDGE_BASE_URL"), budget))), budget


def _limit(variable: str, read: Callable[[str], T]) -> T | None:
    text = os.environ.get(variable)
    try:
        return read(text) if text else None
    except ValueError:
        raise UsageError(f"{variable}={text}: not a number") from None


mean_rating = Aggregation("mean_rating", _mean)
share_rated = Aggregation("share_rated", _share)
