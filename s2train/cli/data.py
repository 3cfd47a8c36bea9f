"""`s2train data`: reads sources, has questions written, builds the sets of a folder, and shows what is in them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from s2eval.errors import IncompleteError
from s2eval.terminal import add_command, new_group, note, resumable, resume_command
from s2train.data import layout
from s2train.data.building import SOURCES, DataSource, build_sets, read_inputs, settings_of

if TYPE_CHECKING:
    from s2train.data.config import DataConfig
    from s2train.data.engine import Engine
    from s2train.data.questions.writing import QuestionFunnel

EVALUATED = 100  # pairs that s2_eli5, s2_wiki and s2_full sample from the validation side

Item = TypeVar("Item")
Result = TypeVar("Result")


class EngineName(StrEnum):
    """Where the work is done."""

    local = "local"
    ray = "ray"


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
EngineOption = Annotated[EngineName, typer.Option("--engine", help="This machine, or a Ray cluster (RAY_ADDRESS).")]
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
        engine: EngineOption = EngineName.local,
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
    engine: EngineOption = EngineName.local,
    processes: Processes = None,
) -> None:
    """Have a language model write the questions of `wiki`: for what the filters leave, each to be answered by the
    text. With --input the articles are read first, as `wiki` does. Replies are kept: the same command goes on."""
    from s2eval.llm import prices as tables
    from s2eval.llm.budget import Budget
    from s2eval.llm.ledger import Ledger
    from s2train.data.build.drafts import draft
    from s2train.data.questions import writing as asking
    from s2train.data.questions import written

    settings, runner = settings_of(out, config, validation_share, seed), _engine(engine, processes)
    with resumable("no file is half-written"):
        read_inputs("wiki", [*(first or []), *(more or [])], out, settings, runner, "questions")
        wanted = asking.passages_of(draft("wiki", out, settings, runner).pairs())[:limit]
        price = tables.load(prices, batch=batch)
        budget = Budget(max_calls, max_cost, price.of)
        told = asking.load_prompt(prompt)
        with Ledger.open(out / layout.CANDIDATES / layout.CALLS) as ledger:
            budget.keep_in(ledger)
            remote: dict[str, Any] = {"max_in_flight": in_flight} if model.startswith(asking.REMOTE) else {}
            writer = asking.open_writer(
                model, base_url, budget=budget, batches=ledger if batch else None, say=note, remote=remote
            )
            if dry_run:
                _forecast(asking.calls(wanted, writer, told, settings.questions).values(), ledger, price)
                return
            made = asking.write_questions(
                wanted,
                writer,
                ledger,
                settings.questions,
                prompt=told,
                cost=price.cost,
                progress=_progress(),
                budget=budget if remote else None,
            )
        if made.pairs:
            written.write(out, made.pairs, made.funnel.entry() | {"model": writer.name, "prompt_hash": told.hash})
        _show_questions(made.funnel)
        _build(out, settings, runner, evaluations, ["wiki"])
    if made.funnel.unanswered:
        failed = sum(made.funnel.unanswered.values())
        raise IncompleteError(f"{failed} of {len(wanted)} passages got no reply. To retry: {resume_command()}")


def data_eda(
    out: Out,
    processes: Processes = None,
) -> None:
    """Show what the sets of a folder hold: distributions before and after the filters, train against validation."""
    from s2train.data.eda import explore

    with resumable("no file is half-written"):
        for path in explore(out, _engine(EngineName.local, processes)):
            typer.echo(f"written: {path}")


# --- shared ---


def _engine(name: EngineName, processes: int | None) -> Engine:
    from s2train.data.engine import open_engine

    engine = open_engine(name.value, processes)
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
    """Build the folder, and tell what became of it: of `shown` everything, of the others a line."""
    built = build_sets(out, config, engine, evaluations)
    manifest = built.manifest
    for line in manifest.lines(shown):
        typer.echo(line)
    for one in manifest.sets.values():
        if one.validation < EVALUATED:
            typer.echo(
                f"note: s2_{one.name} samples {EVALUATED} validation pairs, here are {one.validation}; "
                "a larger --validation-share gives more"
            )
    if manifest.evaluations_missing:
        missing = ", ".join(manifest.evaluations_missing)
        typer.echo(
            f"note: training pairs were not looked up in {missing}: not in {built.evaluations}; see --evaluations"
        )
    made = ", ".join([*manifest.sets, *([layout.PREFERENCES] if manifest.preferences else [])])
    typer.echo(f"written: {made} in {out}; {layout.CARD} and {layout.MANIFEST} tell the rest")


def _show_questions(funnel: QuestionFunnel) -> None:
    for line in funnel.lines():
        typer.echo(line)
    for reason, examples in funnel.examples.items():
        for _, question in examples[:2]:
            typer.echo(f"    {reason}: {question[:120]!r}")
    typer.echo("")


def _forecast(calls: Iterable[Any], ledger: Any, prices: Any) -> None:
    from s2eval.llm.prices import describe, estimate

    one = estimate(ledger.pending(calls), prices)
    typer.echo(
        f"{one.calls} calls, about {one.tokens_in:,} tokens in, at most {one.tokens_out_at_most:,} out, "
        f"{describe(one)}; questions that are refused are asked for once more"
    )


def _progress() -> Callable[[int, int, Any], None]:
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def tell(done: int, total: int, _: Any) -> None:
        if not bars or bars[-1].n >= bars[-1].total:
            bars.append(tqdm(total=total, desc="questions", unit="call", file=sys.stderr))
        bars[-1].update(done - bars[-1].n)
        if done == total:
            bars[-1].close()

    return tell


for _source in SOURCES.values():
    add_command(app, _command(_source), _source.name, examples=(_source.example,))
add_command(app, data_questions, "questions", examples=("s2train data questions --out data --max-cost 5 --dry-run",))
add_command(app, data_eda, "eda", examples=("s2train data eda --out data",))
