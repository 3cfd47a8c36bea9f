"""Texts measured: ROUGE, readability and the other families of metrics, without a model run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from s2eval.errors import UsageError
from s2eval.records import Estimate

if TYPE_CHECKING:
    import pandas as pd

ESTIMATE_COLUMNS = ("metric", "value", "stderr", "ci_low", "ci_high", "n", "n_valid", "method")
"""Columns of `Scores.scores`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What texts score.

    Attributes:
        estimates: metric → its mean with its interval.
        values: of each text: metric → value; a metric that does not apply to a text is missing.
        digest: how BERTScore was computed; None without it.
        reasoned, cut: texts with reasoning before the answer, which is not scored; those that never ended it.
    """

    estimates: Mapping[str, Estimate]
    values: Sequence[Mapping[str, float]]
    digest: str | None = None
    reasoned: int = 0
    cut: int = 0

    @property
    def scores(self) -> pd.DataFrame:
        """A row for each metric; columns `ESTIMATE_COLUMNS`."""
        import pandas as pd

        records = [{"metric": metric, **asdict(estimate)} for metric, estimate in self.estimates.items()]
        return pd.DataFrame(records, columns=list(ESTIMATE_COLUMNS))

    @property
    def samples(self) -> pd.DataFrame:
        """A row for each text, a column for each metric."""
        import pandas as pd

        return pd.DataFrame(list(self.values))

    def _repr_html_(self) -> str:
        return self.scores.to_html(index=False)


def score(
    texts: Sequence[str],
    references: Sequence[str] | None = None,
    metrics: Sequence[str] | str | None = None,
    *,
    encoder: str = "roberta-large",
    num_layers: int | None = None,
) -> Scores:
    """Measure texts, with standard errors and 95% intervals.

    Args:
        texts: answers; reasoning before an answer is taken off.
        references: what they are compared with, one for each, where a metric compares.
        metrics: families as `s2eval ls metrics` lists them; by default readability, and rouge where there are
            references.
        encoder, num_layers: BERTScore's.

    Raises:
        UnknownNameError: no such metric.
        UsageError: references are missing, or not as many as texts.
    """
    from s2eval import scoring
    from s2eval.metrics import METRICS, bertscore
    from s2eval.metrics.answers import score_all
    from s2eval.metrics.size import SIZE
    from s2eval.reasoning import split

    default = ["rouge", "readability"] if references else ["readability"]
    families = [METRICS.find(name) for name in ([metrics] if isinstance(metrics, str) else metrics or default)]
    if other := [family.name for family in families if family.score is None and not family.needs]:
        raise UsageError(f"metric {other[0]!r} is not measured on texts. See: s2eval ls metrics")
    if references is not None and len(references) != len(texts):
        raise UsageError(f"{len(texts)} texts and {len(references)} references: a reference for each text is needed")
    if references is None and (comparing := [family.name for family in families if family.references]):
        raise UsageError(f"{', '.join(comparing)}: compares with references; give references=[…], one for each text")
    parts = [split(text) for text in texts]
    answers, compared = [part.answer for part in parts], list(references or [""] * len(texts))
    estimates: dict[str, Estimate] = {}
    values: list[dict[str, float]] = [{} for _ in texts]
    digest = None
    for family in families:
        if family.needs == "encoder":
            triples, digest = bertscore(answers, compared, encoder=encoder, num_layers=num_layers)
            measured = [dict(zip(family.names, asdict(triple).values(), strict=True)) for triple in triples]
            means = scoring.bertscore_means(triples)
        else:
            measured = score_all(answers, compared, (family, SIZE))
            means = scoring.score_texts(family.name, answers, compared)
        estimates |= means
        values = [{**of_text, **more} for of_text, more in zip(values, measured, strict=True)]
    return Scores(
        estimates,
        values,
        digest,
        sum(bool(part.reasoning) for part in parts),
        sum(bool(part.reasoning) and not part.closed for part in parts),
    )
