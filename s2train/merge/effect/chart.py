"""Weight error by layer and KL by prompt, in SVG."""

from __future__ import annotations

import math
from typing import Any

from s2eval.report.charts.canvas import COLOURS, GREY, drawing
from s2train.merge.effect.records import BF16, QDQ, TRAINED, Predictions, Weights

_STYLES = {BF16: (COLOURS[1], "s"), QDQ: (COLOURS[0], "o")}
_OTHER = (GREY, "^")


def chart(weights: Weights, predictions: Predictions) -> str:
    """One panel for each that there is: the same text whenever it is drawn."""
    panels = 2 if weights.matrices else 1
    with drawing(5.5 * panels, 4, layout="constrained") as drawn:
        axes = drawn.figure.subplots(1, panels, squeeze=False)[0]
        if weights.matrices:
            _weights(axes[0], weights)
        _predictions(axes[-1], predictions)
    return drawn.file("What merging changed", "Weight error by layer and KL divergence by prompt, a line per method.")


def _weights(axes: Any, weights: Weights) -> None:
    groups = [group for group in weights.by_layer() if None not in group.of_change.values()]
    positive = False
    for method in weights.matrices[0].errors:
        colour, mark = _STYLES.get(method, _OTHER)
        values = [group.of_change[method] or math.nan for group in groups]  # a logarithm knows no 0
        positive = positive or any(not math.isnan(value) for value in values)
        places = range(len(groups))
        axes.plot(places, values, color=colour, marker=mark, markersize=3, linewidth=1, label=method)
    step = max(1, len(groups) // 10)
    axes.set_xticks(range(0, len(groups), step), [group.name for group in groups[::step]])
    _finish(axes, "Error of the merged weights, relative to the\nadapter's change", "layer", positive)


def _predictions(axes: Any, predictions: Predictions) -> None:
    pairs = {pair.other: predictions.by_prompt(pair) for pair in predictions.pairs if pair.model == TRAINED}
    first = next(iter(pairs.values()))
    order = sorted(range(len(first)), key=lambda number: first[number])
    for method, values in pairs.items():
        colour, mark = _STYLES.get(method, _OTHER)
        axes.plot(
            range(1, len(order) + 1),
            [values[number] for number in order],
            color=colour,
            marker=mark,
            markersize=3,
            linewidth=0,
            label=method,
        )
    positive = any(value > 0 for values in pairs.values() for value in values)
    title = "KL(as trained ‖ merged) in nats,\nmean over the tokens of a prompt"
    _finish(axes, title, f"prompts, by the KL of {next(iter(pairs))}", positive)


def _finish(axes: Any, title: str, below: str, logarithmic: bool) -> None:
    if logarithmic:
        axes.set_yscale("log")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(below)
    axes.grid(axis="y", which="major", linewidth=0.3)
    axes.legend(fontsize=8)
