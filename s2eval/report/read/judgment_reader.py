"""A judge's verdicts, ours and FastChat's, as items to compare: ratings by question and turn, and contests."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s2eval.identity import Identity
from s2eval.judge import results
from s2eval.judge.judgments import Judgment, both_orders, pair_of, read_pairs, read_single, summarize
from s2eval.judge.scores.estimates import SCORE
from s2eval.judge.verdicts.parsers import Parser
from s2eval.lm_eval_logs.settings import text_of
from s2eval.report.read import runs
from s2eval.report.read.items import Item, LogContents, PairwiseResults, Scored, joined

FASTCHAT = "mt_bench"


def read_ours(path: Path, parser: Parser) -> LogContents:
    """Results that `s2eval mtbench` or the judges of a run left in a folder: judgments beside each JSON of numbers.

    Raises:
        UsageError: judgments that cannot be read, or a question judged with different prompts.
    """
    return joined(_judged(path, parser)) if path.is_dir() else LogContents()


def is_fastchat(path: Path) -> bool:
    """Whether a file may hold judgments, FastChat's or ours."""
    return path.suffix == ".jsonl"


def read_fastchat(path: Path, parser: Parser) -> LogContents:
    """A file of judgments; of a folder those that are named as FastChat names them."""
    if path.is_dir():
        files = (file for file in sorted(path.rglob("*.jsonl")) if file.name.endswith(("_single.jsonl", "_pair.jsonl")))
        return joined(read_fastchat(file, parser) for file in files if file.is_file())
    if path.name.endswith("_pair.jsonl") or path.name.startswith("pairwise-"):
        return LogContents(contests=tuple(contests(path)))
    return LogContents(tuple(ratings(path, parser)))


def _judged(folder: Path, parser: Parser) -> Iterator[LogContents]:
    identity = (runs.configured(folder) if runs.has_run(folder) else runs.RunModels(folder)).identity
    for path in results.paths(folder):
        problem = results.problem(path)
        facts: dict[str, Any] = {}
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
            suite, suite_hash, label = str(facts["suite"]["name"]), str(facts["suite"]["hash"]), str(facts["label"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            problem, suite, suite_hash, label = problem or "not the numbers of a judge", "", "", ""
        if problem:
            yield LogContents(remarks=(f"not compared: {path}: {problem}. Judge again",))
            continue
        task = f"s2_{suite}"
        conditions = {
            "questions": f"{suite} ({suite_hash})",
            "judge's temperature": text_of(facts.get("temperature")),
        }
        judgments = path.parent / results.JUDGMENTS
        if path.name == "single.json" and judgments.is_file():
            yield LogContents(
                tuple(
                    replace(
                        scored,
                        conditions={**scored.conditions, **conditions},
                        identity=identity(scored.model, task, label, scored.turn),
                    )
                    for scored in ratings(judgments, facts.get("parser", parser), task, label)
                )
            )
        elif path.name.startswith("pairwise-") and (lines := path.with_suffix(".jsonl")).is_file():
            yield LogContents(
                contests=tuple(
                    replace(
                        contest,
                        identities=(
                            identity(contest.model, task, label, f"against {contest.against}"),
                            identity(contest.against, task, label, f"for {contest.model}"),
                        ),
                    )
                    for contest in contests(lines, task, label)
                )
            )


def ratings(path: Path, parser: Parser = "strict", task: str = FASTCHAT, judge: str = "") -> list[Scored]:
    """Every model of a file of single judgments: first turn, second turn, and both with the question as the cluster.

    Choices and repeats of a question's turn are averaged first, over those that have a rating. `judge` is a label,
    where more is known than the judge's name.

    Raises:
        DataError: broken lines, or the same judgment twice.
        UsageError: a question judged with different prompts.
    """
    judgments = read_single(path)
    for name in dict.fromkeys(judgment.judge for judgment in judgments):
        summarize(judgment for judgment in judgments if judgment.judge == name)  # checks as `s2eval mtbench score`
    scored: list[Scored] = []
    for model, name in dict.fromkeys((judgment.model, judgment.judge) for judgment in judgments):
        own = [judgment for judgment in judgments if (judgment.model, judgment.judge) == (model, name)]
        for turn in ("1", "2", ""):
            items = tuple(_items([judgment for judgment in own if turn in ("", str(judgment.turn))], parser))
            if items:
                label = judge or name
                identity = _identity(path, model, task, label, turn)
                conditions = {"parser": parser}
                scored.append(Scored(model, task, items, label, turn, conditions, source=str(path), identity=identity))
    return scored


def _identity(path: Path, model: str, *part: str) -> Identity:
    """Two files of one folder with the same judge and model are told apart by their names."""
    return Identity(model, part, None, {"file": path.name}, str(path.parent))


def _items(judgments: Sequence[Judgment], parser: Parser) -> Iterator[Item]:
    turns: dict[tuple[str, int], list[Judgment]] = {}
    for judgment in judgments:
        turns.setdefault((str(judgment.question_id), judgment.turn), []).append(judgment)
    for (question, turn), repeats in turns.items():
        known = [rating for repeat in repeats if (rating := repeat.read(parser).value) is not None]
        yield Item(
            key=f"{question}, turn {turn}",
            name=f"{question} turn {turn}",
            prompt=", ".join(sorted({f"{repeat.prompt} {repeat.prompt_hash}".strip() for repeat in repeats})),
            values={SCORE: sum(known) / len(known) if known else None},
            cluster=question,
        )


def contests(path: Path, task: str = FASTCHAT, judge: str = "") -> list[PairwiseResults]:
    """The contests of a file, FastChat's or ours: as both orders say; where they disagree, a tie."""
    judgments = list(read_pairs(path))
    pairwise: list[PairwiseResults] = []
    sides = dict.fromkeys((judgment.model, judgment.against, judgment.judge) for judgment in judgments)
    for model, against, name in sides:
        orders: dict[Hashable, dict[str, float | None]] = {}
        questions: dict[Hashable, str] = {}
        for judgment in judgments:
            if (judgment.model, judgment.against, judgment.judge) == (model, against, name):
                pair = pair_of(judgment)
                orders.setdefault(pair, {})[judgment.place] = judgment.points
                questions[pair] = str(judgment.question_id)
        points = tuple(both_orders(order.get("A"), order.get("B"), 0.5) for order in orders.values())
        label = judge or name
        identities = (
            _identity(path, model, task, label, f"against {against}"),
            _identity(path, against, task, label, f"for {model}"),
        )
        clusters = tuple(questions.values())
        pairwise.append(PairwiseResults(model, against, task, label, points, clusters, str(path), identities))
    return pairwise
