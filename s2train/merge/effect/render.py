"""What merging changed, as Markdown to paste and as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from s2eval.report.document import MISSING
from s2eval.report.render.comparison import comparison_json, render_comparison
from s2eval.report.render.markdown import escape
from s2eval.report.render.numbers import interval_text
from s2eval.stats import Difference
from s2train.merge.effect.advice import advise
from s2train.merge.effect.records import Effect, Group, Predictions, Weights, together


def render_effect(effect: Effect, picture: str = "") -> str:
    """The recommendation, the picture, tables, notes; ends with a line break.

    Args:
        picture: the chart's file, as seen from where the text will lie; "" = none.
    """
    trained = f"trained on {effect.quantization}" if effect.quantization else "trained on the base as it is"
    parts = [
        "# What merging changed",
        f"**Use {escape(advise(effect))}**",
        f"Adapter `{effect.adapter}` on `{effect.base}`, {trained}; template {effect.template}.",
    ]
    if picture:
        parts.append(f"![Weight error by layer, KL by prompt]({picture})")
    if effect.measured.weights.matrices:
        parts += _weights(effect.measured.weights)
    parts += _predictions(effect.measured.predictions)
    if effect.compared is not None:
        parts.append(re.sub(r"^#(?=#* )", "##", render_comparison(effect.compared).rstrip("\n"), flags=re.MULTILINE))
    if notes := list(effect.all_notes()):
        parts += ["## Notes", "\n".join(f"- {escape(note)}" for note in notes)]
    return "\n\n".join(parts) + "\n"


def effect_json(effect: Effect) -> dict[str, Any]:
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
            "all": asdict(together("all", weights.matrices)) if weights.matrices else None,
            "by_layer": [asdict(group) for group in weights.by_layer()],
            "by_kind": [asdict(group) for group in weights.by_kind()],
            "matrices": [asdict(one) for one in weights.matrices],
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


def _weights(weights: Weights) -> list[str]:
    methods = list(weights.matrices[0].errors)
    whole = together("all", weights.matrices)
    return [
        "## Weights",
        "‖W merged - (W + Δ)‖ of the linears: W is what the adapter was trained on, dequantised where it was in 4 "
        "bits; Δ is what the adapter adds. Several linears are taken as one vector.",
        _groups("kind", [*weights.by_kind(), whole], methods),
        _groups("layer", weights.by_layer(), methods),
    ]


def _groups(what: str, groups: Sequence[Group], methods: Sequence[str]) -> str:
    header = [what, "linears", *(f"{method}, / ‖Δ‖" for method in methods), *(f"{one}, / ‖W‖" for one in methods)]
    rows = [
        [
            escape(group.name),
            str(group.matrices),
            *(_ratio(group.of_change, method) for method in methods),
            *(_ratio(group.of_size, method) for method in methods),
        ]
        for group in groups
    ]
    align = ["left", *["right"] * (len(header) - 1)]
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=align)


def _ratio(values: Mapping[str, float | None] | Mapping[str, float], method: str) -> str:
    value = values[method]
    return MISSING if value is None else f"{value:.3g}"


def _predictions(predictions: Predictions) -> list[str]:
    of = "of the answers" if predictions.losses else "of the prompts"
    header = ["of", "to", "KL in nats", "95% interval", "same best token", "95% interval"]
    rows: list[list[str]] = []
    for pair in predictions.pairs:
        divergence, agreement = predictions.divergence(pair), predictions.agreement(pair)
        rows.append(
            [
                pair.model,
                pair.other,
                MISSING if divergence.value is None else f"{divergence.value:.3g}",
                interval_text(divergence, ".3g"),
                MISSING if agreement.value is None else f"{agreement.value:.1%}",
                interval_text(agreement, ".1%"),
            ]
        )
    parts = [
        "## Predictions",
        f"Next-token distributions at the {len(predictions.clusters):,} tokens {of}, {len(predictions.prompts)} "
        f"prompts, computed in {predictions.dtype}. Mean over tokens; intervals are clustered by prompt.",
        tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=["left"] * 2 + ["right"] * 4),
    ]
    if (excess := predictions.excess()) is not None:
        parts.append(_difference("KL of bf16 less KL of qdq", excess))
    if predictions.losses:
        parts += _losses(predictions)
    return parts


def _losses(predictions: Predictions) -> list[str]:
    rows: list[list[str]] = []
    for model in predictions.losses:
        one = predictions.loss(model)
        rows.append([model, MISSING if one.value is None else f"{one.value:.4f}", interval_text(one, ".4f")])
    header = ["model", "loss in nats a token", "95% interval"]
    parts = [
        "How likely the answers are: -ln p of each of their tokens, mean over tokens.",
        tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=["left", "right", "right"]),
    ]
    if (excess := predictions.excess_loss()) is not None:
        parts.append(_difference("Loss of bf16 less loss of qdq", excess))
    return parts


def _difference(what: str, found: Difference) -> str:
    if found.estimate.value is None:
        return f"{what}: {MISSING}"
    p = "" if found.p is None else f", p {'< 0.001' if found.p < 0.001 else f'= {found.p:.3f}'}"
    return f"{what}: {found.estimate.value:+.3g} {interval_text(found.estimate, '+.3g')}{p} (sign flips by prompt)."
