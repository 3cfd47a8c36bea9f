"""`s2eval mtbench`: answers, judgments, tables; `mtbench score` and `mtbench agreement` read stored judgments."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

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
    from s2eval.llm.ledger import Spent
    from s2eval.llm.prices import Prices


class _MtbenchGroup(TyperGroup):
    """A group whose command `run` is the default: `s2eval mtbench --model M`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = new_group("mtbench", "Run MT(S)-Bench, or MT-bench itself, with a judge.", cls=_MtbenchGroup)

EXAMPLES = (
    "s2eval mtbench --model smollm2 --judge smollm2 --limit 6",
    "s2eval mtbench --model adapter:runs/sft --judge openai:gpt-4 --max-cost 5 --dry-run",
    "s2eval mtbench --model runs/ppo --mode pairwise --baseline runs/sft",
)
_questions = partial(typer.Option, rich_help_panel="Questions")
_models = partial(typer.Option, rich_help_panel="Models of this machine")
_judging = partial(typer.Option, rich_help_panel="Judge")
_servers = partial(typer.Option, rich_help_panel="Servers and cost")


def run(
    model: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="See s2eval ls models; repeatable.")] = None,
    judge: Annotated[
        str, typer.Option(metavar="JUDGE", help="openai:NAME, or a model of this machine such as smollm2.")
    ] = "openai:gpt-4",
    mode: Annotated[
        Literal["single", "pairwise"], typer.Option(help="Rate each answer, or compare it with the baseline's.")
    ] = "single",
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
    suite: Annotated[str, _questions(metavar="SUITE", help="Question set, or a folder of the same form.")] = "mtsbench",
    limit: Annotated[
        int | None, _questions(metavar="N", min=1, help="N questions, taken in turn from each category.")
    ] = None,
    questions: Annotated[Path | None, _questions(metavar="FILE", help="FastChat's question.jsonl.")] = None,
    judge_prompts: Annotated[Path | None, _questions(metavar="FILE", help="FastChat's judge_prompts.jsonl.")] = None,
    references: Annotated[Path | None, _questions(metavar="FILE", help="FastChat's reference_answer/*.jsonl.")] = None,
    template: Annotated[
        str | None, _models(metavar="T", help="Prompt template. Default: what the model was trained with.")
    ] = None,
    chat_template_args: Annotated[
        str | None, _models(metavar="JSON", help="For the tokenizer's template: '{\"enable_thinking\": false}'.")
    ] = None,
    max_tokens: Annotated[
        int | None, _models(metavar="N", min=1, help="Of an answer. Default: the question set's.")
    ] = None,
    dtype: Annotated[str | None, _models(metavar="DTYPE")] = None,
    device: Annotated[str | None, _models(metavar="DEVICE")] = None,
    judge_repeats: Annotated[int, _judging(metavar="N", min=1, help="Judgments of each answer.")] = 1,
    judge_max_tokens: Annotated[
        int | None, _judging(metavar="N", min=1, help="Of a judgment. Default: the question set's.")
    ] = None,
    judge_temperature: Annotated[
        float | None, _judging(metavar="X", min=0, max=2, help="Default: the question set's.")
    ] = None,
    parser: Annotated[ParserName, _judging(help="How verdicts are read; docs/verdicts.md.")] = "strict",
    structured: Annotated[bool, _judging("--structured", help="Ratings as JSON, by the server's schema.")] = False,
    base_url: Annotated[
        str | None, _servers(metavar="URL", help="Server of openai: models and judge. Default: OpenAI's.")
    ] = None,
    judge_base_url: Annotated[
        str | None, _servers(metavar="URL", help="The judge's, where it is another server.")
    ] = None,
    max_calls: Annotated[
        int | None, _servers(metavar="N", min=0, help="Calls to APIs at most, failed ones included.")
    ] = None,
    max_cost: Annotated[float | None, _servers(metavar="USD", min=0, help="Cost at most.")] = None,
    prices: Annotated[Path | None, _servers(metavar="FILE", help="Your own price table; docs/mtbench.md.")] = None,
    batch: Annotated[bool, _servers("--batch", help="Use OpenAI's Batch API; run again to collect.")] = False,
    in_flight: Annotated[int, _servers(metavar="N", min=1, help="Calls to an API at once.")] = 32,
    requests_per_minute: Annotated[int | None, _servers(metavar="N", min=1)] = None,
    tokens_per_minute: Annotated[int | None, _servers(metavar="N", min=1)] = None,
) -> None:
    """Answer, judge, and print the tables; the same command resumes where it was stopped."""
    if not model:
        raise UsageError("--model is missing: which model is to be judged? See: s2eval mtbench --help")
    if (mode == "pairwise") != (baseline is not None):
        raise UsageError("--mode pairwise and --baseline MODEL go together")
    from s2eval import chat_arguments
    from s2eval.api import judging
    from s2eval.llm.account import describe
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
        spent, total = plan.budget.spent, plan.ledger.spent()
        earlier = f"; with earlier runs into {plan.out}: {describe(total)}" if total.calls > spent.calls else ""
        note(f"{describe(spent)}{earlier}")
    if lines := judging.failures_of(results):
        raise IncompleteError("\n  ".join(["finished with failures", *lines, f"To retry: {resume_command()}"]))


def forecast(calls: "Sequence[tuple[ModelHandle, Call]]", prices: "Prices") -> None:
    """Print the calls to each model, their tokens and cost."""
    from s2eval.judge.bench import ASSUMED
    from s2eval.llm.prices import describe, estimate

    unique = {call.key: (handle, call) for handle, call in calls}
    for name, handle in {handle.name: handle for handle, _ in unique.values()}.items():
        own = estimate([call for other, call in unique.values() if other.name == name], prices)
        cost = f", {describe(own)}" if handle.remote else ""
        typer.echo(
            f"{handle.text}: {own.calls} calls, about {own.tokens_in:,} tokens in, at most "
            f"{own.tokens_out_at_most:,} out{cost}"
        )
    total = estimate([call for _, call in unique.values()], prices)
    typer.echo(
        f"{total.calls} calls in all, {describe(total)}, at the prices of {prices.date}; answers that are not there yet"
        f" are taken to have {ASSUMED} characters"
    )


def render(stored: "Sequence[Stored]", models: Sequence[str], name: str) -> str:
    """The tables as Markdown."""
    from s2eval.report import Document, render_markdown
    from s2eval.report.tables.judged import TITLES, judged_tables, notes_of

    rows = [row for result in stored for row in result.rows]
    tables = judged_tables(rows, models, notes=notes_of([result.facts for result in stored]))
    return render_markdown(Document(TITLES.get(f"s2_{name}", name), tables))


def _progress() -> "OnProgress":
    from tqdm import tqdm

    bars: dict[str, tqdm[NoReturn]] = {}

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


def _describe_models() -> str:
    from s2eval.models.kinds import usages

    return usages(judging=True).replace("[", "\\[") + "; repeatable."


add_command(app, run, "run", examples=EXAMPLES, table_help={"model": _describe_models})
add_command(app, judgments.score, "score", examples=judgments.SCORE_EXAMPLES)
add_command(app, judgments.agreement, "agreement", examples=judgments.AGREEMENT_EXAMPLES)
