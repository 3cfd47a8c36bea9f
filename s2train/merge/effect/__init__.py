"""What merging an adapter changed, and which merge to use: `s2train merge-effect`.

Merges and what is measured of them: `job`, `models`, `weights`, `predictions`. The report: `records`, `advice`,
`chart`, `render`.
"""

from s2train.merge.effect.advice import advise
from s2train.merge.effect.chart import chart
from s2train.merge.effect.records import BF16, QDQ, TRAINED, Effect, Matrix, Measured, Pair, Predictions, Weights
from s2train.merge.effect.render import effect_json, render_effect

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
