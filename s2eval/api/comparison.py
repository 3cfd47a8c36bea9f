"""Models against each other, document by document."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from s2eval.api.run import Run
    from s2eval.judge.verdicts.parsers import Parser
    from s2eval.report.compare import Compared, Side
    from s2eval.report.read.items import LogContents

log = logging.getLogger("s2eval")

COMPARISON_COLUMNS = (
    *("table", "task", "judge", "turn", "metric", "baseline", "model", "baseline_score", "model_score", "difference"),
    *("ci_low", "ci_high", "p", "p_adjusted", "n", "n_valid", "unit", "verdict"),
)
"""Columns of `Comparison.to_frame`."""


class Comparison:
    """Differences with intervals, tests and verdicts; `compared` has them as records."""

    def __init__(self, compared: Compared) -> None:
        self.compared = compared

    @property
    def not_compared(self) -> tuple[str, ...]:
        """What could not be compared, and why."""
        return self.compared.refused

    def to_frame(self) -> pd.DataFrame:
        """One row for each difference; columns `COMPARISON_COLUMNS`."""
        import pandas as pd

        records: list[tuple[object, ...]] = []
        for table in self.compared.tables:
            for row in table.rows:
                difference, estimate = row.difference, row.difference.estimate
                records.append(
                    (
                        *(table.title, row.task, row.judge, row.turn, row.metric, row.baseline, row.model),
                        *(*row.scores, estimate.value, estimate.ci_low, estimate.ci_high, difference.p, row.adjusted),
                        *(estimate.n, estimate.n_valid, row.unit, row.verdict),
                    )
                )
        return pd.DataFrame(records, columns=list(COMPARISON_COLUMNS))

    def to_markdown(self) -> str:
        """The tables that `s2eval compare` prints."""
        from s2eval.report.render.comparison import render_comparison

        return render_comparison(self.compared)

    def to_dict(self) -> dict[str, object]:
        """What `s2eval compare --json` prints."""
        from s2eval.report.render.comparison import comparison_json

        return comparison_json(self.compared)

    def _repr_html_(self) -> str:
        columns = ["task", "metric", "model", "baseline", "difference", "ci_low", "ci_high", "p_adjusted", "verdict"]
        return self.to_frame()[columns].to_html(index=False)


def compare(
    runs: str | Path | Run | Sequence[str | Path | Run],
    baseline: str | None = None,
    models: Sequence[str] | str | None = None,
    *,
    mix_prompts: bool = False,
    parser: Parser = "strict",
) -> Comparison:
    """Compare models of one or several runs, over the documents that both answered.

    Args:
        runs: folders, files or opened runs.
        baseline: model, or group of seeds, that the others are compared with; None: every two models.
        models: by default all.
        mix_prompts: compare answers to differently put questions, with a note.
        parser: how FastChat's judgments are read.

    Raises:
        UnknownNameError: no model or group of that name.
        UsageError: nothing can be compared.
    """
    from s2eval.api.run import Run
    from s2eval.report.read import item_scores

    paths: list[Path] = []
    for run in [runs] if isinstance(runs, (str, Path, Run)) else runs:
        paths += [Path(run)] if isinstance(run, (str, Path)) else list(run.paths)
    contents = item_scores.read(paths, parser)
    return compare_found(contents, baseline, [models] if isinstance(models, str) else models, mix_prompts=mix_prompts)


def compare_found(
    contents: LogContents, baseline: str | None, models: Sequence[str] | None, *, mix_prompts: bool = False
) -> Comparison:
    """`compare` of what was read."""
    from s2eval.report.compare import compare as compare_scored
    from s2eval.report.read.items import ignore_prompt_hash

    pairs = sides(contents, baseline, models or [])
    if mix_prompts:
        contents = replace(contents, scored=tuple(map(ignore_prompt_hash, contents.scored)))
    compared = compare_scored(contents.scored, pairs, contents.contests, contents.remarks)
    if not compared.tables:
        raise UsageError("nothing can be compared:" + "".join(f"\n  {reason}" for reason in compared.refused))
    return Comparison(compared)


def sides(contents: LogContents, baseline: str | None, models: Sequence[str]) -> list[tuple[Side, Side]]:
    """(baseline, model) of each comparison; UnknownNameError or, for fewer than two models, UsageError."""
    from s2eval.identity import choose
    from s2eval.report.compare import Side
    from s2eval.report.read.items import recorded_names

    contestants = (name for contest in contents.contests for name in (contest.against, contest.model))
    known = dict.fromkeys([*(samples.model for samples in contents.scored), *contestants])
    recorded = recorded_names(contents.scored, contents.contests)
    groups: dict[str, dict[str, None]] = {}
    for samples in contents.scored:
        if samples.group:
            groups.setdefault(samples.group, {})[samples.model] = None

    def side(name: str) -> Side:
        if name not in known and name in groups:
            return Side(name, tuple(groups[name]))
        model = choose(name, recorded)
        if model in known:
            return Side(model, (model,))
        for remark in contents.remarks:  # perhaps that is why it is unknown
            log.warning(remark)
        raise UnknownNameError("model", name, [*known, *groups])

    if baseline is None:
        pairs = list(combinations([side(name) for name in dict.fromkeys(models or known)], 2))
    else:
        first = side(baseline)
        others = [other for other in map(side, models or known) if other.name != first.name]
        pairs = [(first, other) for other in others if models or other.name not in first.members]
    if not pairs:
        reasons = "".join(f"\n  {remark}" for remark in contents.remarks)
        raise UsageError(f"a comparison needs two models; found {', '.join(known)}{reasons}")
    return pairs
