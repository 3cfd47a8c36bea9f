"""`s2eval mtbench`: answers, judgments, tables; `mtbench score` and `mtbench agreement` read stored judgments."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from s2eval.cli import judgments
from s2eval.errors import IncompleteError, UsageError
from s2eval.terminal import add_command, new_group, note, resumable, resume_command
from s2eval.terminal.options import ParserName

if TYPE_CHECKING:
    from s2eval.api.judging import OnProgress
    from s2eval.judge.ask.model_handles import ModelHandle
    from s2eval.judge.results import Stored
    from s2eval.llm.calls import Call
    from s2eval.llm.ledger import Ledger, Spent
    from s2eval.llm.prices import Prices


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
        typer.Option(metavar="MODEL", help="See s2eval ls models; repeatable."),
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
    ] = "strict",
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
    from s2eval import chat_arguments
    from s2eval.api import judging
    from s2eval.report.charts.report_charts import write_radars

    request = judging.JudgeRequest(
        model,
        judge,
        baseline=baseline,
        out=out,
        suite=suite,
        questions=questions,
        judge_prompts=judge_prompts,
        references=references,
        limit=limit,
        max_tokens=max_tokens,
        judge_max_tokens=judge_max_tokens,
        judge_temperature=judge_temperature,
        choices=choices,
        repeats=judge_repeats,
        parser=parser,
        structured=structured,
        template=template,
        chat_template_args=chat_arguments.parse(chat_template_args) or {},
        dtype=dtype,
        device=device,
        base_url=base_url,
        judge_base_url=judge_base_url,
        prices=prices,
        batch=batch,
        max_calls=max_calls,
        max_cost=max_cost,
        in_flight=in_flight,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
    )
    with judging.open_plan(request, note, dry_run=dry_run) as plan:
        if dry_run:
            forecast(plan.calls, plan.prices)
            plan.check()
            return
        plan.check_folder()
        plan.check()
        with resumable(f"what was answered is kept in {plan.out / judging.CALLS}"):
            results, stored = plan.run(_progress())
        typer.echo(render(stored, [handle.name for handle in plan.models], plan.suite.name))
        for chart in write_radars(plan.out, [row for part in stored for row in part.rows]):
            note(f"chart: {chart}")
        _report_spent(plan.ledger, plan.budget.spent, plan.out)
    if lines := judging.failures_of(results):
        raise IncompleteError("\n  ".join(["finished with failures", *lines, f"To retry: {resume_command()}"]))


def forecast(calls: "Sequence[tuple[ModelHandle, Call]]", prices: "Prices") -> None:
    """Print who would be asked how much, and what it would cost."""
    from s2eval.judge.bench import ASSUMED
    from s2eval.llm.prices import describe, estimate

    asked = {call.key: (handle, call) for handle, call in calls}
    who = {handle.name: handle for handle, _ in asked.values()}
    for name, handle in who.items():
        one = estimate([call for other, call in asked.values() if other.name == name], prices)
        cost = f", {describe(one)}" if handle.remote else ""
        typer.echo(
            f"{handle.text}: {one.calls} calls, about {one.tokens_in:,} tokens in, at most "
            f"{one.tokens_out_at_most:,} out{cost}"
        )
    whole = estimate([call for _, call in asked.values()], prices)
    typer.echo(
        f"{whole.calls} calls in all, {describe(whole)}, at the prices of {prices.date}; answers that are not there yet"
        f" are taken to have {ASSUMED} characters"
    )


def render(stored: "Sequence[Stored]", models: Sequence[str], name: str) -> str:
    """The tables as Markdown."""
    from s2eval.report import Document, render_markdown
    from s2eval.report.tables.judged import TITLES, judged_tables, notes_of

    rows = [row for one in stored for row in one.rows]
    tables = judged_tables(rows, models, notes=notes_of([one.facts for one in stored]))
    return render_markdown(Document(TITLES.get(f"s2_{name}", name), tables))


def _progress() -> "OnProgress":
    from tqdm import tqdm

    bars: dict[str, tqdm[Any]] = {}

    def show(name: str, done: int, total: int, spent: "Spent") -> None:
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

    return show


def _report_spent(ledger: "Ledger", spent: "Spent", out: Path) -> None:
    """What this command spent at APIs, and what the folder's calls took in all."""
    from s2eval.llm.account import describe

    total = ledger.spent()
    earlier = f"; with earlier runs into {out}: {describe(total)}" if total.calls > spent.calls else ""
    note(f"{describe(spent)}{earlier}")


def _describe_models() -> str:
    from s2eval.models.kinds import usages

    return usages(judging=True).replace("[", "\\[") + "; repeatable."


add_command(app, run, "run", examples=EXAMPLES, table_help={"model": _describe_models})
add_command(app, judgments.score, "score", examples=judgments.SCORE_EXAMPLES)
add_command(app, judgments.agreement, "agreement", examples=judgments.AGREEMENT_EXAMPLES)
