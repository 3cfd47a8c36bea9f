"""What merging an adapter changed: measurements, a recommendation in words, and their renderers."""

from s2eval.report.effect.advice import advise
from s2eval.report.effect.chart import chart
from s2eval.report.effect.measured import BF16, QDQ, TRAINED, Effect, Matrix, Measured, Pair, Predictions, Weights
from s2eval.report.effect.render import effect_json, render_effect

__all__ = [
    "BF16",
    "QDQ",
    "TRAINED",
    "Effect",
    "Matrix",
    "Measured",
    "Pair",
    "Predictions",
    "Weights",
    "advise",
    "chart",
    "effect_json",
    "render_effect",
]
