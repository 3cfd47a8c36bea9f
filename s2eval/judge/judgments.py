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
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from s2eval.errors import DataError, UsageError
from s2eval.judge.suite.rows import FileRow, Filled, Id, Problems, QuestionId, read_rows
from s2eval.judge.verdicts.parsers import Choice, Parser, Rating, choice, rating, rating_json, spoken

Turn = Literal[1, 2]
Place = Literal["", "A", "B"]
V = TypeVar("V")


def both_orders(first: V | None, second: V | None, tie: V) -> V | None:
    """The verdict on a pair shown in both orders: what both say, else a tie; None where one has none (2306.05685)."""
    if first is None or second is None:
        return None
    return first if first == second else tie


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a judge wrote about one turn of one answer, or of two that it compared.

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
        problem: why no verdict can be read in the text; "" where one can, and in files that do not say.
        against, place: of a comparison: the other model, and where this one's answer stood, as A or as B.
        winner, points: of a comparison: `A`, `B` or `tie`; 1 = this model's answer is better, 0 = the
            other's, ½ = a tie.
        user_prompt, key: what the judge was shown, and the call in the store; None where it was not asked.
        served: the judge's name as its server reports it; "" where it reports none, and in files.
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
    problem: str = ""
    against: str = ""
    place: Place = ""
    winner: str = ""
    points: float | None = None
    user_prompt: str | None = None
    key: str | None = None
    served: str = ""
    source: str = field(default="", compare=False)

    @property
    def without_verdict(self) -> str:
        """Why there is no verdict: the failed call, or what is wrong with the text; "" where there is one."""
        return self.failure or self.problem

    def read(self, parser: Parser = "strict") -> Rating:
        """The rating that the text gives; the stored score plays no part."""
        if self.failure:
            return Rating(None, "failed call")
        if self.structured:
            return rating_json(self.text)
        text, cut = self._spoken(parser)
        return rating(text, parser, cut=cut)

    def read_choice(self, parser: Parser = "strict") -> Choice:
        """The choice between two answers that the text makes."""
        text, cut = self._spoken(parser)
        return choice(text, parser, cut=cut)

    def _spoken(self, parser: Parser) -> tuple[str, bool]:
        return spoken(self.text, self.reasoning, self.finish) if parser == "strict" else (self.text, False)


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


def _lower(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


Winner = Annotated[Literal["model_1", "model_2", "tie", "error"], BeforeValidator(_lower)]


class _FastChatPair(FileRow):
    """A line of FastChat's `<judge>_pair.jsonl`: both orders, the winner named by the model, not by its place."""

    question_id: Id
    model_1: Filled
    model_2: Filled
    g1_winner: Winner
    g2_winner: Winner
    judge: list[Filled]
    turn: Literal[1, 2]

    def judgments(self, source: str) -> list[Judgment]:
        """One of each order; `model_1` was shown first in the first."""
        orders: tuple[tuple[Place, str], ...] = (("B", self.g1_winner), ("A", self.g2_winner))
        points = {"model_2": 1.0, "model_1": 0.0, "tie": 0.5, "error": None}
        return [
            Judgment(
                self.question_id,
                self.model_2,
                self.judge[0],
                "".join(self.judge[1:2]),
                self.turn,
                "",
                None,
                against=self.model_1,
                place=place,
                points=points[winner],
                source=source,
            )
            for place, winner in orders
        ]


class _Pair(FileRow):
    """A line of our `pairwise-<baseline>.jsonl`: one order."""

    question_id: Id
    model: Filled
    against: Filled
    place: Literal["A", "B"]
    points: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None
    judge: list[Filled]
    turn: Literal[1, 2]
    repeat: int = 0
    choice: int = 0

    def judgments(self, source: str) -> list[Judgment]:
        """The judgment of the line."""
        return [
            Judgment(
                self.question_id,
                self.model,
                self.judge[0],
                "".join(self.judge[1:2]),
                self.turn,
                "",
                None,
                self.choice,
                self.repeat,
                against=self.against,
                place=self.place,
                points=self.points,
                source=source,
            )
        ]


def read_pairs(path: Path) -> list[Judgment]:
    """The judgments of pairs in a file, two of each pair: FastChat's `<judge>_pair.jsonl`, or our `pairwise-*.jsonl`.

    Raises:
        DataError: with all that is wrong, line by line; or the same judgment is there twice.
    """
    problems = Problems(path)
    kind: type[_Pair] | type[_FastChatPair] = _Pair if path.name.startswith("pairwise-") else _FastChatPair
    rows = read_rows(path, kind, problems)
    problems.tell()
    seen: set[Hashable] = set()
    read: list[Judgment] = []
    for line, row in rows:
        for judgment in row.judgments(f"{path}, line {line}"):
            key = (*pair_of(judgment), judgment.place)
            if key in seen:
                question = f"question {judgment.question_id}, turn {judgment.turn}"
                if kind is _Pair:
                    question += f", choice {judgment.choice}, repeat {judgment.repeat}"
                raise DataError(f"{judgment.source}: {question} is a duplicate")
            seen.add(key)
            read.append(judgment)
    return read


def read_judgments(path: Path) -> list[Judgment]:
    """The judgments in a file of single answers (`read_single`) or of pairs (`read_pairs`), ours or FastChat's."""
    pairs = path.name.startswith("pairwise-") or path.name.endswith("_pair.jsonl")
    return read_pairs(path) if pairs else read_single(path)


def pair_of(judgment: Judgment) -> tuple[Hashable, ...]:
    """What the judgments of both orders of a pair share."""
    one = judgment
    return one.model, one.against, one.judge, str(one.question_id), one.turn, one.choice, one.repeat


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
        _check_repeats(judgments)
    if not mix:
        _check_mixtures(judgments)
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


def _check_repeats(judgments: Iterable[Judgment]) -> None:
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


def _check_mixtures(judgments: Iterable[Judgment]) -> None:
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
