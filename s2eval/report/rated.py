"""A judge's verdicts as items to compare, ours and FastChat's: ratings by question and turn, and contests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from s2eval.errors import DataError
from s2eval.identity import Identity
from s2eval.judge.judgments import Judgment, read_single, summarize
from s2eval.judge.scores.estimates import SCORE
from s2eval.judge.suite.rows import FileRow, Filled, Id, Problems, read_rows
from s2eval.judge.verdicts.parsers import Parser
from s2eval.report.scored import Contests, Item, Scored

FASTCHAT = "mt_bench"


def ratings(path: Path, parser: Parser = "strict", task: str = FASTCHAT, judge: str = "") -> list[Scored]:
    """Every model of a file of single judgments: first turn, second turn, and both with the question as the cluster.

    Choices and repeats of a question's turn are averaged first, over those that have a rating.

    Args:
        task: the question set's.
        judge: its label, where more is known than its name.

    Raises:
        DataError: broken lines, or the same judgment twice.
        UsageError: a question judged with different prompts.
    """
    judgments = read_single(path)
    for name in dict.fromkeys(one.judge for one in judgments):
        summarize(one for one in judgments if one.judge == name)  # refuses what `s2eval mtbench score` refuses
    found: list[Scored] = []
    for model, name in dict.fromkeys((one.model, one.judge) for one in judgments):
        own = [one for one in judgments if (one.model, one.judge) == (model, name)]
        for turn in ("1", "2", ""):
            items = tuple(_items([one for one in own if turn in ("", str(one.turn))], parser))
            if items:
                conditions = {"parser": parser}
                identity = _identity(path, model, task, judge or name, turn)
                found.append(
                    Scored(model, task, items, judge or name, turn, conditions, source=str(path), identity=identity)
                )
    return found


def _identity(path: Path, model: str, *part: str) -> Identity:
    """Two files of one folder with the same judge and model are told apart by their names."""
    return Identity(model, part, None, {"file": path.name}, str(path.parent))


def _items(judgments: Sequence[Judgment], parser: Parser) -> Iterable[Item]:
    turns: dict[tuple[str, int], list[Judgment]] = {}
    for one in judgments:
        turns.setdefault((str(one.question_id), one.turn), []).append(one)
    for (question, turn), several in turns.items():
        read = [rating for one in several if (rating := one.read(parser).value) is not None]
        prompts = sorted({f"{one.prompt} {one.prompt_hash}".strip() for one in several})
        yield Item(
            key=f"{question}, turn {turn}",
            name=f"{question} turn {turn}",
            prompt=", ".join(prompts),
            values={SCORE: sum(read) / len(read) if read else None},
            cluster=question,
        )


def _a_winner(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


Winner = Annotated[Literal["model_1", "model_2", "tie", "error"], BeforeValidator(_a_winner)]


class _PairRow(FileRow):
    """A line of FastChat's `<judge>_pair.jsonl`: both orders, the winner named by the model, not by its place."""

    question_id: Id
    model_1: Filled
    model_2: Filled
    g1_winner: Winner
    g2_winner: Winner
    judge: list[Filled]
    turn: Literal[1, 2]


class _ContestRow(FileRow):
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


def contests(path: Path, task: str = FASTCHAT, judge: str = "") -> list[Contests]:
    """The contests of a file, FastChat's or ours: as both orders say; where they disagree, a tie.

    Raises:
        DataError: broken lines, or the same contest twice.
    """
    problems = Problems(path)
    ours = path.name.startswith("pairwise-")
    rows: list[tuple[int, Any]] = [*read_rows(path, _ContestRow if ours else _PairRow, problems)]
    problems.tell()
    read = _ours(rows, path) if ours else _fastchats(rows, path)
    found: list[Contests] = []
    for model, against, name in dict.fromkeys(key[:3] for key in read):
        own = {key: points for key, points in read.items() if key[:3] == (model, against, name)}
        clusters = tuple(key[3] for key in own)
        identities = (
            _identity(path, model, task, judge or name, f"against {against}"),
            _identity(path, against, task, judge or name, f"for {model}"),
        )
        found.append(
            Contests(model, against, task, judge or name, tuple(own.values()), clusters, str(path), identities)
        )
    return found


_Key = tuple[str, str, str, str, str]  # model, against, judge, question, turn and repeat


def _fastchats(rows: Sequence[tuple[int, _PairRow]], path: Path) -> dict[_Key, float | None]:
    found: dict[_Key, float | None] = {}
    for number, row in rows:
        key = (row.model_2, row.model_1, row.judge[0], str(row.question_id), str(row.turn))
        if key in found:
            raise DataError(f"{path}, line {number}: question {row.question_id}, turn {row.turn} is there twice")
        points = {"model_2": 1.0, "model_1": 0.0, "tie": 0.5, "error": None}
        found[key] = _together(points[row.g1_winner], points[row.g2_winner])
    return found


def _ours(rows: Sequence[tuple[int, _ContestRow]], path: Path) -> dict[_Key, float | None]:
    orders: dict[_Key, dict[str, float | None]] = {}
    for number, row in rows:
        turn = f"{row.turn}, choice {row.choice}, repeat {row.repeat}"
        both = orders.setdefault((row.model, row.against, row.judge[0], str(row.question_id), turn), {})
        if row.place in both:
            raise DataError(f"{path}, line {number}: question {row.question_id}, turn {turn} is there twice")
        both[row.place] = row.points
    return {key: _together(both.get("A"), both.get("B")) for key, both in orders.items()}


def _together(one: float | None, other: float | None) -> float | None:
    """As `s2eval.judge.scores.estimates.PairwiseResult.points`."""
    if one is None or other is None:
        return None
    return one if one == other else 0.5
