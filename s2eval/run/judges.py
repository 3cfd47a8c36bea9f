"""The judges of a run: every model of a configuration on MT(S)-Bench, after its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from s2eval.config import JudgeEntry, ModelEntry, RunConfig
from s2eval.errors import S2Error, UsageError
from s2eval.files.names import clashes
from s2eval.judge import bench, results
from s2eval.judge.ask.judging import JudgeSettings
from s2eval.judge.ask.model_handles import Access, ModelHandle, open_judge, open_model
from s2eval.judge.suite.definition import Suite, load
from s2eval.llm import prices as tables
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call
from s2eval.llm.ledger import Ledger
from s2eval.llm.prices import Estimate, estimate
from s2eval.models import loaded
from s2eval.run.progress import Progress

CALLS = "calls.sqlite"


@dataclass(frozen=True, slots=True)
class Judged:
    """One model and one judge of a run, with as many questions as the run has."""

    entry: ModelEntry
    judge: JudgeEntry
    suite: Suite
    model: ModelHandle
    settings: JudgeSettings
    budget: Budget

    @property
    def name(self) -> str:
        """`model/mtbench/judge`."""
        return f"{self.entry.name}/{results.FOLDER}/{results.folder_name(self.suite, self.settings)}"

    @property
    def names(self) -> tuple[str, ...]:
        """All that `--only` may name it by."""
        return (self.name, self.entry.name, results.FOLDER, self.settings.judge.name)


def plan(config: RunConfig) -> list[Judged]:
    """Every model with every judge, model by model; nothing is loaded or called. Raises UsageError or
    PrerequisiteError for a judge or a model that does not exist."""
    planned: list[Judged] = []
    prices = tables.load()
    for entry in config.models:
        for judge in config.judges:
            suite = load(judge.suite).limited(judge.limit or config.limit, judge.max_tokens, judge.judge_max_tokens)
            budget = Budget(judge.max_calls, judge.max_cost, prices.of)
            local = {"dtype": entry.dtype if entry.dtype != "auto" else None, "device": entry.device, **entry.args}
            template = entry.template or config.template
            model = open_model(entry.model, suite, Access(template=template, local=local))
            settings = JudgeSettings(
                open_judge(judge.judge, Access(judge.base_url, budget)),
                judge.parser,
                judge.repeats,
                judge.structured,
                judge.judge_temperature,
            )
            planned.append(Judged(entry, judge, suite, replace(model, name=entry.name), settings, budget))
    names = [judged.name for judged in planned]
    if alike := clashes(names):
        raise UsageError(f"judges {', '.join(alike)}: on some systems both are one folder. Give each a run of its own")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two judges would write into {', '.join(twice)}: keep one, or give each a run of its own")
    return planned


def judge(planned: Sequence[Judged], out: Path, *, keep_going: bool, progress: Progress) -> list[str]:
    """Answer and judge; returns `model/mtbench/judge: why` of each that failed in full or in part. Raises the first
    S2Error unless `keep_going`; answers are kept."""
    failures: list[str] = []
    prices = tables.load()
    with Ledger.open(out / CALLS) as ledger, loaded.releasing():
        for judged in planned:
            if broken := problem(judged, out):
                progress.log(f"{judged.name} is broken: {broken}; it is judged again")
            progress.log(f"{judged.name}: {len(judged.suite.questions)} questions")

            def report(who: str, done: int, total: int, _: object, name: str = judged.name) -> None:
                progress.judging(name, who, done, total)

            try:
                results.check_same_models(out, judged.suite, judged.settings, judged.model)
                judged.budget.keep_in(ledger, judged.name)
                client = bench.CachedClient(ledger, prices, judged.budget, report)
                result = bench.rate(judged.suite, judged.model, judged.settings, judged.judge.choices, client)
                results.write(out, result, judged.entry.group, judged.entry.seed)
            except S2Error as error:
                if not keep_going:
                    raise
                failures.append(f"{judged.name}: {error}")
                continue
            if result.failed:
                why = next(judgment.failure for judgment in result.judgments if judgment.failure)
                failures.append(f"{judged.name}: {result.failed} of {len(result.judgments)} judgments failed: {why}")
    return failures


def problem(judged: Judged, out: Path) -> str:
    """What is broken of its results, with the file's name; "" where nothing is, or where there are none."""
    path = results.path_of(out, judged.suite, judged.settings, judged.entry.name)
    broken = results.problem(path) if path.exists() else ""
    return f"{path.name}: {broken}" if broken else ""


def pending(planned: Sequence[Judged], out: Path) -> list[tuple[Judged, Estimate]]:
    """The calls that are still to be made for each; makes none."""
    prices = tables.load()
    with bench.known(out / CALLS) as ledger:
        return [(judged, estimate((call for _, call in _calls(judged, ledger)), prices)) for judged in planned]


def check(planned: Sequence[Judged], out: Path) -> None:
    """Check, before a model is loaded, that the remaining calls can be made; see `bench.check`."""
    with bench.known(out / CALLS) as ledger:
        for judged in planned:
            bench.check(_calls(judged, ledger), judged.budget)


def _calls(judged: Judged, ledger: Ledger) -> list[tuple[ModelHandle, Call]]:
    client = bench.DryRunClient(ledger)
    bench.rate(judged.suite, judged.model, judged.settings, judged.judge.choices, client)
    return client.calls
