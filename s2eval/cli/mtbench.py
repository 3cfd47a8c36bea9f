"""`s2eval mtbench`: answers, judgments, tables; `mtbench score` and `mtbench agreement` read stored judgments."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from s2eval.cli import judgments
from s2eval.cli.judgments import ParserName
from s2eval.errors import IncompleteError, UsageError
from s2eval.terminal import add_command, new_group, note, resumable, resume_command

if TYPE_CHECKING:
    from s2eval.judge.bench import Asker, Pretender, Result
    from s2eval.judge.judging import Judging
    from s2eval.judge.participants import Participant
    from s2eval.judge.results import Stored
    from s2eval.judge.suite import Suite
    from s2eval.llm.calls import Call
    from s2eval.llm.ledger import Ledger, Spent
    from s2eval.llm.prices import Prices

CALLS = "calls.sqlite"


class Mode(StrEnum):
    """What the judge does."""

    single = "single"
    pairwise = "pairwise"


class _MtbenchGroup(TyperGroup):
    """A group whose command `run` need not be named: `s2eval mtbench --model M`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before options of it."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = new_group("mtbench", "Run MT(S)-Bench, or MT-bench itself, with a judge.", cls=_MtbenchGroup)

EXAMPLES = (
    "s2eval mtbench --model smollm2 --judge smollm2 --limit 6",
    "s2eval mtbench --model adapter:runs/sft --judge openai:gpt-4 --max-cost 5 --dry-run",
    "s2eval mtbench --model runs/ppo --mode pairwise --baseline runs/sft",
)
_QUESTIONS, _MODELS, _JUDGE, _API = "Questions", "Models of this machine", "Judge", "Servers and cost"


def run(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Path or hub id, smollm2, adapter:PATH@BASE, openai:NAME, baseline:NAME, answers:FILE; repeatable.",
        ),
    ] = None,
    judge: Annotated[
        str, typer.Option(metavar="JUDGE", help="openai:NAME, or a model of this machine such as smollm2.")
    ] = "openai:gpt-4",
    mode: Annotated[Mode, typer.Option(help="Rate each answer, or compare it with the baseline's.")] = Mode.single,
    baseline: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model to compare with, in --mode pairwise.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of results. Default: runs/mtsbench-MODEL.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print calls and cost, and check the servers; makes no calls that cost.")
    ] = False,
    choices: Annotated[int, typer.Option(metavar="N", min=1, help="Answers to each question.")] = 1,
    suite: Annotated[
        str,
        typer.Option(metavar="SUITE", help="Question set, or a folder of the same form.", rich_help_panel=_QUESTIONS),
    ] = "mtsbench",
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="N questions, taken in turn from each category.", rich_help_panel=_QUESTIONS
        ),
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="FastChat's question.jsonl.", rich_help_panel=_QUESTIONS)
    ] = None,
    judge_prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="FastChat's judge_prompts.jsonl.", rich_help_panel=_QUESTIONS)
    ] = None,
    references: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="FastChat's reference_answer/*.jsonl.", rich_help_panel=_QUESTIONS),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Prompt template. Default: what the model was trained with.", rich_help_panel=_MODELS
        ),
    ] = None,
    chat_template_args: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="For the tokenizer's template: '{\"enable_thinking\": false}'.",
            rich_help_panel=_MODELS,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of an answer. Default: the question set's.", rich_help_panel=_MODELS),
    ] = None,
    dtype: Annotated[str | None, typer.Option(metavar="DTYPE", rich_help_panel=_MODELS)] = None,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", rich_help_panel=_MODELS)] = None,
    judge_repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="Judgments of each answer.", rich_help_panel=_JUDGE)
    ] = 1,
    judge_max_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of a judgment. Default: the question set's.", rich_help_panel=_JUDGE),
    ] = None,
    judge_temperature: Annotated[
        float | None,
        typer.Option(metavar="X", min=0, max=2, help="Default: the question set's.", rich_help_panel=_JUDGE),
    ] = None,
    parser: Annotated[
        ParserName, typer.Option(help="How verdicts are read; docs/verdicts.md.", rich_help_panel=_JUDGE)
    ] = ParserName.strict,
    structured: Annotated[
        bool, typer.Option("--structured", help="Ratings as JSON, by the server's schema.", rich_help_panel=_JUDGE)
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Server of openai: models and judge. Default: OpenAI's.", rich_help_panel=_API
        ),
    ] = None,
    judge_base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The judge's, where it is another server.", rich_help_panel=_API)
    ] = None,
    max_calls: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Calls to APIs at most, failed ones included.", rich_help_panel=_API),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", min=0, help="Cost at most.", rich_help_panel=_API)
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own price table; docs/mtbench.md.", rich_help_panel=_API)
    ] = None,
    batch: Annotated[
        bool,
        typer.Option("--batch", help="Use OpenAI's Batch API; run again to collect.", rich_help_panel=_API),
    ] = False,
    in_flight: Annotated[
        int, typer.Option(metavar="N", min=1, help="Calls to an API at once.", rich_help_panel=_API)
    ] = 32,
    requests_per_minute: Annotated[int | None, typer.Option(metavar="N", min=1, rich_help_panel=_API)] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(metavar="N", min=1, rich_help_panel=_API)] = None,
) -> None:
    """Answer, judge, and print the tables; the same command resumes where it was stopped."""
    if not model:
        raise UsageError("--model is missing: which model is to be judged? See: s2eval mtbench --help")
    if (mode is Mode.pairwise) != (baseline is not None):
        raise UsageError("--mode pairwise and --baseline MODEL go together")
    if structured and (mode is Mode.pairwise or parser is ParserName.fastchat):
        raise UsageError("--structured is for ratings, and has a parser of its own: leave out --mode and --parser")

    from s2eval import chat_arguments
    from s2eval.judge import bench, preflight
    from s2eval.judge import results as written
    from s2eval.judge import suite as suites
    from s2eval.judge.default_folder import default_folder
    from s2eval.judge.judging import Judging
    from s2eval.judge.participants import Access, open_judge, open_model
    from s2eval.llm import prices as tables
    from s2eval.llm.budget import Budget
    from s2eval.llm.ledger import Ledger
    from s2eval.names import clashes
    from s2eval.report.charts.files import write_radars

    if out is None:
        out = default_folder(model, suite)
        note(f"results: {out}")
    chosen = suites.load(suite).with_files(questions, judge_prompts, references)
    chosen = chosen.limited(limit, max_tokens, judge_max_tokens)
    price = tables.load(prices, batch=batch)
    budget = Budget(max_calls, max_cost, price.of)
    with bench.known(out / CALLS) if dry_run else Ledger.open(out / CALLS) as ledger:
        budget.keep_in(ledger)
        remote: dict[str, Any] = {
            "max_in_flight": in_flight,
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
        }
        local = {"dtype": dtype, "device": device}
        arguments = chat_arguments.parse(chat_template_args)
        access = Access(
            base_url,
            budget,
            template,
            {**local, **({chat_arguments.MAPPING: arguments} if arguments else {})},
            remote,
            ledger if batch else None,
            note,
        )
        how = Judging(
            open_judge(judge, replace(access, base_url=judge_base_url or base_url, template=None, local=local)),
            parser.value,
            judge_repeats,
            structured,
            judge_temperature,
        )
        models = [open_model(text, chosen, access) for text in model]
        against = open_model(baseline, chosen, access) if baseline else None
        answering = (*models, *([against] if against else []))
        if (template or arguments) and not any(participant.template for participant in answering):
            raise UsageError(
                "--template and --chat-template-args are for models on this machine; here a server applies its own"
            )
        names = [one.name for one in answering]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"two models are called {', '.join(twice)} in folders and tables: judge them separately")
        if alike := clashes(names):
            raise UsageError(f"models {', '.join(alike)}: on some systems both are one folder; judge them separately")
        pretender = bench.Pretender(ledger)
        for one in models:
            bench_one(chosen, one, against, how, choices, pretender)
        if dry_run:
            forecast(pretender.calls, price)
        for one in () if dry_run else models:
            written.refuse_another(out, chosen, how, one, against)
        preflight.check(pretender.calls, budget)
        if dry_run:
            return
        asker = _asker(ledger, price, budget)
        results: list[Result] = []
        stored: list[Stored] = []
        with resumable(f"what was answered is kept in {out / CALLS}"):
            for one in models:  # each is written when it is whole
                results.append(bench_one(chosen, one, against, how, choices, asker))
                stored.append(written.write(out, results[-1]))
        typer.echo(render(stored, [one.name for one in models], chosen.name))
        for chart in write_radars(out, [row for one in stored for row in one.rows]):
            note(f"chart: {chart}")
        _account(ledger, budget.spent, out)
        _tell_failures(results)


def bench_one(
    suite: Suite,
    model: Participant,
    against: Participant | None,
    how: Judging,
    choices: int,
    asker: Asker | Pretender,
) -> Result:
    """One model, rated or compared."""
    from s2eval.judge import bench

    if against is not None:
        return bench.compare(suite, model, against, how, asker)
    return bench.rate(suite, model, how, choices, asker)


def forecast(calls: Sequence[tuple[Participant, Call]], prices: Prices) -> None:
    """Print who would be asked how much, and what it would cost."""
    from s2eval.judge.bench import ASSUMED
    from s2eval.llm.prices import describe, estimate

    asked = {call.key: (participant, call) for participant, call in calls}
    who = {participant.name: participant for participant, _ in asked.values()}
    for name, participant in who.items():
        one = estimate([call for other, call in asked.values() if other.name == name], prices)
        cost = f", {describe(one)}" if participant.remote else ""
        typer.echo(
            f"{participant.text}: {one.calls} calls, about {one.tokens_in:,} tokens in, at most "
            f"{one.tokens_out_at_most:,} out{cost}"
        )
    whole = estimate([call for _, call in asked.values()], prices)
    typer.echo(
        f"{whole.calls} calls in all, {describe(whole)}, at the prices of {prices.date}; answers that are not there yet"
        f" are taken to have {ASSUMED} characters"
    )


def render(stored: Sequence[Stored], models: Sequence[str], name: str) -> str:
    """The tables as Markdown."""
    from s2eval.report import Document, render_markdown
    from s2eval.report.tables.judged import TITLES, judged_tables, notes_of

    rows = [row for one in stored for row in one.rows]
    tables = judged_tables(rows, models, notes=notes_of([one.facts for one in stored]))
    return render_markdown(Document(TITLES.get(f"s2_{name}", name), tables))


def _asker(ledger: Ledger, prices: Prices, budget: Any) -> Asker:
    from tqdm import tqdm

    from s2eval.judge.bench import Asker

    bars: dict[str, tqdm[Any]] = {}

    def tell(name: str, done: int, total: int, spent: Spent) -> None:
        bar = bars.get(name)
        if bar is None or bar.total != total or done < bar.n:
            if bar is not None:
                bar.close()
            bar = bars[name] = tqdm(total=total, desc=name, unit="call", file=sys.stderr)
        bar.update(done - bar.n)
        if spent.usd:
            bar.set_postfix_str(f"{spent.usd:.4f} USD", refresh=False)
        if done == total:
            bar.close()
            del bars[name]

    return Asker(ledger, prices, budget, tell)


def _account(ledger: Ledger, spent: Spent, out: Path) -> None:
    """What this command spent at APIs, and what the folder's calls took in all."""
    from s2eval.llm.account import describe

    total = ledger.spent()
    earlier = f"; with earlier runs into {out}: {describe(total)}" if total.calls > spent.calls else ""
    note(f"{describe(spent)}{earlier}")


def _tell_failures(results: Sequence[Result]) -> None:
    lines = [
        f"{result.model.name}: {result.failed} of {len(result.judgments)} judgments failed: "
        + next(one.problem for one in result.judgments if one.failed)
        for result in results
        if result.failed
    ]
    if lines:
        raise IncompleteError("\n  ".join(["finished with failures", *lines, f"To retry: {resume_command()}"]))


add_command(app, run, "run", examples=EXAMPLES)
add_command(app, judgments.score, "score", examples=judgments.SCORE_EXAMPLES)
add_command(app, judgments.agreement, "agreement", examples=judgments.AGREEMENT_EXAMPLES)
