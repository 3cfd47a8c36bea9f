"""Weight error by layer and KL by prompt, in SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from s2eval.report.charts.canvas import COLOURS, GREY, drawing
from s2train.merge.effect.records import BF16, QDQ, TRAINED, Predictions, Weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {BF16: (COLOURS[1], "s"), QDQ: (COLOURS[0], "o")}
_OTHER = (GREY, "^")


def chart(weights: Weights, predictions: Predictions) -> str:
    """A panel of predictions, after one of weights where they were compared; the same text at every call."""
    panels = 2 if weights.matrices else 1
    with drawing(5.5 * panels, 4, layout="constrained") as drawn:
        axes = drawn.figure.subplots(1, panels, squeeze=False)[0]
        if weights.matrices:
            _weights(axes[0], weights)
        _predictions(axes[-1], predictions)
    return drawn.file("What merging changed", "Weight error by layer and KL divergence by prompt, a line per method.")


def _weights(axes: Axes, weights: Weights) -> None:
    groups = [group for group in weights.by_layer() if None not in group.of_change.values()]
    lines = {
        method: [group.of_change[method] or math.nan for group in groups]  # a logarithm knows no 0
        for method in weights.matrices[0].errors
    }
    for method, values in lines.items():
        colour, mark = _STYLES.get(method, _OTHER)
        axes.plot(range(len(groups)), values, color=colour, marker=mark, markersize=3, linewidth=1, label=method)
    step = max(1, len(groups) // 10)
    axes.set_xticks(range(0, len(groups), step), [group.name for group in groups[::step]])
    positive = any(not math.isnan(value) for values in lines.values() for value in values)
    _finish(axes, "Error of the merged weights, relative to the\nadapter's change", "layer", positive)


def _predictions(axes: Axes, predictions: Predictions) -> None:
    pairs = {pair.other: predictions.by_prompt(pair) for pair in predictions.pairs if pair.model == TRAINED}
    first = next(iter(pairs.values()))
    order = sorted(range(len(first)), key=lambda number: first[number])
    places = range(1, len(order) + 1)
    for method, values in pairs.items():
        colour, mark = _STYLES.get(method, _OTHER)
        ordered = [values[number] for number in order]
        axes.plot(places, ordered, color=colour, marker=mark, markersize=3, linewidth=0, label=method)
    positive = any(value > 0 for values in pairs.values() for value in values)
    title = "KL(as trained ‖ merged) in nats,\nmean over the tokens of a prompt"
    _finish(axes, title, f"prompts, by the KL of {next(iter(pairs))}", positive)


def _finish(axes: Axes, title: str, below: str, logarithmic: bool) -> None:
    if logarithmic:
        axes.set_yscale("log")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(below)
    axes.grid(axis="y", which="major", linewidth=0.3)
    axes.legend(fontsize=8)
