"""Judgments: the record, files of them (ours and FastChat's), and the mean ratings of a model.

>>> for summary in summarize(read_single(Path("model_judgment/gpt-4_single.jsonl"))):
...     print(summary.model, summary.average.value, f"{summary.average.n_valid}/{summary.average.n}")
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

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
    """A judge's text about one turn of one answer, or of two that it compared. Texts are "" where they are unknown.

    Attributes:
        judge, prompt: names of the judge and of its prompt.
        text: all that it wrote; "" also where the call failed.
        score: as stored; None where there is none (FastChat's -1).
        choice, repeat: 0, 1, …: which of several answers to the question; which of several judgments of it.
        category: the question's.
        prompt_hash: of the prompt's text.
        structured: JSON was requested, which both parsers read alike.
        failure: why the call failed; "" where it did not.
        finish, reasoning: why its text ended, as the server reports it, and its reasoning.
        problem: why no verdict can be read in the text; "" where one can.
        against, place: of a comparison: the other model, and where this one's answer stood.
        winner, points: of a comparison: `A`, `B` or `tie`; 1 = this model's answer is better, 0 = the other's, ½ = a
            tie.
        user_prompt, key: the judge's prompt, and the call in the store; None where no call was made.
        served: the judge's name as its server reports it.
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
        """Why there is no verdict: the failed call, or the problem of the text; "" where there is one."""
        return self.failure or self.problem

    def read(self, parser: Parser = "strict") -> Rating:
        """The rating in the text, not the stored score."""
        if self.failure:
            return Rating(None, "failed call")
        if self.structured:
            return rating_json(self.text)
        text, cut = spoken(self.text, self.reasoning, self.finish) if parser == "strict" else (self.text, False)
        return rating(text, parser, cut=cut)

    def read_choice(self, parser: Parser = "strict") -> Choice:
        """The choice between two answers in the text."""
        text, cut = spoken(self.text, self.reasoning, self.finish) if parser == "strict" else (self.text, False)
        return choice(text, parser, cut=cut)


@dataclass(frozen=True, slots=True)
class TurnScore:
    """The mean rating of `n` judgments, `n_valid` of which have one; None where none has.

    `problems` counts why the others have none (`out of range`, `not at the end`, …), the most frequent first.
    """

    value: float | None
    n: int
    n_valid: int
    problems: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The ratings of one model; `average` is of all judgments of both turns, as FastChat has it.

    `judges` and `prompts` are names, in alphabetical order.
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
    def _check_single(cls, row: object) -> object:
        if isinstance(row, dict) and "g1_winner" in row:
            raise ValueError("a pairwise judgment (it has g1_winner); expected judgments of single answers")
        return row

    @model_validator(mode="after")
    def _check_text(self) -> _Row:
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
    problems.check()
    return [
        Judgment(
            judge=row.judge[0],
            prompt=row.judge[1],
            text=row.judgment or "",
            score=None if row.score == -1 else row.score,
            source=f"{path}, line {line}",
            **row.model_dump(exclude={"judge", "judgment", "score"}),
        )
        for line, row in rows
    ]


def _lower(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


Winner = Annotated[Literal["model_1", "model_2", "tie", "error"], BeforeValidator(_lower)]


class _PairRow(FileRow):
    question_id: Id
    judge: list[Filled]
    turn: Literal[1, 2]

    def judgment(self, model: str, against: str, place: Place, points: float | None, source: str) -> Judgment:
        judge, prompt = self.judge[0], "".join(self.judge[1:2])
        fields = (self.question_id, model, judge, prompt, self.turn, "", None)
        return Judgment(*fields, against=against, place=place, points=points, source=source)


class _FastChatPair(_PairRow):
    """A line of FastChat's `<judge>_pair.jsonl`: both orders, the winner given by the model, not by its place."""

    model_1: Filled
    model_2: Filled
    g1_winner: Winner
    g2_winner: Winner

    def judgments(self, source: str) -> list[Judgment]:
        """A judgment for each order; `model_1` was shown first in the first."""
        points = {"model_2": 1.0, "model_1": 0.0, "tie": 0.5, "error": None}
        return [
            self.judgment(self.model_2, self.model_1, "B", points[self.g1_winner], source),
            self.judgment(self.model_2, self.model_1, "A", points[self.g2_winner], source),
        ]


class _Pair(_PairRow):
    """A line of our `pairwise-<baseline>.jsonl`: one order."""

    model: Filled
    against: Filled
    place: Literal["A", "B"]
    points: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None
    repeat: int = 0
    choice: int = 0

    def judgments(self, source: str) -> list[Judgment]:
        """The judgment of the line."""
        judgment = self.judgment(self.model, self.against, self.place, self.points, source)
        return [replace(judgment, choice=self.choice, repeat=self.repeat)]


def read_pairs(path: Path) -> list[Judgment]:
    """The judgments of pairs in a file, two of each pair: FastChat's `<judge>_pair.jsonl`, or our `pairwise-*.jsonl`.

    Raises:
        DataError: with all that is wrong, line by line; or a judgment is a duplicate.
    """
    problems = Problems(path)
    kind: type[_Pair] | type[_FastChatPair] = _Pair if path.name.startswith("pairwise-") else _FastChatPair
    rows = read_rows(path, kind, problems)
    problems.check()
    seen: set[Hashable] = set()
    judgments: list[Judgment] = []
    for line, row in rows:
        for judgment in row.judgments(f"{path}, line {line}"):
            key = (*pair_of(judgment), judgment.place)
            if key in seen:
                question = f"question {judgment.question_id}, turn {judgment.turn}"
                if kind is _Pair:
                    question += f", choice {judgment.choice}, repeat {judgment.repeat}"
                raise DataError(f"{judgment.source}: {question} is a duplicate")
            seen.add(key)
            judgments.append(judgment)
    return judgments


def read_judgments(path: Path) -> list[Judgment]:
    """The judgments in a file of single answers (`read_single`) or of pairs (`read_pairs`), ours or FastChat's."""
    pairs = path.name.startswith("pairwise-") or path.name.endswith("_pair.jsonl")
    return read_pairs(path) if pairs else read_single(path)


def pair_of(judgment: Judgment) -> tuple[Hashable, ...]:
    """The fields that the judgments of both orders of a pair share."""
    names = (judgment.model, judgment.against, judgment.judge)
    return *names, str(judgment.question_id), judgment.turn, judgment.choice, judgment.repeat


def summarize(judgments: Iterable[Judgment], parser: Parser = "strict", *, mix: bool = False) -> list[ModelSummary]:
    """First turn, second turn and average of every model, in the order in which the models appear.

    `fastchat` gives FastChat's numbers (`show_result.py` of its 0.2.36): every line counts, duplicates too, and the
    average is over all of them. With `strict` there is no average without both turns. `mix` averages over
    different judges and prompts.

    Raises:
        DataError: strict, and a judgment is a duplicate; with the file and line of both.
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
    first, second, average = _score(ratings[1]), _score(ratings[2]), _score(ratings[1] + ratings[2])
    if parser == "strict" and (first.value is None or second.value is None):
        average = replace(average, value=None)
    judges, prompts = {judgment.judge for judgment in judgments}, {judgment.prompt for judgment in judgments}
    return ModelSummary(model, tuple(sorted(judges)), tuple(sorted(prompts)), parser, first, second, average)


def _score(ratings: Sequence[Rating]) -> TurnScore:
    values = [rating.value for rating in ratings if rating.value is not None]
    kinds = Counter(rating.problem.partition(":")[0] for rating in ratings if rating.problem)
    mean = math.fsum(values) / len(values) if values else None
    return TurnScore(mean, len(ratings), len(values), dict(kinds.most_common()))


def _check_repeats(judgments: Iterable[Judgment]) -> None:
    seen: dict[Hashable, Judgment] = {}
    for new in judgments:
        key = (type(new.question_id), new.question_id, new.model, new.turn, new.choice, new.repeat, new.judge)
        before = seen.setdefault(key, new)
        if before is not new:
            raise DataError(
                f"{new.source}: {new.judge}'s judgment of question {new.question_id!r}, model {new.model!r}, turn "
                f"{new.turn} is in {before.source} too. FastChat appends when it is run again, and counts both; "
                "remove one of them, or take --parser fastchat to count both"
            )


def _check_mixtures(judgments: Sequence[Judgment]) -> None:
    """Allow one judge; two prompts a turn (with and without a reference), one a question."""

    def mixture(what: str, where: str, *names: tuple[str, Judgment]) -> UsageError:
        listed = ", ".join(f"{name!r} ({first.source})" for name, first in names)
        return UsageError(f"different {what}{where}: {listed}. Their ratings do not share a table unless asked")

    prompts: dict[Hashable, Judgment] = {}
    by_turn: dict[Turn, dict[str, Judgment]] = {1: {}, 2: {}}
    for new in judgments:
        if new.judge != judgments[0].judge:
            raise mixture("judges", "", (judgments[0].judge, judgments[0]), (new.judge, new))
        before = prompts.setdefault((type(new.question_id), new.question_id, new.turn), new)
        if new.prompt != before.prompt:
            where = f" of question {new.question_id!r}, turn {new.turn}"
            raise mixture("prompts", where, (before.prompt, before), (new.prompt, new))
        same = by_turn[new.turn].setdefault(new.prompt, new)
        if same.prompt_hash != new.prompt_hash:
            raise mixture(f"versions of prompt {new.prompt!r}", "", (same.prompt_hash, same), (new.prompt_hash, new))
        if len(by_turn[new.turn]) > 2:
            what = "prompts (with and without a reference there are two)"
            raise mixture(what, f" of turn {new.turn}", *by_turn[new.turn].items())
