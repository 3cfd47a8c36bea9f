"""The table of metrics. To add one: a file like `rouge.py` with a `MetricFamily`, its test, and a line here.

Another package adds one by an entry point whose value is a `MetricFamily`:

    [project.entry-points."s2eval.metrics"]
    brevity = "my_package:BREVITY"

    def score(texts, references):
        return [{"brevity": 1 / (1 + len(text.split()))} for text in texts]

    BREVITY = MetricFamily("brevity", (Metric("brevity", "Brevity", digits=3),), "Brevity of answers", score)

`s2eval ls metrics`, `metrics:` of a run, `s2eval score`, the task YAML of lm-eval and the reports then know it.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics.bertscore import BERTSCORE
from s2eval.metrics.choices import CHOICES, POINTS
from s2eval.metrics.judgments import JUDGMENTS
from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.panel import EASE
from s2eval.metrics.readability import READABILITY
from s2eval.metrics.rouge import ROUGE
from s2eval.metrics.scales import LM_EVAL, UNKNOWN
from s2eval.metrics.size import SIZE
from s2eval.records import Scale
from s2eval.registry import Registry

METRICS: Registry[MetricFamily] = Registry(
    "metric",
    [ROUGE, BERTSCORE, READABILITY, EASE, SIZE, CHOICES, JUDGMENTS],
    group="s2eval.metrics",
    see="s2eval ls metrics",
)
DEFAULT = (ROUGE.name, BERTSCORE.name, READABILITY.name)
"""The families that a run shows where its configuration names none."""


def headline(metrics: Sequence[str]) -> str:
    """The metric that stands for a task: points of the leaderboard, a judge's score, else the first of the table."""
    order = [POINTS, *(name for family in METRICS.values() if family.of != "every answer" for name in family.names)]
    return next((name for name in order if name in metrics), metrics[0])


def of_answers() -> dict[str, MetricFamily]:
    """The families that users choose from, by name."""
    return {name: family for name, family in METRICS.items() if family.of == "answers"}


def metric_of(name: str) -> Metric | None:
    """The metric of a column; what follows `@` or `,` in the name is a filter, or a model that it is against."""
    known = {metric.name: metric for family in METRICS.values() for metric in family.metrics}
    return known.get(name) or known.get(_plain(name))


def scale_of(name: str) -> Scale:
    """The scale of a metric, ours or lm-eval's."""
    if metric := metric_of(name):
        return metric.scale
    return LM_EVAL.get(name) or LM_EVAL.get(_plain(name), UNKNOWN)


def _plain(name: str) -> str:
    return name.partition("@")[0].partition(",")[0]
