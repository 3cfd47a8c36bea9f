"""How well a judge's choices between two answers agree with people's or gold ones, both orders shown.

`position` is what a judge with no eye for quality would differ in: the share of choices that fall on the answer shown
first. As in Zheng et al. (arXiv 2306.05685), a judge that changes its choice with the order has said "tie".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from s2eval.judge.judgments import both_orders
from s2eval.judge.suite.rows import FileRow, Filled, Problems, read_rows
from s2eval.records import Estimate
from s2eval.stats import proportion
from s2eval.stats.kappa import cohen_kappa, cross_table

Better = Literal["1", "2", "tie"]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One pair of outputs: which is better by gold, and by a judge in both orders.

    Attributes:
        gold, given, swapped: "1" or "2", the better output whatever its place, or "tie"; `given` with output 1 shown
            first, `swapped` with output 2 first. None: no verdict could be read.
        judge: its name.
        subset: the part of the data that the pair belongs to; "" where there are none.
        source: file and line.
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
        """Both orders together: their common verdict, else "tie"; None where one of them has none."""
        return both_orders(self.given, self.swapped, "tie")


@dataclass(frozen=True, slots=True)
class Against:
    """Verdicts beside the gold choices.

    Attributes:
        agreement: share of the verdicts that are the gold choice; a tie agrees with a tie only.
        without_ties: the same where neither says tie; `n` counts all pairs.
        kappa: Cohen's, of all valid verdicts, a tie being a category of its own.
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
        position: share of the choices, ties apart, that fall on the answer shown first: in the given order, in the
            swapped one. A judge without a bias has the share of the better answer there: as much above a half in
            the one as below in the other.
        bias: the mean of the two less a half, as a number: 0 = none, 0.5 = always the first. Without an interval.
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
    """A line of the table: what is measured, and how much of it."""

    judge: str
    subset: str
    measure: str
    estimate: Estimate


def agreement(verdicts: Sequence[Verdicts], subset: str = "") -> Agreement:
    """What the verdicts of one judge agree with; shares with Wilson's interval, kappas with a normal one.

    Args:
        subset: only the pairs of that part; "" = all.

    Raises:
        ValueError: there are none, or of more than one judge.
    """
    pairs = [one for one in verdicts if subset in ("", one.subset)]
    judges = {one.judge for one in pairs}
    if len(judges) != 1:
        raise ValueError(f"verdicts of {len(judges)} judges; expected one")
    both = [one for one in pairs if one.combined is not None]
    shown_first = (_share(pairs, lambda one: one.given, "1"), _share(pairs, lambda one: one.swapped, "2"))
    first, second = shown_first[0].value, shown_first[1].value
    return Agreement(
        judge=judges.pop(),
        subset=subset,
        n=len(pairs),
        given=_against(pairs, lambda one: one.given),
        swapped=_against(pairs, lambda one: one.swapped),
        combined=_against(pairs, lambda one: one.combined),
        consistency=_proportion(sum(one.given == one.swapped for one in both), len(both), len(pairs)),
        position=shown_first,
        bias=None if first is None or second is None else (first + second) / 2 - 0.5,
        orders=_kappa(pairs, lambda one: one.given, lambda one: one.swapped),
    )


def agreements(verdicts: Sequence[Verdicts]) -> list[Agreement]:
    """For every judge all pairs, then each subset where there are several; in the order in which they appear."""
    found: list[Agreement] = []
    for judge in dict.fromkeys(one.judge for one in verdicts):
        own = [one for one in verdicts if one.judge == judge]
        subsets = [subset for subset in dict.fromkeys(one.subset for one in own) if subset]
        found += [agreement(own, subset) for subset in ["", *(subsets if len(subsets) > 1 else [])]]
    return found


def table(found: Iterable[Agreement]) -> list[Line]:
    """The agreements as lines, in the order in which one reads them; the bias is in the two positions."""
    lines: list[Line] = []
    for one in found:
        measures: list[tuple[str, Estimate]] = []
        for name, order in (("output 1 first", one.given), ("output 2 first", one.swapped), ("both", one.combined)):
            measures += [
                (f"agreement, {name}", order.agreement),
                (f"agreement without ties, {name}", order.without_ties),
                (f"Cohen's kappa, {name}", order.kappa),
            ]
        measures += [
            ("same verdict in both orders", one.consistency),
            ("Cohen's kappa between the orders", one.orders),
            ("chose the one shown first, output 1 first", one.position[0]),
            ("chose the one shown first, output 2 first", one.position[1]),
        ]
        lines += [Line(one.judge, one.subset, measure, estimate) for measure, estimate in measures]
    return lines


Read = Callable[[Verdicts], Better | None]


def _against(pairs: Sequence[Verdicts], side: Read) -> Against:
    said = [(one.gold, verdict) for one in pairs if (verdict := side(one)) is not None]
    decided = [(gold, verdict) for gold, verdict in said if "tie" not in (gold, verdict)]
    return Against(
        agreement=_proportion(sum(gold == verdict for gold, verdict in said), len(said), len(pairs)),
        without_ties=_proportion(sum(gold == verdict for gold, verdict in decided), len(decided), len(pairs)),
        kappa=_kappa(pairs, lambda one: one.gold, side),
    )


def _share(pairs: Sequence[Verdicts], side: Read, of: Better) -> Estimate:
    decided = [verdict for one in pairs if (verdict := side(one)) in ("1", "2")]
    return _proportion(decided.count(of), len(decided), len(pairs))


def _proportion(successes: int, valid: int, n: int) -> Estimate:
    return replace(proportion(successes, valid), n=n)


def _kappa(pairs: Sequence[Verdicts], one: Read, other: Read) -> Estimate:
    labels = [(a, b) for pair in pairs if (a := one(pair)) is not None and (b := other(pair)) is not None]
    return replace(cohen_kappa(cross_table([a for a, _ in labels], [b for _, b in labels])), n=len(pairs))


# --- files ------------------------------------------------------------------------------------------------------


def _a_side(value: Any) -> Any:
    """LLMBar writes the gold choice as a number, and verdicts as texts."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Side = Annotated[Better, BeforeValidator(_a_side)]


class _Row(FileRow):
    """Our form, which LLMBar's is brought into."""

    id: Filled
    gold: Side
    given: Side | None
    swapped: Side | None
    judge: Filled
    subset: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_llmbar(cls, row: Any) -> Any:
        if not isinstance(row, dict) or "label" not in row:
            return row
        judge, orders = _llmbar_orders(row)
        winners = {name: _winner(judge, orders, swap) for name, swap in (("given", "False"), ("swapped", "True"))}
        return {"id": row.get("id"), "gold": row["label"], "judge": judge, "subset": row.get("subset", ""), **winners}


def _llmbar_orders(row: Mapping[str, Any]) -> tuple[str, Any]:
    """The judge's name and its verdicts in both orders."""
    runs = {key: value["results"] for key, value in row.items() if isinstance(value, dict) and "results" in value}
    if len(runs) != 1:
        raise ValueError(f"expected one judge's verdicts (NAME: {{results: …}}) beside label, found {len(runs)}")
    judge, results = next(iter(runs.items()))
    if not isinstance(results, list) or len(results) != 1:
        raise ValueError(f"{judge}.results: expected a list with one entry")
    return judge, results[0]


def _winner(judge: str, orders: Any, swap: str) -> Any:
    try:
        return orders[f"swap = {swap}"]["winner"]
    except (KeyError, TypeError, IndexError):
        raise ValueError(f"{judge}.results.0.swap = {swap}.winner: missing") from None


def read_verdicts(path: Path) -> list[Verdicts]:
    """The verdicts of a file, in its order.

    A line is `{"id", "gold", "given", "swapped", "judge", "subset"?}`, with "1", "2", "tie" or, for a verdict, null; or
    one of LLMBar's: the gold `label`, and under the judge's name `results` with the winner in both orders, which is
    named by the output, not by its place.

    Raises:
        DataError: with all that is wrong, line by line; a judge's verdicts on the same pair twice are wrong too.
    """
    problems = Problems(path)
    rows = read_rows(path, _Row, problems)
    lines: dict[tuple[str, str], int] = {}
    for number, row in rows:
        before = lines.setdefault((row.judge, row.id), number)
        if before != number:
            problems.add(number, f"id: {row.id!r} is that of line {before} too")
    problems.tell()
    return [
        Verdicts(row.id, row.gold, row.given, row.swapped, row.judge, row.subset, f"{path}, line {number}")
        for number, row in rows
    ]
