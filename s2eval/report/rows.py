"""What models scored → rows of `scores.csv`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from s2eval import scoring, stats
from s2eval.identity import key_of
from s2eval.metrics import scale_of
from s2eval.metrics.bertscore import BERTSCORE
from s2eval.metrics.choices import POINTS
from s2eval.records import MINIMUM, Estimate, Row, Unit
from s2eval.report.read.items import Scored
from s2eval.tasks.leaderboard.scores import leaderboard_average, leaderboard_part


def rows_of(scored: Iterable[Scored]) -> list[Row]:
    """Every number, and the leaderboard's average of each model that has units of all four tasks.

    Of results that are no units (FastChat's judgments, Inspect's logs, other packages' formats): means over items.
    """
    rows: list[Row] = []
    parts: dict[tuple[str, str], dict[str, tuple[Scored, Estimate]]] = {}
    for samples in scored:
        unit = samples.unit
        if unit is None:
            for metric in samples.metrics:
                values = [item.values.get(metric) for item in samples.items]
                rows.append(_row(samples, "", metric, stats.mean(values, within=scale_of(metric))))
            continue
        encoder = unit.facts.encoder
        for (subset, metric), estimate in _estimates_of(unit).items():
            provenance = encoder.key if encoder and metric in BERTSCORE.names else unit.provenance
            rows.append(_row(samples, subset, metric, estimate, provenance))
            if metric == POINTS and not subset and (part := leaderboard_part(unit.task)):
                family, dataset = part
                parts.setdefault((unit.model, family), {})[dataset] = (samples, estimate)
    for (_, family), by_task in parts.items():
        average = leaderboard_average({task: estimate for task, (_, estimate) in by_task.items()})
        if average is not None:
            units = [samples.unit for samples, _ in by_task.values() if samples.unit]
            provenance = key_of({"average of": sorted(unit.provenance for unit in units)})
            samples = replace(next(iter(by_task.values()))[0], task=f"{family}_leaderboard")
            rows.append(_row(samples, "", POINTS, average, provenance))
    return rows


def _row(samples: Scored, subset: str, metric: str, estimate: Estimate, provenance: str = "") -> Row:
    return Row(
        model=samples.model,
        group=samples.group or samples.model,
        seed=samples.seed,
        task=samples.task,
        subset=subset,
        judge=samples.judge,
        turn=samples.turn,
        metric=metric,
        value=estimate.value,
        stderr=estimate.stderr,
        ci_low=estimate.ci_low,
        ci_high=estimate.ci_high,
        n=estimate.n,
        n_valid=estimate.n_valid,
        provenance=provenance,
    )


def _estimates_of(unit: Unit) -> dict[scoring.Key, Estimate]:
    """From the samples; metrics that only the aggregate has (or no samples at all) from what lm-eval printed."""
    estimates = scoring.score_samples(unit.samples) if unit.samples else {}
    for metric, (value, stderr) in unit.aggregates.items():
        if ("", metric) not in estimates and math.isnan(value):  # s2_mtsbench without a judge
            estimates["", metric] = Estimate(None, None, None, None, unit.n, 0, "none")
        elif ("", metric) not in estimates:
            estimates["", metric] = stats.from_summary(value, stderr, unit.n, scale_of(metric))
    return estimates


def up_to_date(row: Row) -> Row:
    """A stored row, its interval made of the standard error where the stored interval cannot be printed.

    That is an interval of fewer than `MINIMUM` items, without a width, or beyond the range of the metric: earlier
    releases wrote those. Any other row is returned as it is.
    """
    if row.value is None or row.ci_low is None or row.ci_high is None:
        return row
    scale = scale_of(row.metric)
    inside = scale.clip(row.ci_low) == row.ci_low and scale.clip(row.ci_high) == row.ci_high
    if row.n_valid >= MINIMUM and row.ci_low < row.ci_high and inside:
        return row
    estimate = stats.from_summary(row.value, row.stderr, row.n_valid, scale)
    return replace(row, ci_low=estimate.ci_low, ci_high=estimate.ci_high)
