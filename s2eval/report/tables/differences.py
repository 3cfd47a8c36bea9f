"""Differences of every model from a baseline, in sentences below the tables and as tables of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s2eval.errors import UnknownNameError
from s2eval.identity import choose
from s2eval.judge.scores.estimates import SCORE
from s2eval.report.compare import Compared, ComparisonTable, Side, compare
from s2eval.report.document import MISSING, Cell, Table, TableRow
from s2eval.report.read.items import PairwiseResults, Scored, recorded_names
from s2eval.report.tables.definitions import definitions


def reported() -> frozenset[str]:
    """The metrics that any table has a column of: the families within which `s2eval compare` corrects, too."""
    return frozenset({SCORE, *(column.metric for definition in definitions() for column in definition.columns)})


# Counts, and other forms of metrics that the sentences have.
_NOT_IN_SENTENCES = frozenset(
    {"s2_fre_2023", "s2_fkg_2023", "s2_fre_corpus", "s2_fkg_corpus", "s2_words", "s2_empty", "s2_cut"}
)


def sides(scored: Iterable[Scored], models: Sequence[str]) -> dict[str, Side]:
    """Name → side, in the order of `models`: a group of several seeds is one, any other model its own."""
    group_of: dict[str, str] = {}
    for samples in scored:
        group_of[samples.model] = group_of.get(samples.model) or samples.group
    members: dict[str, list[str]] = {}
    for model in models:
        if model in group_of:
            members.setdefault(group_of[model] or model, []).append(model)
    names = {name if len(own) > 1 else own[0]: tuple(own) for name, own in members.items()}
    return {name: Side(name, own) for name, own in names.items()}


def against_baseline(
    scored: Sequence[Scored], contests: Sequence[PairwiseResults], models: Sequence[str], baseline: str | None = None
) -> Compared:
    """Every model, or recipe of several seeds, against one: by default the first that has samples.

    Raises:
        UnknownNameError: no model and no group called `baseline` has samples.
        UsageError: several are.
    """
    known = sides(scored, models)
    if baseline is not None and baseline not in known:
        baseline = choose(baseline, recorded_names(scored))
    if baseline is not None and baseline not in known:
        raise UnknownNameError("model", baseline, list(known))
    if len(known) < 2:
        return Compared(())
    first = known[baseline] if baseline is not None else next(iter(known.values()))
    pairs = [(first, side) for name, side in known.items() if name != first.name]
    return compare(scored, pairs, contests, metrics=reported())


def sentences(compared: Compared) -> dict[str, tuple[str, ...]]:
    """Comparison table's key → a sentence for each model against the baseline.

    `a against b: ARC -1.20 (no difference shown; 3.1 points would have been detected); …`
    """
    sentences_of: dict[str, tuple[str, ...]] = {}
    for table in compared.tables:
        phrases: dict[str, list[str]] = {}
        for row in table.rows:
            if row.metric not in _NOT_IN_SENTENCES:
                value = row.difference.estimate.value
                number = MISSING if value is None else f"{value:+z.{row.digits}f}"
                phrase = f"{row.what.removesuffix(', %')} {number} ({row.verdict})"
                phrases.setdefault(f"{row.model} against {row.baseline}", []).append(phrase)
        sentences_of[table.key] = tuple(f"{models}: {'; '.join(parts)}." for models, parts in phrases.items())
    return sentences_of


def difference_table(table: ComparisonTable, title: str | None = None) -> Table:
    """A row a comparison: both scores, the difference with its interval, the adjusted p, and what it shows."""
    rows: list[TableRow] = []
    for row in table.rows:
        estimate, digits = row.difference.estimate, row.digits
        few = estimate.value is not None and estimate.ci_low is None
        interval = estimate.value, estimate.ci_low, estimate.ci_high
        cells = (
            Cell(row.scores[1], digits=digits),
            Cell(row.scores[0], digits=digits),
            Cell(*interval, estimate.n, estimate.n_valid, digits=digits, few=few),
            Cell(row.adjusted, digits=3),
            Cell(words=row.verdict),
        )
        rows.append(TableRow((row.what, row.model, row.baseline), cells))
    return Table(
        key=f"{table.key}_differences",
        title=title or f"Differences: {table.title}",
        header_names=("metric", "model", "baseline"),
        columns=("Model's", "Baseline's", "Difference", "p (Holm)", "Shown"),
        rows=tuple(rows),
        notes=table.notes,
        kind="differences",
    )


def comparison_key(key: str) -> str:
    """The key of the comparison table that belongs to a table: a judge's `…_scores_JUDGE` is `…_JUDGE` there."""
    return key.replace("_scores_", "_", 1)
