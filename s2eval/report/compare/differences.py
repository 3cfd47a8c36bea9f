"""What models scored → comparisons in tables, each corrected for the number of its tests. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from s2eval import stats
from s2eval.errors import DataError
from s2eval.judge.scores.estimates import WIN_RATE
from s2eval.metrics import flesch, scale_of
from s2eval.metrics.answers import WHOLE_TEXT
from s2eval.metrics.choices import POINTS
from s2eval.records import Scale
from s2eval.report.compare.pairing import Floats, Joined, join, objections
from s2eval.report.compare.records import LEVEL, Compared, Comparison, ComparisonTable, SeedRow, Side
from s2eval.report.compare.table_locations import TableLocation, is_another_form, location_of
from s2eval.report.read.items import PairwiseResults, Scored
from s2eval.tasks.leaderboard.scores import COUNTED, leaderboard_part


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
        contests: used where they are between the models of a pair.
        metrics: these only; None = all.
        tests: how many will be corrected together, where that is done elsewhere.

    Raises:
        DataError: two results of one name; see `s2eval.identity.name_models`.
    """
    index: dict[tuple[str, ...], Scored] = {}
    for samples in scored:
        known = index.setdefault((samples.model, samples.task, samples.judge, samples.turn), samples)
        if known.items != samples.items:
            raise DataError(f"{samples.model}, {samples.task}: two results, from {known.source} and {samples.source}")
    # So many that the smallest p that can be drawn, times the tests of the largest table, is at most a fortieth.
    names = {
        (samples.task, metric, samples.judge, samples.turn)
        for samples in scored
        for metric in (*samples.metrics, *WHOLE_TEXT)
    }
    sizes = Counter(location_of(*name)[0] for name in names)
    most = max(tests, len(pairs) * max(sizes.values(), default=0))
    results = _Results()
    for baseline, model in pairs:
        pair = _Pair(baseline, model, max(stats.RESAMPLES, 40 * most), metrics, results)
        pair.compare(index)
        for contest in contests:
            if {baseline.members, model.members} == {(contest.against,), (contest.model,)}:
                pair.compare_contests(contest)
    members = {member for pair in pairs for side in pair for member in side.members}
    notes = [remark for samples in scored if samples.model in members for remark in samples.remarks]
    return Compared(
        tables=tuple(results.tables()),
        refused=tuple(f"{pair}, {', '.join(where)}: {why}" for (pair, why), where in results.refused.items()),
        notes=(*_seed_notes(pairs), *dict.fromkeys([*notes, *remarks, *results.notes])),
        seeds=tuple(results.seeds),
    )


class _Results:
    """What was compared: table → rows with their order and remarks; (pair, reason) → what was refused."""

    def __init__(self) -> None:
        self.rows: dict[TableLocation, list[tuple[int, Comparison, tuple[str, ...]]]] = {}
        self.refused: dict[tuple[str, str], dict[str, None]] = {}
        self.notes: dict[str, None] = {}
        self.seeds: dict[SeedRow, None] = {}

    def tables(self) -> Iterator[ComparisonTable]:
        for location, rows in sorted(self.rows.items(), key=lambda item: item[0]):
            ordered = sorted(rows, key=lambda row: row[0])
            notes = dict.fromkeys(remark for _, _, remarks in ordered for remark in remarks)
            yield ComparisonTable(location.key, location.title, corrected([row for _, row, _ in ordered]), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A model against a baseline; everything that is compared goes to `results`."""

    baseline: Side
    model: Side
    resamples: int
    metrics: Collection[str] | None
    results: _Results

    def compare(self, index: Mapping[tuple[str, ...], Scored]) -> None:
        """Everything that both sides were evaluated on, and the averages of it."""
        members = (*self.baseline.members, *self.model.members)
        parts: dict[str, dict[str, Joined]] = {}
        for task, judge, turn in dict.fromkeys(key[1:] for key in index if key[0] in members):
            missing = [member for member in members if (member, task, judge, turn) not in index]
            present = [index[member, task, judge, turn] for member in members if member not in missing]
            why = [f"{', '.join(missing)} not evaluated there"] if missing else objections(present)
            if why:
                self.refuse(f"{task}{f', judged by {judge}' if judge else ''}", "; ".join(why))
                continue
            joined = join(present)
            self.compare_task(joined)
            if part := leaderboard_part(task):
                family, dataset = part
                parts.setdefault(family, {})[dataset] = joined
        for family, by_task in parts.items():
            if (self.metrics is None or POINTS in self.metrics) and all(name in by_task for name in COUNTED):
                self.compare_average(f"{family}_leaderboard", [by_task[name] for name in COUNTED])

    def compare_task(self, joined: Joined) -> None:
        """Every metric of a task."""
        models, first = joined.models, joined.models[0]
        task, remarks, wanted = first.task, joined.remarks(), self.metrics
        for metric in dict.fromkeys(name for samples in models for name in samples.metrics):
            if wanted is not None and metric not in wanted:
                continue
            if is_another_form(task, metric):
                note = f"{metric} of {task} is in the table in another unit or rounded, and not tested twice."
                self.results.notes[note] = None
                continue
            conditions = {samples.model: samples.metric_conditions.get(metric, "") for samples in models}
            if len(set(conditions.values())) > 1:
                listed = " and ".join(f"{how or 'unknown'} ({name})" for name, how in conditions.items())
                self.refuse(f"{task}, {metric}", f"by {listed}")
                continue
            self.compare_metric(joined, metric, (*remarks, *joined.lacking(metric)))
        text_metrics = [name for name in WHOLE_TEXT if wanted is None or name in wanted]
        counts = joined.counts() if text_metrics else None
        if counts is not None and len(models) > 2:
            self.refuse(f"{task}, {', '.join(WHOLE_TEXT)}", "not compared over several seeds")
        elif counts is not None:
            for metric in text_metrics:
                self.compare_text(first, metric, counts, remarks)
        averages = {name for samples in models for name in samples.averages}
        if averages := sorted(averages if wanted is None else averages & set(wanted)):
            self.refuse(f"{task}, {', '.join(averages)}", "known as an average only")

    def compare_metric(self, joined: Joined, metric: str, remarks: Sequence[str]) -> None:
        """A metric of single documents."""
        strata, (unit, within) = joined.strata, _unit(metric)
        values = joined.values(metric) / unit
        first, second = values[:, : len(self.baseline.members)], values[:, len(self.baseline.members) :]
        complete = ~np.isnan(values).any(axis=1)
        yes_no = not within.graded and bool(np.isin(values[complete], stats.ends(within)).all())
        scale = 100.0 if yes_no else unit
        samples = joined.models[0]
        if values.shape[1] == 2:
            difference = stats.paired_difference(
                first[:, 0],
                second[:, 0],
                strata=strata,
                clusters=joined.clusters,
                within=within,
                resamples=self.resamples,
            )
        else:
            difference = stats.group_difference(first, second, strata, within=within)
            for side, of_side in ((self.baseline, first), (self.model, second)):
                if of_side.shape[1] > 1:
                    group = stats.seed_group(of_side * scale, strata, within=within.times(scale))
                    name = location_of(samples.task, metric, samples.judge, samples.turn)[1]
                    digits, in_points = (2, "points") if scale != 1.0 else (name.digits, "")
                    row = SeedRow(side.name, samples.task, metric, name.title, group, digits, in_points)
                    self.results.seeds[row] = None
        labels = None if strata is None else strata[complete]
        scores = (_mean(first[complete].mean(axis=1), labels), _mean(second[complete].mean(axis=1), labels))
        self.add(samples, metric, scores, difference, scale, remarks)

    def compare_text(self, samples: Scored, metric: str, counts: Floats, remarks: Sequence[str]) -> None:
        """Readability of all answers of a model as one text."""
        which = WHOLE_TEXT.index(metric)

        def statistic(sums: Floats) -> Floats:
            return flesch(sums[:, 0], sums[:, 1], sums[:, 2])[which]

        difference = stats.paired_statistic(statistic, counts[:, 0], counts[:, 1], resamples=self.resamples)
        baseline, model = (float(value) for value in statistic(counts.sum(axis=0)))
        scores = (baseline if math.isfinite(baseline) else None, model if math.isfinite(model) else None)
        self.add(samples, metric, scores, difference, 1.0, remarks)

    def compare_average(self, task: str, parts: Sequence[Joined]) -> None:
        """The leaderboard's average of four, paired within each."""
        if len(self.baseline.members) + len(self.model.members) > 2:
            self.refuse(task, "not compared over several seeds; its parts are")
            return
        pairs: list[stats.Pairs] = []
        scores: list[tuple[float | None, float | None]] = []
        unit, within = _unit(POINTS)
        for part in parts:
            values = part.values(POINTS) / unit
            complete = ~np.isnan(values).any(axis=1)
            labels = None if part.strata is None else part.strata[complete]
            pairs.append(stats.Pairs(values[:, 0], values[:, 1], part.strata, within))
            scores.append((_mean(values[complete, 0], labels), _mean(values[complete, 1], labels)))
        difference = stats.paired_average(pairs, shares=False, resamples=self.resamples)
        samples = replace(parts[0].models[0], task=task)
        means = (_mean_of([score for score, _ in scores]), _mean_of([score for _, score in scores]))
        self.add(samples, POINTS, means, difference, 100.0)

    def compare_contests(self, contests: PairwiseResults) -> None:
        """Win rates: the difference of the two is that of the shares of contests which each has won."""
        points = np.array([math.nan if point is None else point for point in contests.points])
        points = points if self.model.members == (contests.model,) else 1 - points
        known = ~np.isnan(points)
        lost, won = (np.where(known, points == score, np.nan) for score in (0.0, 1.0))
        clusters = contests.clusters if len(set(contests.clusters)) < len(contests.clusters) else None
        difference = stats.paired_difference(
            lost, won, clusters=clusters, within=Scale(0.0, 1.0), resamples=self.resamples
        )
        rate = _mean(points[known], None)
        samples = Scored(self.model.name, contests.task, (), contests.judge)
        self.add(samples, WIN_RATE, (None if rate is None else 1 - rate, rate), difference, 100.0)

    def add(
        self,
        samples: Scored,
        metric: str,
        scores: tuple[float | None, float | None],
        difference: stats.Difference,
        scale: float,
        remarks: Sequence[str] = (),
    ) -> None:
        """A row of a table; scores and difference are multiplied by `scale`, 100 where they are shown in points."""
        location, name = location_of(samples.task, metric, samples.judge, samples.turn)
        first, second = (None if score is None else score * scale for score in scores)
        in_points = scale != 1.0
        row = Comparison(
            baseline=self.baseline.name,
            model=self.model.name,
            task=samples.task,
            judge=samples.judge,
            turn=samples.turn,
            metric=metric,
            what=f"{name.title}, %" if in_points else name.title,
            scores=(first, second),
            difference=replace(difference, estimate=stats.scale(difference.estimate, scale)),
            digits=2 if in_points else name.digits,
            unit="points" if in_points else "",
            better=name.better,
            seeds=(len(self.baseline.members), len(self.model.members)),
        )
        who = f"{name.title}, {self.model.name} against {self.baseline.name}"
        notes = tuple(f"{who}: {remark}." for remark in remarks)
        self.results.rows.setdefault(location, []).append((name.order, row, notes))

    def refuse(self, what: str, why: str) -> None:
        """Note what was not compared."""
        key = f"{self.model.name} against {self.baseline.name}", why
        self.results.refused.setdefault(key, {})[what] = None


def corrected(rows: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The rows as one table: Holm's p over it, and what would have been detected at its strictest level."""
    adjusted = stats.holm([row.difference.p for row in rows])
    tests = sum(p is not None for p in adjusted)

    def detectable(row: Comparison) -> float | None:
        difference = row.difference.detectable(LEVEL / max(tests, 1))
        by_share = row.difference.estimate.method == "tango"  # of shares, whatever the unit of the estimate
        return 100.0 * difference if difference is not None and by_share and row.unit else difference

    return tuple(
        replace(row, adjusted=p, tests=tests, detectable=detectable(row)) for row, p in zip(rows, adjusted, strict=True)
    )


def _unit(metric: str) -> tuple[float, Scale]:
    """What a metric's values are divided by, 100 where they are percentages, and their scale then."""
    scale = scale_of(metric)
    unit = 100.0 if scale.span == 100.0 else 1.0
    return unit, scale.times(1 / unit)


def _seed_notes(pairs: Sequence[tuple[Side, Side]]) -> Iterator[str]:
    sides = {side.name: len(side.members) for pair in pairs for side in pair}
    single = [name for name, number in sides.items() if number < 2]
    several = [name for name, number in sides.items() if number > 1]
    for chosen in (single, several):
        if chosen:
            yield stats.seed_words(chosen, [sides[name] for name in chosen])


def _mean(values: Floats, strata: NDArray[np.intp] | None) -> float | None:
    return stats.strata_of(values, strata).value if values.size else None


def _mean_of(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return math.fsum(known) / len(known) if len(known) == len(scores) else None
