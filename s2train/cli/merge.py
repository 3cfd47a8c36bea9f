"""`s2train merge`: an adapter becomes part of its base."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from s2eval.terminal import resumable
from s2train.cli.options import BaseOption, Dtype
from s2train.merge.methods import MERGE_METHODS

EXAMPLES = (
    "s2train merge --adapter runs/sft --method bf16 --out runs/sft-merged",
    "s2train merge --adapter runs/qlora --method qdq --out runs/merged --verify",
)


def merge(
    adapter: Annotated[list[str], typer.Option("--adapter", metavar="A", help="Folder or hub id; may be repeated.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="|".join(MERGE_METHODS),
            help="; ".join(f"{method.name}: {method.help}" for method in MERGE_METHODS.values()),
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the merged model.")],
    base: BaseOption = None,
    weight: Annotated[
        list[float] | None, typer.Option("--weight", help="Of each adapter, in their order; default 1.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare logits with PEFT on the unmerged model; needs it in memory.")
    ] = False,
    dtype: Annotated[
        Dtype | None, typer.Option("--dtype", help="That the base is loaded in; default: as its files have it.")
    ] = None,
    quant_type: Annotated[
        Literal["nf4", "fp4"] | None, typer.Option("--quant-type", help="qdq: 4-bit numbers in training.")
    ] = None,
    blocksize: Annotated[int | None, typer.Option("--blocksize", help="qdq: numbers that shared a scale.")] = None,
    double_quant: Annotated[
        bool | None, typer.Option("--double-quant/--no-double-quant", help="qdq: whether scales were quantised too.")
    ] = None,
    skip_module: Annotated[
        list[str] | None, typer.Option("--skip-module", help="qdq: llm_int8_skip_modules of the training; repeated.")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", help="Default: what the adapter was trained with.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
) -> None:
    """Merge LoRA adapters into their base, tensor by tensor; the same command resumes."""
    from tqdm import tqdm

    from s2eval.models import base_of
    from s2train.merge.job import Request
    from s2train.merge.preparation import prepare

    options = {
        "type": quant_type,
        "blocksize": blocksize,
        "double": double_quant,
        "skip": tuple(skip_module) if skip_module else None,
    }
    ready = prepare(
        Request(
            base=base or base_of(adapter[0]),
            adapters=tuple(adapter),
            method=method,
            out=out,
            weights=tuple(weight or ()),
            options={name: value for name, value in options.items() if value is not None},
            dtype=dtype,
            template=template,
        )
    )
    for line in ready.lines():
        typer.echo(line)
    done = ready.is_done()
    if dry_run:
        return
    hidden = not sys.stderr.isatty()
    bar = tqdm(total=ready.size, unit="B", unit_scale=True, desc="merge", leave=False, disable=hidden)
    with resumable(f"{ready.hidden} is kept"), bar:
        proof = ready.run(bar.update, prove=verify)
    for line in proof.lines() if proof else ():
        typer.echo(line)
    typer.echo(f"{'already complete' if done else 'written'}: {out}")
