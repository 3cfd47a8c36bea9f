"""`s2train merge-effect --base B --adapter A`."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from s2eval.errors import InterruptedRunError, UsageError
from s2eval.terminal import note, resumable
from s2eval.terminal.options import Format, FormatOption, split_names
from s2train.cli.options import BaseOption, Dtype

if TYPE_CHECKING:
    from s2eval.report.compare import Compared
    from s2train.merge.effect import Effect
    from s2train.merge.effect.job import Merged

NAME = "merge_effect"
EXAMPLES = (
    "s2train merge-effect --adapter runs/qlora",
    "s2train merge-effect --adapter A --base B --tasks s2_qa --limit 50",
)
_ASSUMED = (
    "nothing tells how the base was quantised in training, or whether it was; taken as s2train merge does. If that is "
    "wrong: --quant-type, --double-quant"
)


def merge_effect(
    adapter: Annotated[str, typer.Option("--adapter", metavar="A", help="Folder or hub id of a LoRA adapter.")],
    base: BaseOption = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--tasks", metavar="T,T…", help="Evaluate the models on these; default: none.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Documents per task.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="JSON lines of {question} or {question, answer}; default: MT(S)-Bench's.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Prompt template; default: what it was trained with.")] = None,
    chat_template_args: Annotated[
        str | None, typer.Option(metavar="JSON", help="Of the tokenizer's: '{\"enable_thinking\": false}'.")
    ] = None,
    quant_type: Annotated[
        Literal["nf4", "fp4", "none"] | None,
        typer.Option(help="Base in training, where nothing tells; none: not quantised."),
    ] = None,
    double_quant: Annotated[
        bool | None, typer.Option("--double-quant/--no-double-quant", help="Whether scales were quantised too.")
    ] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="That the base is loaded in; default: as in training.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: runs/merge-effect-ADAPTER.")] = None,
    format: FormatOption = "md",
) -> None:
    """What merging an adapter changed, and which merge to use: bf16, or qdq for one trained on a 4-bit base.

    Compares the adapter on its base as it was trained with both merges: weights, next-token distributions, and scores
    on tasks. Repeat the command to resume after an interruption. Both formats are written.
    """
    from s2eval import chat_arguments
    from s2eval import prompts as templates
    from s2eval.api.folders import check_tasks, default_name, locked, quiet_lm_eval
    from s2eval.models import base_of, parse
    from s2train.merge.effect import Effect, job, predictions

    quiet_lm_eval()
    names = split_names(tasks or ())
    check_tasks(names)
    arguments = chat_arguments.parse(chat_template_args)
    if template not in (None, "chat"):  # that needs a tokenizer
        templates.get(template, arguments=arguments)
    questions = predictions.read_prompts(prompts)
    base = base or base_of(adapter)
    spec = parse(f"adapter:{adapter}@{base}")
    recorded = job.was_quantized(adapter)
    quantized = recorded is not False if quant_type is None else quant_type != "none"
    if double_quant is not None and not quantized:
        raise UsageError("--double-quant: the adapter was trained on a base that was not quantised")
    quant_options = {"type": quant_type, "double": double_quant}
    folder = out or Path(f"runs/merge-effect-{default_name(adapter)}")
    with resumable(f"what is complete is kept in {folder}"), locked(folder):
        merged = job.merge_all(
            spec,
            folder,
            note,
            base=base,
            adapter=adapter,
            quantized=quantized,
            quant_options={name: value for name, value in quant_options.items() if value is not None},
            dtype=dtype,
            template=template,
            template_arguments=arguments,
        )
        measured = job.measure(merged, spec, questions, folder, note)
        compared = _evaluate(merged, names, limit, folder / job.TASKS) if names else None
        notes = [_ASSUMED] if recorded is None and quant_type is None else []
        effect = Effect(adapter, base, merged.label, merged.quantization, measured, compared, tuple(notes))
        text = _write(effect, folder)[format]
    typer.echo(text, nl=False)
    note(f"written: {folder / NAME}.md, .json, .svg")


def _evaluate(merged: Merged, names: Sequence[str], limit: int | None, folder: Path) -> Compared:
    """Run the models on the tasks, and compare every two of them."""
    import s2eval
    from s2eval.report.compare import Side, compare
    from s2eval.report.read import item_scores

    try:
        s2eval.evaluate(
            [model.entry() for model in merged.models.values()],
            list(names),
            limit=limit,
            out=folder,
            name="merge-effect",
            metrics=["rouge", "readability"],
            template=merged.template,
        )
    except InterruptedRunError:  # the command resumes, not the call
        raise KeyboardInterrupt from None
    scores = item_scores.read([folder])
    sides = [Side(name, (name,)) for name in merged.models]
    return compare(scores.scored, list(combinations(sides, 2)), scores.contests, scores.remarks)


def _write(effect: Effect, folder: Path) -> dict[Format, str]:
    """Write the report, its JSON and the chart; return the texts."""
    from s2eval import store
    from s2train.merge.effect import chart, effect_json, render_effect

    texts: dict[Format, str] = {
        "md": render_effect(effect, f"{NAME}.svg"),
        "json": json.dumps(effect_json(effect), indent=1, ensure_ascii=False) + "\n",
    }
    with store.explain_os_errors(folder):
        for name, text in (("svg", chart(effect.measured.weights, effect.measured.predictions)), *texts.items()):
            with store.write_atomically(folder / f"{NAME}.{name}") as file:
                file.write(text)
    return texts


alias = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@alias.command(hidden=True)
@functools.wraps(merge_effect)
def _renamed(**options: object) -> None:
    """`s2eval merge-effect`, the name until version 0.1.0."""
    note("note: s2eval merge-effect is now called s2train merge-effect; the old name goes away with the next release")
    merge_effect(**options)  # pyright: ignore[reportArgumentType]  (typer checks them)
