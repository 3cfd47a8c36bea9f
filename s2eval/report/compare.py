"""Models compared on all that both were evaluated on: differences, intervals, tests, and what they show.

Pure: what models scored (`scored`) → `Comparison`s in tables, each corrected for the number of its tests.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2eval import stats
from s2eval.errors import DataError
from s2eval.judge.scores.estimates import WIN_RATE
from s2eval.metrics import flesch, scale_of
from s2eval.metrics.answers import WHOLE_TEXT
from s2eval.metrics.choices import POINTS
from s2eval.records import Scale
from s2eval.report.comparisons import LEVEL, Compared, Comparison, ComparisonTable, SeedRow, Side
from s2eval.report.pairing import Joined, join, objections
from s2eval.report.places import Place, is_another_form, place_of
from s2eval.report.read.items import PairwiseResults, Scored
from s2eval.report.tables.definitions import FAMILIES
from s2eval.tasks.leaderboard.scores import COUNTED

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row, where it stands, and what a note must say of it."""

    place: Place
    order: int
    row: Comparison
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Refusal:
    pair: str
    place: str
    why: str


@dataclass(frozen=True, slots=True)
class _Note:
    text: str


_Piece = _Entry | _Refusal | _Note | SeedRow


def compare(
    scored: Sequence[Scored],
    pairs: Sequence[tuple[Side, Side]],
    contests: Sequence[PairwiseResults] = (),
    remarks: Sequence[str] = (),
    *,
    metrics: Collection[str] | None = None,
    tests: int = 0,
) -> Compared:
    """Compare the sides of each pair, (baseline, model), on every task and metric that both have.

    Args:
        scored: every model on every task.
        pairs: what is compared with what.
        contests: used where they are between the models of a pair.
        remarks: what else a reader must know.
        metrics: these only; None = all.
        tests: how many will be corrected together, where that is done elsewhere.

    Raises:
        DataError: two results of one name; see `s2eval.identity.name_models`.
    """
    index: dict[tuple[str, ...], Scored] = {}
    for one in scored:
        known = index.setdefault((one.model, one.task, one.judge, one.turn), one)
        if known.items != one.items:
            raise DataError(f"{one.model}, {one.task}: two results, from {known.source} and {one.source}")
    resamples = max(_resamples(scored, len(pairs)), 40 * tests)
    pieces: list[_Piece] = []
    for baseline, model in pairs:
        pieces += _pair(index, baseline, model, resamples, metrics)
        pieces += [_contest(baseline, model, one, resamples) for one in contests if _is_between(baseline, model, one)]
    entries = [piece for piece in pieces if isinstance(piece, _Entry)]
    tables = [
        _table(place, [entry for entry in entries if entry.place == place])
        for place in sorted({entry.place for entry in entries})
    ]
    members = {member for pair in pairs for side in pair for member in side.members}
    said = [remark for one in scored if one.model in members for remark in one.remarks]
    said += [*remarks, *(piece.text for piece in pieces if isinstance(piece, _Note))]
    return Compared(
        tables=tuple(tables),
        refused=_told([piece for piece in pieces if isinstance(piece, _Refusal)]),
        notes=(*_seed_notes(pairs), *dict.fromkeys(said)),
        seeds=tuple(dict.fromkeys(piece for piece in pieces if isinstance(piece, SeedRow))),
    )


def _resamples(scored: Sequence[Scored], pairs: int) -> int:
    """So many that the smallest p that can be drawn, times the tests of the largest table, is at most a fortieth."""
    names = {(one.task, metric, one.judge, one.turn) for one in scored for metric in (*one.metrics, *WHOLE_TEXT)}
    sizes = Counter(place_of(*name)[0] for name in names)
    return max(stats.RESAMPLES, 40 * pairs * max(sizes.values(), default=0))


def _pair(
    index: Mapping[tuple[str, ...], Scored],
    baseline: Side,
    model: Side,
    resamples: int,
    wanted: Collection[str] | None,
) -> Iterator[_Piece]:
    """Everything that both sides were evaluated on, and the averages of it."""
    members = (*baseline.members, *model.members)
    parts: dict[str, dict[str, Joined]] = {}
    for task, judge, turn in dict.fromkeys(key[1:] for key in index if key[0] in members):
        found = {member: index.get((member, task, judge, turn)) for member in members}
        there = [one for one in found.values() if one is not None]
        missing = [member for member, one in found.items() if one is None]
        why = [f"{', '.join(missing)} not evaluated there"] if missing else objections(there)
        if why:
            yield _refusal(baseline, model, f"{task}{f', judged by {judge}' if judge else ''}", "; ".join(why))
            continue
        joined = join(there)
        yield from _metrics(baseline, model, joined, resamples, wanted)
        for prefix in (f"{family.prefix}_" for family in FAMILIES):
            if task.startswith(prefix) and task.removeprefix(prefix) in COUNTED:
                parts.setdefault(prefix, {})[task.removeprefix(prefix)] = joined
    for prefix, of_family in parts.items():
        if (wanted is None or POINTS in wanted) and all(name in of_family for name in COUNTED):
            parts_of = [of_family[name] for name in COUNTED]
            yield _average(baseline, model, f"{prefix}leaderboard", parts_of, resamples)


def _metrics(
    baseline: Side, model: Side, joined: Joined, resamples: int, wanted: Collection[str] | None
) -> Iterator[_Piece]:
    task, remarks = joined.models[0].task, joined.remarks()
    for metric in dict.fromkeys(name for scored in joined.models for name in scored.metrics):
        if wanted is not None and metric not in wanted:
            continue
        if is_another_form(task, metric):
            yield _Note(f"{metric} of {task} is in the table in another unit or rounded, and not tested twice.")
            continue
        told = {scored.model: scored.metric_conditions.get(metric, "") for scored in joined.models}
        if len(set(told.values())) > 1:
            listed = " and ".join(f"{how or 'unknown'} ({name})" for name, how in told.items())
            yield _refusal(baseline, model, f"{task}, {metric}", f"by {listed}")
            continue
        lacking = joined.lacking(metric)
        said = (*remarks, *([lacking] if lacking else []))
        yield from _metric(baseline, model, joined, metric, said, resamples)
    whole = [(which, name) for which, name in enumerate(WHOLE_TEXT) if wanted is None or name in wanted]
    counts = joined.counts() if whole else None
    if counts is not None and len(joined.models) > 2:
        yield _refusal(baseline, model, f"{task}, {', '.join(WHOLE_TEXT)}", "not compared over several seeds")
    elif counts is not None:
        for which, metric in whole:
            yield _whole_text(baseline, model, joined, metric, which, counts, resamples)
    averages = {name for scored in joined.models for name in scored.averages}
    if averages := sorted(averages if wanted is None else averages & set(wanted)):
        yield _refusal(baseline, model, f"{task}, {', '.join(averages)}", "known as an average only")


def _metric(
    baseline: Side, model: Side, joined: Joined, metric: str, remarks: tuple[str, ...], resamples: int
) -> Iterator[_Piece]:
    one, strata, clusters = joined.models[0], joined.strata, joined.clusters
    unit, within = _unit(metric)
    values = joined.values(metric) / unit
    first, second = values[:, : len(baseline.members)], values[:, len(baseline.members) :]
    whole = ~np.isnan(values).any(axis=1)
    yes_no = not within.graded and bool(np.isin(values[whole], stats.ends(within)).all())
    scale = 100.0 if yes_no else unit
    if values.shape[1] == 2:
        found = stats.paired_difference(
            first[:, 0], second[:, 0], strata=strata, clusters=clusters, within=within, resamples=resamples
        )
    else:
        found = stats.group_difference(first, second, strata, within=within)
        for side, of_side in ((baseline, first), (model, second)):
            if of_side.shape[1] > 1:
                group = stats.seed_group(of_side * scale, strata, within=within.times(scale))
                yield _seed_row(side, one, metric, group, scale)
    labels = None if strata is None else strata[whole]
    scores = (_mean(first[whole].mean(axis=1), labels), _mean(second[whole].mean(axis=1), labels))
    yield _entry(baseline, model, one, metric, scores, found, scale, remarks)


def _unit(metric: str) -> tuple[float, Scale]:
    """What a metric's values are divided by, 100 where they are percentages, and their scale then."""
    scale = scale_of(metric)
    unit = 100.0 if scale.span == 100.0 else 1.0
    return unit, scale.times(1 / unit)


def _whole_text(
    baseline: Side, model: Side, joined: Joined, metric: str, which: int, counts: Floats, resamples: int
) -> _Entry:
    """Readability of all answers of a model as one text."""

    def statistic(sums: Floats) -> Any:
        return flesch(sums[:, 0], sums[:, 1], sums[:, 2])[which]

    found = stats.paired_statistic(statistic, counts[:, 0], counts[:, 1], resamples=resamples)
    baseline_score, model_score = (float(value) for value in statistic(counts.sum(axis=0)))
    scores = (_finite(baseline_score), _finite(model_score))
    remarks = tuple(joined.remarks())
    return _entry(baseline, model, joined.models[0], metric, scores, found, 1.0, remarks)


def _average(baseline: Side, model: Side, task: str, parts: Sequence[Joined], resamples: int) -> _Piece:
    """The leaderboard's average of four, paired within each."""
    if len(baseline.members) + len(model.members) > 2:
        return _refusal(baseline, model, task, "not compared over several seeds; its parts are")
    pairs: list[stats.Pairs] = []
    scores: list[tuple[float | None, float | None]] = []
    unit, within = _unit(POINTS)
    for part in parts:
        values = part.values(POINTS) / unit
        whole = ~np.isnan(values).any(axis=1)
        labels = None if part.strata is None else part.strata[whole]
        pairs.append(stats.Pairs(values[:, 0], values[:, 1], part.strata, within))
        scores.append((_mean(values[whole, 0], labels), _mean(values[whole, 1], labels)))
    found = stats.paired_average(pairs, shares=False, resamples=resamples)
    one = replace(parts[0].models[0], task=task)
    means = (_mean_of([score for score, _ in scores]), _mean_of([score for _, score in scores]))
    return _entry(baseline, model, one, POINTS, means, found, 100.0)


def _is_between(baseline: Side, model: Side, contests: PairwiseResults) -> bool:
    return {baseline.members, model.members} == {(contests.against,), (contests.model,)}


def _contest(baseline: Side, model: Side, contests: PairwiseResults, resamples: int) -> _Entry:
    """Win rates: the difference of the two is that of the shares of contests which each has won."""
    points = np.array([math.nan if one is None else one for one in contests.points])
    points = points if model.members == (contests.model,) else 1 - points
    known = ~np.isnan(points)
    lost, won = (np.where(known, points == score, np.nan) for score in (0.0, 1.0))
    clusters = contests.clusters if len(set(contests.clusters)) < len(contests.clusters) else None
    found = stats.paired_difference(lost, won, clusters=clusters, within=Scale(0.0, 1.0), resamples=resamples)
    rate = _mean(points[known], None)
    one = Scored(model.name, contests.task, (), contests.judge)
    return _entry(baseline, model, one, WIN_RATE, (None if rate is None else 1 - rate, rate), found, 100.0)


# --- pieces ----------------------------------------------------------------------------------------------------


def _entry(
    baseline: Side,
    model: Side,
    one: Scored,
    metric: str,
    scores: tuple[float | None, float | None],
    found: stats.Difference,
    scale: float,
    remarks: tuple[str, ...] = (),
) -> _Entry:
    place, name = place_of(one.task, metric, one.judge, one.turn)
    first, second = (None if score is None else score * scale for score in scores)
    row = Comparison(
        baseline=baseline.name,
        model=model.name,
        task=one.task,
        judge=one.judge,
        turn=one.turn,
        metric=metric,
        what=f"{name.title}, %" if scale != 1.0 else name.title,
        scores=(first, second),
        difference=replace(found, estimate=stats.scale(found.estimate, scale)),
        digits=name.digits if scale == 1.0 else 2,
        unit="" if scale == 1.0 else "points",
        better=name.better,
        seeds=(len(baseline.members), len(model.members)),
    )
    who = f"{name.title}, {model.name} against {baseline.name}"
    return _Entry(place, name.order, row, tuple(f"{who}: {remark}." for remark in remarks))


def _refusal(baseline: Side, model: Side, where: str, why: str) -> _Refusal:
    return _Refusal(f"{model.name} against {baseline.name}", where, why)


def _told(refusals: Iterable[_Refusal]) -> tuple[str, ...]:
    """One sentence for all that a pair is refused for the same reason."""
    places: dict[tuple[str, str], dict[str, None]] = {}
    for one in refusals:
        places.setdefault((one.pair, one.why), {})[one.place] = None
    return tuple(f"{pair}, {', '.join(where)}: {why}" for (pair, why), where in places.items())


def _seed_row(side: Side, one: Scored, metric: str, group: stats.SeedGroup, scale: float) -> SeedRow:
    name = place_of(one.task, metric, one.judge, one.turn)[1]
    points = scale != 1.0
    return SeedRow(side.name, one.task, metric, name.title, group, 2 if points else name.digits, "points" * points)


def _table(place: Place, entries: Sequence[_Entry]) -> ComparisonTable:
    entries = sorted(entries, key=lambda entry: entry.order)
    notes = dict.fromkeys(remark for entry in entries for remark in entry.remarks)
    return ComparisonTable(place.key, place.title, corrected([entry.row for entry in entries]), tuple(notes))


def corrected(rows: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The rows as one table: Holm's p over it, and what would have been detected at its strictest level."""
    adjusted = stats.holm([row.difference.p for row in rows])
    tests = sum(p is not None for p in adjusted)
    return tuple(
        replace(row, adjusted=p, tests=tests, detectable=_detectable(row, LEVEL / max(tests, 1)))
        for row, p in zip(rows, adjusted, strict=True)
    )


def _detectable(row: Comparison, alpha: float) -> float | None:
    found = row.difference.detectable(alpha)
    by_share = row.difference.estimate.method == "tango"  # of shares, whatever the unit of the estimate
    return 100.0 * found if found is not None and by_share and row.unit else found


def _seed_notes(pairs: Sequence[tuple[Side, Side]]) -> Iterator[str]:
    sides = {side.name: len(side.members) for pair in pairs for side in pair}
    single = [name for name, number in sides.items() if number < 2]
    several = [name for name, number in sides.items() if number > 1]
    for chosen in (single, several):
        if chosen:
            yield stats.seed_words(chosen, [sides[name] for name in chosen])


def _mean(values: Floats, strata: NDArray[Any] | None) -> float | None:
    return stats.strata_of(values, strata).value if values.size else None


def _mean_of(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return math.fsum(known) / len(known) if len(known) == len(scores) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
