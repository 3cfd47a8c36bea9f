"""Results of any origin as data frames: ours, lm-eval's, FastChat's judgments, Inspect's logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval.errors import DataError, UnknownNameError, UsageError
from s2eval.records import Row

if TYPE_CHECKING:
    import pandas as pd

    from s2eval.api.comparison import Comparison
    from s2eval.api.plots import Plot
    from s2eval.report.build import Report
    from s2eval.report.document import Table
    from s2eval.report.read.items import LogContents, Scored

SCORE_COLUMNS = tuple(field.name for field in fields(Row))
"""Columns of `Run.scores`, as of `scores.csv`; see `s2eval.records.Row`."""

SAMPLE_COLUMNS = ("model", "task", "document", "question", "answer", "reasoning", "reference", "stratum")
"""Columns of `Run.samples` before those of the metrics."""

JUDGMENT_COLUMNS = (
    *("judge", "model", "question_id", "category", "turn", "choice", "repeat", "rating", "problem", "judgment"),
    *("prompt", "source"),
)
"""Columns of `Run.judgments`."""


def open_run(path: str | Path, *more: str | Path) -> Run:
    """Open results: run folders, folders of `lm_eval --output_path`, FastChat's judgments, or Inspect's logs.

    Models of several folders or files are compared and named together.

    Raises:
        DataError: nothing that can be read lies there.
    """
    paths = [Path(path), *map(Path, more)]
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such folder or file")
    run = Run(paths)
    if run.scores.empty:
        raise DataError(f"{', '.join(map(str, paths))}: no results")
    return run


class Run:
    """What models scored.

    Attributes:
        paths: folders and files that it was read from.
        failures: `model/task: why` of what failed, where this process evaluated it.
    """

    def __init__(self, paths: Sequence[Path], failures: Sequence[str] = ()) -> None:
        self.paths = tuple(paths)
        self.failures = tuple(failures)

    def __repr__(self) -> str:
        return f"Run({', '.join(map(str, self.paths))}: {len(self.models)} models, {len(self.tasks)} tasks)"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(task)}</th>" for task in self.scoreboard.columns)
        lines: list[str] = []
        for row in self.scoreboard.rows:
            texts = [escape(cell.with_interval) for cell in row.cells]
            marked = [f"<b>{text}</b>" if cell.best else text for text, cell in zip(texts, row.cells, strict=True)]
            lines.append(f"<tr><th>{escape(row.header[0])}</th>{''.join(f'<td>{text}</td>' for text in marked)}</tr>")
        return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    @cached_property
    def scoreboard(self) -> Table:
        """Models × tasks at a glance: of each task its first metric."""
        from s2eval.report.tables.scoreboard import task_scoreboard

        return task_scoreboard(self._rows)

    @cached_property
    def _report(self) -> Report | None:
        """Of folders with tables; None of judgments or logs of other tools alone."""
        from s2eval.report import sources
        from s2eval.report.build import Report

        try:
            read = sources.read_all(self.paths)
        except DataError:
            if self._contents.scored or self._contents.contests:
                return None
            raise
        return Report(read, published=any(source.references for source in read))

    @cached_property
    def _contents(self) -> LogContents:
        from s2eval.report.read import item_scores

        return item_scores.read(self.paths)

    @cached_property
    def _rows(self) -> list[Row]:
        from s2eval.report.rows import rows_of

        return self._report.rows if self._report else rows_of(self._contents.scored)

    @property
    def models(self) -> list[str]:
        """Names, in the order of the tables."""
        return list(dict.fromkeys(row.model for row in self._rows))

    @property
    def tasks(self) -> list[str]:
        """Names, in the order in which they are met."""
        return list(dict.fromkeys(row.task for row in self._rows))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every number with its interval; columns `SCORE_COLUMNS`."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self._rows], columns=list(SCORE_COLUMNS))

    def samples(self, task: str | None = None, model: str | None = None) -> pd.DataFrame:
        """One row for each document and model, by default of all: `SAMPLE_COLUMNS`, then a column for each metric.

        Raises:
            UnknownNameError: no samples of that task or model.
        """
        import pandas as pd

        scored = [samples for samples in self._contents.scored if not samples.turn]
        for kind, name, known in (
            ("task", task, [samples.task for samples in scored]),
            ("model", model, [samples.model for samples in scored]),
        ):
            if name is not None and name not in known:
                raise UnknownNameError(f"{kind} with samples", name, dict.fromkeys(known))
        chosen = [each for each in scored if task in (None, each.task) and model in (None, each.model)]
        records = [record for samples in chosen for record in _sample_records(samples)]
        metrics = dict.fromkeys(name for record in records for name in record if name not in SAMPLE_COLUMNS)
        return pd.DataFrame(records, columns=[*SAMPLE_COLUMNS, *metrics])

    @cached_property
    def judgments(self) -> pd.DataFrame:
        """One row for each judgment of a single answer; columns `JUDGMENT_COLUMNS`. Empty without a judge."""
        import pandas as pd

        return pd.DataFrame(list(_judgment_records(self.paths)), columns=list(JUDGMENT_COLUMNS))

    def compare(self, baseline: str | None = None, models: Sequence[str] | str | None = None) -> Comparison:
        """Differences between models, document by document; see `s2eval.compare`."""
        from s2eval.api.comparison import compare_found

        return compare_found(self._contents, baseline, [models] if isinstance(models, str) else models)

    def report(self, format: str = "md", out: str | Path | None = None, **options: Any) -> str:
        """The report as text; of formats that are files, as html, their path.

        Args:
            format: of `s2eval ls formats`, such as `md`, `tex`, `csv`, `html`.
            out: writes it there as well; needed for formats that are files.
            options: fields of `s2eval.report.render.RenderOptions`.
        """
        from s2eval import store
        from s2eval.report.render import REPORT_FORMATS, RenderOptions

        if self._report is None:
            raise UsageError("a report takes a run folder or lm-eval's output; here are judgments or logs only")
        chosen, settings = REPORT_FORMATS.find(format), RenderOptions(**options)
        chosen.check(settings)
        if chosen.render is None:
            if out is None:
                raise UsageError(f"format {format!r} writes a file: give out='report.{format}'")
            assert chosen.write is not None
            chosen.write(Path(out), self._report, settings)
            return str(out)
        text = chosen.render(self._report, settings)
        if out is not None:
            with store.explain_os_errors(Path(out)), store.write_atomically(Path(out)) as file:
                file.write(text)
        return text

    def plot(self, name: str = "leaderboard") -> Plot:
        """The first chart of the report whose key contains `name`; an unknown name is an error that lists all."""
        from s2eval.api.plots import Plot

        charts = self._report.charts if self._report else []
        chosen = next((chart for chart in charts if name in chart.key), None)
        if chosen is None:
            raise UnknownNameError("chart", name, [chart.key for chart in charts])
        return Plot(chosen)


def _sample_records(scored: Scored) -> Iterator[dict[str, object]]:
    """Values of the items, with their texts where the log has them."""
    samples = scored.unit.samples if scored.unit else ()
    for number, item in enumerate(scored.items):
        record: dict[str, object] = {"model": scored.model, "task": scored.task, "document": item.name}
        if len(samples) == len(scored.items):
            sample = samples[number]
            record |= {
                "document": sample.doc_id,
                "question": sample.question,
                "answer": sample.answer,
                "reasoning": sample.reasoning,
                "reference": sample.reference,
            }
        yield {**record, "stratum": item.stratum, **item.values}


def _judgment_records(paths: Sequence[Path]) -> Iterator[dict[str, object]]:
    from s2eval.judge.judgments import read_single

    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*.jsonl")):
            if file.name != "judgments.jsonl" and not file.name.endswith("_single.jsonl"):
                continue
            if "pairwise-" in str(file):
                continue
            for judgment in read_single(file):
                rating = judgment.read()
                yield {
                    **{name: getattr(judgment, name, None) for name in JUDGMENT_COLUMNS},
                    "rating": rating.value,
                    "problem": rating.problem,
                    "judgment": judgment.text,
                }
