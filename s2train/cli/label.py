"""`s2train label`: sampled answers become preferences."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from s2eval.terminal import note, resumable
from s2eval.terminal.options import FormatOption, JsonOption

EXAMPLES = ("s2train label --policy runs/sft --rank reward:runs/reward --data data --out labelled.jsonl",)


def label(
    policy: Annotated[
        str, typer.Option("--policy", metavar="MODEL", help="smollm2, folder, hub id, adapter:PATH@BASE.")
    ],
    rank: Annotated[
        list[str],
        typer.Option(
            "--rank",
            metavar="R",
            help="reward:FOLDER[*WEIGHT][+reward:…] or dpo:FOLDER@REFERENCE; the first labels, others are compared.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.jsonl", help="Preferences; FILE.answers.jsonl beside it.")
    ],
    prompts: Annotated[
        Path | None, typer.Option("--prompts", metavar="FILE", help="JSON lines with a field prompt or question.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Folder of s2train data, in place of FILE.")
    ] = None,
    set_: Annotated[Literal["eli5", "wiki", "full"], typer.Option("--set", help="Of DIR.")] = "eli5",
    side: Annotated[Literal["train", "validation"], typer.Option("--side", help="Of the set.")] = "train",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="The first rows only.")] = None,
    max_prompt: Annotated[
        int | None, typer.Option("--max-prompt", min=1, help="Tokens; longer prompts are left out and counted.")
    ] = None,
    answers: Annotated[int, typer.Option("--answers", help="Sampled for each prompt.")] = 4,
    temperature: Annotated[float, typer.Option("--temperature", help="Above 0.")] = 1.0,
    top_p: Annotated[float, typer.Option("--top-p", help="1: no limit.")] = 1.0,
    top_k: Annotated[int, typer.Option("--top-k", help="0: no limit.")] = 0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Of an answer.")] = 128,
    seed: Annotated[int, typer.Option("--seed", help="Of sampling.")] = 0,
    template: Annotated[
        str | None, typer.Option("--template", help="Of the policy; default: as in evaluation.")
    ] = None,
    pairs: Annotated[
        Literal["best-worst", "all"],
        typer.Option("--pairs", help="Best with worst answer of a prompt, or all pairs of its answers."),
    ] = "best-worst",
    min_margin: Annotated[float, typer.Option("--min-margin", help="Of scores; closer answers make no pair.")] = 0.0,
    ended_only: Annotated[bool, typer.Option("--ended-only", help="Leave out answers cut by --max-tokens.")] = False,
    aspect: Annotated[
        Literal["helpfulness", "simplicity", "harmlessness"] | None,
        typer.Option("--aspect", help="Of the pairs; default: what the first ranking was trained on."),
    ] = None,
    allow_below_gate: Annotated[
        bool, typer.Option("--allow-below-gate", help="Use reward models that order too few held-out pairs right.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything; load and write nothing.")] = False,
    format: FormatOption = "md",
    as_json: JsonOption = False,
) -> None:
    """Sample answers, rank them, write preferences, and report how far rankings agree. The same command resumes."""
    from s2train.label import job as jobs
    from s2train.label.report import render
    from s2train.label.run import run
    from s2train.label.sampling import Sampling

    job = jobs.prepare(
        jobs.Request(
            prompts=jobs.sources(prompts, data, set_, side),
            policy=policy,
            rankings=tuple(rank),
            out=out.expanduser(),
            answers=answers,
            how=Sampling(temperature, top_p, top_k, max_tokens, seed),
            aspect=aspect,
            which=pairs,
            min_margin=min_margin,
            ended_only=ended_only,
            limit=limit,
            max_prompt=max_prompt,
            template=template,
            allow_below_gate=allow_below_gate,
        )
    )
    for line in job.lines():
        note(line)
    if dry_run:
        return
    with resumable(f"the answers of {out} are kept"), _bars() as progress:
        agreement = run(job, progress)
    typer.echo(
        json.dumps(agreement.as_dict(), indent=1, ensure_ascii=False)
        if as_json or format == "json"
        else render(agreement)
    )
    note(f"written: {out}")


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show progress in one bar after the other; off a terminal, as a line at the beginning and after each tenth."""
    from tqdm import tqdm

    bars: dict[str, tqdm[NoReturn]] = {}
    tenths: dict[str, int] = {}

    def show_bar(what: str, done: int, total: int) -> None:
        if what not in bars:
            for bar in bars.values():
                bar.close()
            bars[what] = tqdm(total=total, initial=done, desc=what, leave=False)
        bars[what].update(done - bars[what].n)

    def print_tenths(what: str, done: int, total: int) -> None:
        if done * 10 // total > tenths.get(what, -1):
            tenths[what] = done * 10 // total
            note(f"{what}: {done:,} of {total:,}")

    try:
        yield show_bar if sys.stderr.isatty() else print_tenths
    finally:
        for bar in bars.values():
            bar.close()
