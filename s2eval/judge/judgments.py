"""Stored judgments of single answers, ours and FastChat's, read again: the mean ratings, and what was refused.

>>> for summary in summarize(read_single(Path("model_judgment/gpt-4_single.jsonl"))):
...     print(summary.model, summary.average.value, f"{summary.average.n_valid}/{summary.average.n}")
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from s2eval.errors import DataError, UsageError
from s2eval.judge.suite.rows import FileRow, Filled, Id, Problems, QuestionId, read_rows
from s2eval.judge.verdicts.parsers import Parser, Rating, rating, rating_json, spoken

Turn = Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a judge wrote about one turn of one answer.

    Attributes:
        judge, prompt: names of the model that judges and of the prompt that it is given.
        text: all that it wrote; "" where it could not be asked.
        score: as stored; None where there is none (FastChat's -1).
        choice, repeat: 0, 1, …: which of several answers to the question; which of several judgments of it.
        category: the question's; "" where the file does not say.
        prompt_hash: of the prompt's text; "" likewise.
        structured: the judge was asked for JSON, which both parsers read alike.
        failure: why the judge could not be asked; "" where it could.
        finish, reasoning: why its text ended, as the server said, and what it thought before; "" where the file does
            not say.
        source: file and line.
    """

    question_id: QuestionId
    model: str
    judge: str
    prompt: str
    turn: Turn
    text: str
    score: float | None
    choice: int = 0
    repeat: int = 0
    category: str = ""
    prompt_hash: str = ""
    structured: bool = False
    failure: str = ""
    finish: str = ""
    reasoning: str = ""
    source: str = field(default="", compare=False)

    def read(self, parser: Parser = "strict") -> Rating:
        """The rating that the text gives; the stored score plays no part."""
        if self.failure:
            return Rating(None, "failed call")
        if self.structured:
            return rating_json(self.text)
        if parser == "fastchat":
            return rating(self.text, parser)
        text, cut = spoken(self.text, self.reasoning, self.finish)
        return rating(text, cut=cut)


@dataclass(frozen=True, slots=True)
class TurnScore:
    """The mean rating of some judgments.

    Attributes:
        value: from 1 to 10; None where none has a rating.
        n, n_valid: judgments, and those of them with a rating.
        problems: why the others have none (`out of range`, `not at the end`, …) → how many, the most frequent first.
    """

    value: float | None
    n: int
    n_valid: int
    problems: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The ratings of one model.

    Attributes:
        judges, prompts: names, in alphabetical order; more than one judge only where mixing was asked for.
        average: of all judgments of both turns, as FastChat has it.
    """

    model: str
    judges: tuple[str, ...]
    prompts: tuple[str, ...]
    parser: Parser
    first: TurnScore
    second: TurnScore
    average: TurnScore


class _Row(FileRow):
    question_id: Id
    model: Filled
    judge: list[Filled] = Field(min_length=2, max_length=2)
    turn: Literal[1, 2]
    judgment: str | None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    choice: int = Field(0, ge=0)
    repeat: int = Field(0, ge=0)
    category: str = ""
    prompt_hash: str = ""
    structured: bool = False
    failure: str = ""
    finish: str = ""
    reasoning: str = ""

    @model_validator(mode="before")
    @classmethod
    def _single(cls, row: Any) -> Any:
        if isinstance(row, dict) and "g1_winner" in row:
            raise ValueError("a pairwise judgment (it has g1_winner); expected judgments of single answers")
        return row

    @model_validator(mode="after")
    def _said_or_failed(self) -> _Row:
        if self.judgment is None and not self.failure:
            raise ValueError("judgment: is null, and no failure says why")
        return self


def read_single(path: Path) -> list[Judgment]:
    """The judgments of single answers in a file, in its order: FastChat's `<judge>_single.jsonl`, or our export.

    Raises:
        DataError: with all that is wrong, line by line.
    """
    problems = Problems(path)
    rows = read_rows(path, _Row, problems)
    problems.tell()
    return [_judgment(row, f"{path}, line {line}") for line, row in rows]


def _judgment(row: _Row, source: str) -> Judgment:
    return Judgment(
        question_id=row.question_id,
        model=row.model,
        judge=row.judge[0],
        prompt=row.judge[1],
        turn=row.turn,
        text=row.judgment or "",
        score=None if row.score == -1 else row.score,
        choice=row.choice,
        repeat=row.repeat,
        category=row.category,
        prompt_hash=row.prompt_hash,
        structured=row.structured,
        failure=row.failure,
        finish=row.finish,
        reasoning=row.reasoning,
        source=source,
    )


def summarize(judgments: Iterable[Judgment], parser: Parser = "strict", *, mix: bool = False) -> list[ModelSummary]:
    """First turn, second turn and average of every model, in the order in which the models appear.

    `fastchat` gives FastChat's numbers (`show_result.py` of its 0.2.36): every line counts, also one that is there
    twice, and the average is over whatever lines there are. With `strict` there is no average without both turns.

    Args:
        mix: let different judges and prompts into one mean all the same.

    Raises:
        DataError: strict, and the same judgment is there twice; with the file and line of both.
        UsageError: more than one judge, or different prompts for the same question and turn, without `mix`.
    """
    judgments = list(judgments)
    if parser == "strict":
        _refuse_repeats(judgments)
    if not mix:
        _refuse_mixtures(judgments)
    by_model: dict[str, list[Judgment]] = {}
    for judgment in judgments:
        by_model.setdefault(judgment.model, []).append(judgment)
    return [_summary(model, of_model, parser) for model, of_model in by_model.items()]


def _summary(model: str, judgments: Sequence[Judgment], parser: Parser) -> ModelSummary:
    ratings: dict[Turn, list[Rating]] = {1: [], 2: []}
    for judgment in judgments:
        ratings[judgment.turn].append(judgment.read(parser))
    first, second, average = _score(ratings[1]), _score(ratings[2]), _score([*chain(*ratings.values())])
    if parser == "strict" and (first.value is None or second.value is None):
        average = TurnScore(None, average.n, average.n_valid, average.problems)
    judges, prompts = {one.judge for one in judgments}, {one.prompt for one in judgments}
    return ModelSummary(model, tuple(sorted(judges)), tuple(sorted(prompts)), parser, first, second, average)


def _score(ratings: Sequence[Rating]) -> TurnScore:
    values = [one.value for one in ratings if one.value is not None]
    kinds = Counter(one.problem.partition(":")[0] for one in ratings if one.problem)
    mean = math.fsum(values) / len(values) if values else None
    return TurnScore(mean, len(ratings), len(values), dict(kinds.most_common()))


def _refuse_repeats(judgments: Iterable[Judgment]) -> None:
    seen: dict[Hashable, Judgment] = {}
    for one in judgments:
        key = (type(one.question_id), one.question_id, one.model, one.turn, one.choice, one.repeat, one.judge)
        before = seen.setdefault(key, one)
        if before is not one:
            raise DataError(
                f"{one.source}: {one.judge}'s judgment of question {one.question_id!r}, model {one.model!r}, turn "
                f"{one.turn} is in {before.source} too. FastChat appends when it is run again, and counts both; "
                "remove one of them, or take --parser fastchat to count both"
            )


def _refuse_mixtures(judgments: Iterable[Judgment]) -> None:
    """One judge in all; a turn's prompts are two at most (with and without a reference), a question's is one."""
    judge: Judgment | None = None
    prompts: dict[Hashable, Judgment] = {}
    in_turn: dict[Turn, dict[str, Judgment]] = {1: {}, 2: {}}
    for one in judgments:
        judge = judge or one
        if one.judge != judge.judge:
            raise _mixture("judges", "", (judge.judge, judge), (one.judge, one))
        before = prompts.setdefault((type(one.question_id), one.question_id, one.turn), one)
        if one.prompt != before.prompt:
            where = f" of question {one.question_id!r}, turn {one.turn}"
            raise _mixture("prompts", where, (before.prompt, before), (one.prompt, one))
        same = in_turn[one.turn].setdefault(one.prompt, one)
        if same.prompt_hash != one.prompt_hash:
            raise _mixture(f"versions of prompt {one.prompt!r}", "", (same.prompt_hash, same), (one.prompt_hash, one))
        if len(in_turn[one.turn]) > 2:
            named = [(name, first) for name, first in in_turn[one.turn].items()]
            raise _mixture("prompts (with and without a reference there are two)", f" of turn {one.turn}", *named)


def _mixture(what: str, where: str, *named: tuple[str, Judgment]) -> UsageError:
    told = ", ".join(f"{name!r} ({first.source})" for name, first in named)
    return UsageError(f"different {what}{where}: {told}. Their ratings do not share a table unless asked")
