"""What merging changed, as Markdown to paste and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tabulate import tabulate

from s2eval.report.document import MISSING
from s2eval.report.render.comparison import comparison_json, render_comparison
from s2eval.report.render.markdown import escape
from s2eval.report.render.numbers import interval_text
from s2eval.stats import Difference
from s2train.merge.effect.advice import advise
from s2train.merge.effect.records import Effect, Group, Predictions, Weights, group


def render_effect(effect: Effect, chart: str = "") -> str:
    """The recommendation, the chart (a file relative to the text, "" for none), tables and notes."""
    trained = f"trained on {effect.quantization}" if effect.quantization else "trained on the base as it is"
    parts = [
        "# What merging changed",
        f"**Use {escape(advise(effect))}**",
        f"Adapter `{effect.adapter}` on `{effect.base}`, {trained}; template {effect.template}.",
    ]
    if chart:
        parts.append(f"![Weight error by layer, KL by prompt]({chart})")
    if effect.measured.weights.matrices:
        parts += _weights(effect.measured.weights)
    parts += _predictions(effect.measured.predictions)
    if effect.compared is not None:
        parts.append(re.sub(r"^#(?=#* )", "##", render_comparison(effect.compared).rstrip("\n"), flags=re.MULTILINE))
    if notes := list(effect.all_notes()):
        parts += ["## Notes", "\n".join(f"- {escape(note)}" for note in notes)]
    return "\n\n".join(parts) + "\n"


def effect_json(effect: Effect) -> dict[str, object]:
    """The same as plain values: every number in full."""
    weights, predictions = effect.measured.weights, effect.measured.predictions
    excess, excess_loss = predictions.excess(), predictions.excess_loss()
    return {
        "recommendation": advise(effect),
        "adapter": effect.adapter,
        "base": effect.base,
        "template": effect.template,
        "quantization": effect.quantization,
        "weights": {
            "all": asdict(group("all", weights.matrices)) if weights.matrices else None,
            "by_layer": [asdict(layer) for layer in weights.by_layer()],
            "by_kind": [asdict(kind) for kind in weights.by_kind()],
            "matrices": [asdict(matrix) for matrix in weights.matrices],
        },
        "predictions": {
            "prompts": list(predictions.prompts),
            "tokens": len(predictions.clusters),
            "dtype": predictions.dtype,
            "pairs": [
                {
                    "model": pair.model,
                    "other": pair.other,
                    "kl": asdict(predictions.divergence(pair)),
                    "agreement": asdict(predictions.agreement(pair)),
                    "kl_by_prompt": predictions.by_prompt(pair),
                }
                for pair in predictions.pairs
            ],
            "excess_of_bf16": None if excess is None else asdict(excess),
            "losses": {model: asdict(predictions.loss(model)) for model in predictions.losses},
            "excess_loss_of_bf16": None if excess_loss is None else asdict(excess_loss),
        },
        "tasks": None if effect.compared is None else comparison_json(effect.compared),
        "notes": list(effect.all_notes()),
    }


def _weights(weights: Weights) -> Iterator[str]:
    yield "## Weights"
    yield (
        "‖W merged - (W + Δ)‖ of the linears: W is what the adapter was trained on, dequantised where it was in 4 "
        "bits; Δ is what the adapter adds. Several linears are taken as one vector."
    )
    yield _groups("kind", [*weights.by_kind(), group("all", weights.matrices)])
    yield _groups("layer", weights.by_layer())


def _groups(what: str, groups: Sequence[Group]) -> str:
    methods = list(groups[0].of_size)
    header = [what, "linears", *(f"{name}, / ‖Δ‖" for name in methods), *(f"{name}, / ‖W‖" for name in methods)]
    rows = [
        [
            escape(row.name),
            str(row.matrices),
            *(_number(ratios[name], ".3g") for ratios in (row.of_change, row.of_size) for name in methods),
        ]
        for row in groups
    ]
    return _table(header, rows, labels=1)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, labels: int) -> str:
    """Markdown; the first columns, `labels` many, are flush left."""
    align = ["left"] * labels + ["right"] * (len(header) - labels)
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=align)


def _number(value: float | None, form: str) -> str:
    return MISSING if value is None else f"{value:{form}}"


def _predictions(predictions: Predictions) -> Iterator[str]:
    of = "of the answers" if predictions.losses else "of the prompts"
    yield "## Predictions"
    yield (
        f"Next-token distributions at the {len(predictions.clusters):,} tokens {of}, {len(predictions.prompts)} "
        f"prompts, computed in {predictions.dtype}. Mean over tokens; intervals are clustered by prompt."
    )
    rows: list[list[str]] = []
    for pair in predictions.pairs:
        kl, agreement = predictions.divergence(pair), predictions.agreement(pair)
        share = [_number(agreement.value, ".1%"), interval_text(agreement, ".1%")]
        rows.append([pair.model, pair.other, _number(kl.value, ".3g"), interval_text(kl, ".3g"), *share])
    header = ["of", "to", "KL in nats", "95% interval", "same best token", "95% interval"]
    yield _table(header, rows, labels=2)
    yield from _difference("KL of bf16 less KL of qdq", predictions.excess())
    if not predictions.losses:
        return
    yield "How likely the answers are: -ln p of each of their tokens, mean over tokens."
    losses = {model: predictions.loss(model) for model in predictions.losses}
    rows = [[model, _number(loss.value, ".4f"), interval_text(loss, ".4f")] for model, loss in losses.items()]
    yield _table(["model", "loss in nats a token", "95% interval"], rows, labels=1)
    yield from _difference("Loss of bf16 less loss of qdq", predictions.excess_loss())


def _difference(what: str, difference: Difference | None) -> Iterator[str]:
    if difference is None:
        return
    estimate, p = difference.estimate, difference.p
    if estimate.value is None:
        yield f"{what}: {MISSING}"
        return
    shown = "" if p is None else f", p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    yield f"{what}: {estimate.value:+.3g} {interval_text(estimate, '+.3g')}{shown} (sign flips by prompt)."
