"""Agreement of a judge's choices between two answers, shown in both orders, with human or gold choices.

As in Zheng et al. (arXiv 2306.05685), a judge that changes its choice with the order has chosen "tie".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator

from s2eval.files import Json, JsonObject
from s2eval.judge.judgments import both_orders
from s2eval.judge.suite.rows import FileRow, Filled, Problems, read_rows
from s2eval.records import Estimate
from s2eval.stats import proportion
from s2eval.stats.kappa import cohen_kappa, cross_table

Better = Literal["1", "2", "tie"]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The better of two outputs by gold, and by a judge in both orders: `given` with output 1 first, `swapped`.

    None: no verdict could be read. `subset` is a part of the data, "" where there are none; `source` is file and line.
    """

    id: str
    gold: Better
    given: Better | None
    swapped: Better | None
    judge: str
    subset: str = ""
    source: str = field(default="", compare=False)

    @property
    def combined(self) -> Better | None:
        """The verdict of both orders, "tie" where they differ; None where one of them has none."""
        return both_orders(self.given, self.swapped, "tie")


@dataclass(frozen=True, slots=True)
class Against:
    """Agreement of verdicts with gold choices: the share of equal ones, of those without ties, and Cohen's kappa.

    A tie agrees with a tie only, and is a category of its own in kappa; `n` counts all pairs.
    """

    agreement: Estimate
    without_ties: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Agreement:
    """One judge on one set of pairs.

    Attributes:
        subset: "" = all pairs.
        given, swapped, combined: each order, and both together.
        consistency: share of the pairs with the same verdict in both orders, of those with two.
        position: share of the choices, ties apart, of the answer shown first, in both orders. Without a bias the one
            is as much above a half as the other is below.
        bias: the mean of the two less a half: 0 = none, 0.5 = always the first. Without an interval.
        orders: Cohen's kappa between the two orders.
    """

    judge: str
    subset: str
    n: int
    given: Against
    swapped: Against
    combined: Against
    consistency: Estimate
    position: tuple[Estimate, Estimate]
    bias: float | None
    orders: Estimate


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    judge: str
    subset: str
    measure: str
    estimate: Estimate


def agreement(verdicts: Sequence[Verdicts], subset: str = "") -> Agreement:
    """Of one judge on a subset ("" = all pairs); shares with Wilson's interval, kappas with a normal one.

    Raises:
        ValueError: there are no verdicts, or of more than one judge.
    """
    pairs = [pair for pair in verdicts if subset in ("", pair.subset)]
    judges = {pair.judge for pair in pairs}
    if len(judges) != 1:
        raise ValueError(f"verdicts of {len(judges)} judges; expected one")
    both = [pair for pair in pairs if pair.combined is not None]
    position = (_share_of(pairs, lambda pair: pair.given, "1"), _share_of(pairs, lambda pair: pair.swapped, "2"))
    first, second = position[0].value, position[1].value
    return Agreement(
        judge=judges.pop(),
        subset=subset,
        n=len(pairs),
        given=_against_gold(pairs, lambda pair: pair.given),
        swapped=_against_gold(pairs, lambda pair: pair.swapped),
        combined=_against_gold(pairs, lambda pair: pair.combined),
        consistency=_proportion(sum(pair.given == pair.swapped for pair in both), len(both), len(pairs)),
        position=position,
        bias=None if first is None or second is None else (first + second) / 2 - 0.5,
        orders=_kappa(pairs, lambda pair: pair.given, lambda pair: pair.swapped),
    )


def agreements(verdicts: Sequence[Verdicts]) -> list[Agreement]:
    """For every judge all pairs, then each subset where there are several; in the order in which they appear."""
    agreements: list[Agreement] = []
    for judge in dict.fromkeys(pair.judge for pair in verdicts):
        own = [pair for pair in verdicts if pair.judge == judge]
        subsets = [subset for subset in dict.fromkeys(pair.subset for pair in own) if subset]
        agreements += [agreement(own, subset) for subset in ["", *(subsets if len(subsets) > 1 else [])]]
    return agreements


def table(agreements: Iterable[Agreement]) -> list[Line]:
    """The agreements as lines, in reading order; the bias is in the two positions."""
    lines: list[Line] = []
    for part in agreements:
        measures: list[tuple[str, Estimate]] = []
        for name, order in (("output 1 first", part.given), ("output 2 first", part.swapped), ("both", part.combined)):
            measures += [
                (f"agreement, {name}", order.agreement),
                (f"agreement without ties, {name}", order.without_ties),
                (f"Cohen's kappa, {name}", order.kappa),
            ]
        measures += [
            ("same verdict in both orders", part.consistency),
            ("Cohen's kappa between the orders", part.orders),
            ("chose the one shown first, output 1 first", part.position[0]),
            ("chose the one shown first, output 2 first", part.position[1]),
        ]
        lines += [Line(part.judge, part.subset, measure, estimate) for measure, estimate in measures]
    return lines


Side = Callable[[Verdicts], Better | None]


def _against_gold(pairs: Sequence[Verdicts], side: Side) -> Against:
    valid = [(pair.gold, verdict) for pair in pairs if (verdict := side(pair)) is not None]
    decided = [(gold, verdict) for gold, verdict in valid if "tie" not in (gold, verdict)]
    return Against(
        agreement=_proportion(sum(gold == verdict for gold, verdict in valid), len(valid), len(pairs)),
        without_ties=_proportion(sum(gold == verdict for gold, verdict in decided), len(decided), len(pairs)),
        kappa=_kappa(pairs, lambda pair: pair.gold, side),
    )


def _share_of(pairs: Sequence[Verdicts], side: Side, output: Better) -> Estimate:
    decided = [verdict for pair in pairs if (verdict := side(pair)) in ("1", "2")]
    return _proportion(decided.count(output), len(decided), len(pairs))


def _proportion(successes: int, valid: int, n: int) -> Estimate:
    return replace(proportion(successes, valid), n=n)


def _kappa(pairs: Sequence[Verdicts], first: Side, second: Side) -> Estimate:
    labels = [(a, b) for pair in pairs if (a := first(pair)) is not None and (b := second(pair)) is not None]
    return replace(cohen_kappa(cross_table([a for a, _ in labels], [b for _, b in labels])), n=len(pairs))


# --- files ------------------------------------------------------------------------------------------------------


def _as_text(value: object) -> object:
    """LLMBar writes the gold choice as a number, and verdicts as texts."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Output = Annotated[Better, BeforeValidator(_as_text)]


class _Row(FileRow):
    """Our form; LLMBar's is converted to it."""

    id: Filled
    gold: Output
    given: Output | None
    swapped: Output | None
    judge: Filled
    subset: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_llmbar(cls, row: Json) -> Json:
        if not isinstance(row, dict) or "label" not in row:
            return row
        runs = {key: value["results"] for key, value in row.items() if isinstance(value, dict) and "results" in value}
        if len(runs) != 1:
            raise ValueError(f"expected one judge's verdicts (NAME: {{results: …}}) beside label, found {len(runs)}")
        ((judge, results),) = runs.items()
        if not isinstance(results, list) or len(results) != 1:
            raise ValueError(f"{judge}.results: expected a list with one entry")
        verdicts: JsonObject = {"judge": judge, "id": row.get("id"), "gold": row["label"]}
        for name, swap in (("given", "False"), ("swapped", "True")):
            orders = results[0] if isinstance(results[0], dict) else {}
            order = orders.get(f"swap = {swap}")
            if not isinstance(order, dict) or "winner" not in order:
                raise ValueError(f"{judge}.results.0.swap = {swap}.winner: missing")
            verdicts[name] = order["winner"]
        return {**verdicts, "subset": row.get("subset", "")}


def read_verdicts(path: Path) -> list[Verdicts]:
    """The verdicts of a file, in its order.

    A line is `{"id", "gold", "given", "swapped", "judge", "subset"?}`, with "1", "2", "tie" or, for a verdict, null; or
    one of LLMBar's: the gold `label`, and under the judge's name `results` with the better output in both orders.

    Raises:
        DataError: with all errors, line by line; two lines of a judge on the same pair are an error too.
    """
    problems = Problems(path)
    rows = read_rows(path, _Row, problems)
    lines: dict[tuple[str, str], int] = {}
    for number, row in rows:
        before = lines.setdefault((row.judge, row.id), number)
        if before != number:
            problems.add(number, f"id: {row.id!r} is that of line {before} too")
    problems.check()
    return [
        Verdicts(row.id, row.gold, row.given, row.swapped, row.judge, row.subset, f"{path}, line {number}")
        for number, row in rows
    ]
