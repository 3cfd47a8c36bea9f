"""A judge's verdicts as items to compare, ours and FastChat's: ratings by question and turn, and contests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from s2eval.identity import Identity
from s2eval.judge.judgments import Judgment, both_orders, pair_of, read_pairs, read_single, summarize
from s2eval.judge.scores.estimates import SCORE
from s2eval.judge.verdicts.parsers import Parser
from s2eval.report.read.items import Contests, Item, Scored

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


def contests(path: Path, task: str = FASTCHAT, judge: str = "") -> list[Contests]:
    """The contests of a file, FastChat's or ours: as both orders say; where they disagree, a tie.

    Raises:
        DataError: broken lines, or the same contest twice.
    """
    read: dict[tuple[Any, ...], dict[str, float | None]] = {}
    for judgment in read_pairs(path):
        read.setdefault(pair_of(judgment), {})[judgment.place] = judgment.points
    found: list[Contests] = []
    for model, against, name in dict.fromkeys(key[:3] for key in read):
        orders = {key: points for key, points in read.items() if key[:3] == (model, against, name)}
        own = {key: both_orders(both.get("A"), both.get("B"), 0.5) for key, both in orders.items()}
        clusters = tuple(key[3] for key in own)
        identities = (
            _identity(path, model, task, judge or name, f"against {against}"),
            _identity(path, against, task, judge or name, f"for {model}"),
        )
        found.append(
            Contests(model, against, task, judge or name, tuple(own.values()), clusters, str(path), identities)
        )
    return found
