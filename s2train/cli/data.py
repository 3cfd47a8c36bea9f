"""`s2train data`: read sources, write questions, build the sets of a folder, and explore them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar

import typer

from s2eval.errors import IncompleteError
from s2eval.terminal import add_command, new_group, note, resumable, resume_command
from s2train.data import layout
from s2train.data.building import SOURCES, DataSource, build_sets, read_inputs, settings_of

if TYPE_CHECKING:
    from s2eval.llm.ledger import Spent
    from s2train.data.config import DataConfig
    from s2train.data.engine import Engine

EVALUATED = 100  # pairs that s2_eli5, s2_wiki and s2_full sample from the validation side

Item = TypeVar("Item")
Result = TypeVar("Result")


app = new_group("data", "Build training and evaluation sets in the layout of S2_DATA_DIR.")

First = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="FILE...", help="What to read; without it the set is built again from what was."),
]
More = Annotated[list[str] | None, typer.Argument(metavar="FILE", hidden=True)]  # lets `--input *.jsonl` work
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the sets; usable as S2_DATA_DIR.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="YAML; docs/data.md. Default: what the folder was built with last.")
]
Share = Annotated[float | None, typer.Option(min=0, max=1, help="Of the questions that go to validation.")]
Seed = Annotated[int | None, typer.Option(help="Another seed draws another split.")]
Evaluations = Annotated[
    Path | None,
    typer.Option(
        "--evaluations", metavar="DIR", help="Evaluation sets to keep out of training; default: S2_DATA_DIR, or --out."
    ),
]
EngineOption = Annotated[
    Literal["local", "ray"], typer.Option("--engine", help="This machine, or a Ray cluster (RAY_ADDRESS).")
]
Processes = Annotated[int | None, typer.Option(min=1, help="On this machine; default: one a CPU.")]


def _command(source: DataSource) -> Callable[..., None]:
    def command(
        out: Out,
        first: First = None,
        more: More = None,
        config: Config = None,
        validation_share: Share = None,
        seed: Seed = None,
        evaluations: Evaluations = None,
        engine: EngineOption = "local",
        processes: Processes = None,
    ) -> None:
        settings, runner = settings_of(out, config, validation_share, seed), _engine(engine, processes)
        with resumable("no file is half-written"):
            read_inputs(source.name, [*(first or []), *(more or [])], out, settings, runner)
            _build(out, settings, runner, evaluations, source.sets())

    command.__doc__ = source.help
    return command


def data_questions(
    out: Out,
    first: First = None,
    more: More = None,
    model: Annotated[
        str, typer.Option(help="openai:NAME at any compatible server, or a model of this machine such as smollm2.")
    ] = "openai:gpt-3.5-turbo",
    base_url: Annotated[str | None, typer.Option(help="Server's; default: OPENAI_BASE_URL, else OpenAI's.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="Your own; {title} and {text} are replaced.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Passages, the first N; the others get no question.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="By OpenAI's Batch API; run again to collect.")] = False,
    max_calls: Annotated[int | None, typer.Option(min=0, help="Calls to APIs at most, failed ones included.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="USD at most.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your own price table; docs/mtbench.md.")] = None,
    in_flight: Annotated[int, typer.Option(min=1, help="Calls to an API at once.")] = 32,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print calls and cost; make no calls.")] = False,
    config: Config = None,
    validation_share: Share = None,
    seed: Seed = None,
    evaluations: Evaluations = None,
    engine: EngineOption = "local",
    processes: Processes = None,
) -> None:
    """Have a language model write the questions of `wiki`: for what the filters leave, each to be answered by the
    text. With --input the articles are read first, as `wiki` does. Replies are kept: the same command goes on."""
    from s2eval.llm import prices as price_tables
    from s2eval.llm.budget import Budget
    from s2eval.llm.ledger import Ledger
    from s2train.data.build.drafts import draft
    from s2train.data.questions import writing, written

    settings, runner = settings_of(out, config, validation_share, seed), _engine(engine, processes)
    with resumable("no file is half-written"):
        read_inputs("wiki", [*(first or []), *(more or [])], out, settings, runner, "questions")
        passages = writing.passages_of(draft("wiki", out, settings, runner).pairs())[:limit]
        table = price_tables.load(prices, batch=batch)
        budget = Budget(max_calls, max_cost, table.of)
        instructions = writing.load_prompt(prompt)
        with Ledger.open(out / layout.CANDIDATES / layout.CALLS) as ledger:
            budget.keep_in(ledger)
            remote = {"max_in_flight": in_flight} if model.startswith(writing.REMOTE) else {}
            writer = writing.open_writer(
                model, base_url, budget=budget, batches=ledger if batch else None, say=note, remote=remote
            )
            if dry_run:
                calls = writing.calls(passages, writer, instructions, settings.questions).values()
                estimated = price_tables.estimate(ledger.pending(calls), table)
                typer.echo(
                    f"{estimated.calls} calls, about {estimated.tokens_in:,} tokens in, at most "
                    f"{estimated.tokens_out_at_most:,} out, {price_tables.describe(estimated)}; questions that are "
                    "refused are asked for once more"
                )
                return
            questions = writing.write_questions(
                passages,
                writer,
                ledger,
                settings.questions,
                prompt=instructions,
                cost=table.cost,
                progress=_progress(),
                budget=budget if remote else None,
            )
        funnel = questions.funnel
        if questions.pairs:
            entry = funnel.entry() | {"model": writer.name, "prompt_hash": instructions.hash}
            written.write(out, questions.pairs, entry)
        for line in funnel.lines():
            typer.echo(line)
        for reason, examples in funnel.examples.items():
            for _, question in examples[:2]:
                typer.echo(f"    {reason}: {question[:120]!r}")
        typer.echo("")
        _build(out, settings, runner, evaluations, ["wiki"])
    if funnel.unanswered:
        failed = sum(funnel.unanswered.values())
        raise IncompleteError(f"{failed} of {len(passages)} passages got no reply. To retry: {resume_command()}")


def data_eda(out: Out, processes: Processes = None) -> None:
    """Show what the sets of a folder hold: distributions before and after the filters, train against validation."""
    from s2train.data.eda import explore

    with resumable("no file is half-written"):
        for path in explore(out, _engine("local", processes)):
            typer.echo(f"written: {path}")


# --- shared ---


def _engine(name: str, processes: int | None) -> Engine:
    from s2train.data.engine import open_engine

    engine = open_engine(name, processes)
    return _Watched(engine) if sys.stderr.isatty() else engine


class _Watched:
    """An engine whose progress is shown."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.processes = engine.processes

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        from tqdm import tqdm

        name = getattr(getattr(function, "func", function), "__name__", "work").strip("_")
        yield from tqdm(self._engine.map(function, items), desc=name, unit=" batches", leave=False, file=sys.stderr)


def _build(out: Path, config: DataConfig, engine: Engine, evaluations: Path | None, shown: Sequence[str]) -> None:
    """Build the folder and print its funnels: of the `shown` sets in full, of the others a line."""
    built = build_sets(out, config, engine, evaluations)
    manifest = built.manifest
    for line in manifest.lines(shown):
        typer.echo(line)
    for entry in manifest.sets.values():
        if entry.validation < EVALUATED:
            typer.echo(
                f"note: s2_{entry.name} samples {EVALUATED} validation pairs, here are {entry.validation}; "
                "a larger --validation-share gives more"
            )
    if manifest.evaluations_missing:
        missing = ", ".join(manifest.evaluations_missing)
        typer.echo(
            f"note: training pairs were not looked up in {missing}: not in {built.evaluations}; see --evaluations"
        )
    names = ", ".join([*manifest.sets, *([layout.PREFERENCES] if manifest.preferences else [])])
    typer.echo(f"written: {names} in {out}; {layout.CARD} and {layout.MANIFEST} tell the rest")


def _progress() -> Callable[[int, int, Spent], None]:
    from tqdm import tqdm

    bars: list[tqdm[NoReturn]] = []

    def show(done: int, total: int, _: Spent) -> None:
        if not bars or bars[-1].n >= bars[-1].total:
            bars.append(tqdm(total=total, desc="questions", unit="call", file=sys.stderr))
        bars[-1].update(done - bars[-1].n)
        if done == total:
            bars[-1].close()

    return show


for _source in SOURCES.values():
    add_command(app, _command(_source), _source.name, examples=(_source.example,))
add_command(app, data_questions, "questions", examples=("s2train data questions --out data --max-cost 5 --dry-run",))
add_command(app, data_eda, "eda", examples=("s2train data eda --out data",))
