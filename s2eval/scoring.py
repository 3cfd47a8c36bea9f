"""Samples → numbers with uncertainties: the one place that decides how each metric is averaged.

lm-eval's own table, `scores.csv` and the reports all take their numbers from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

from s2eval import stats
from s2eval.metrics import METRICS, BertScore, Counts, flesch, scale_of
from s2eval.metrics.answers import LATIN_ONLY, OF_DOCUMENTS, counts, is_ours, score_all
from s2eval.metrics.bertscore import BERTSCORE
from s2eval.metrics.size import MEASURED, SIZE
from s2eval.records import Estimate, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Key = tuple[str, str]  # subset ("" = the whole task), metric


def score_samples(samples: Sequence[Sample]) -> dict[Key, Estimate]:
    """Every metric of one task over its documents.

    A task whose documents have strata (MMLU) weighs every stratum alike, and has an estimate of each. A metric that
    some documents lack has n_valid < n. ROUGE and readability of answers are estimated where no document has them, too.
    """
    names = list(dict.fromkeys(name for sample in samples for name in sample.values))
    of_answers = is_ours(names)
    if of_answers:
        names = list(dict.fromkeys((*OF_DOCUMENTS, *names)))
    strata = [sample.stratum for sample in samples]
    estimates: dict[Key, Estimate] = {}
    for name in names:
        values, scale = [sample.values.get(name) for sample in samples], scale_of(name)
        if not any(strata):
            estimates["", name] = stats.mean(values, within=scale)
            continue
        estimates["", name] = stats.stratified_mean(values, strata, within=scale)
        parts: dict[str, list[float | None]] = {}
        for value, stratum in zip(values, strata, strict=True):
            parts.setdefault(stratum, []).append(value)
        for stratum, part in parts.items():
            estimates[stratum, name] = stats.mean(part, within=scale)
    counted = [Counts(*sample.counts) for sample in samples if sample.counts is not None]
    if counted or of_answers:
        for part in ("fre", "fkg"):
            as_one_text = corpus_estimate(part, counted) if counted else stats.mean([])
            estimates["", f"s2_{part}_corpus"] = replace(as_one_text, n=len(samples))
    return estimates


def score_texts(name: str, predictions: Sequence[str], references: Sequence[str]) -> dict[str, Estimate]:
    """One family of metrics over texts, with their size; references may be "" where the family compares with none."""
    family = METRICS.find(name)
    measured = score_all(predictions, references, (family, SIZE))
    pooled = any(metric.pooled for metric in family.metrics)
    samples = [
        Sample(
            doc_id=number,
            doc_hash="",
            prompt_hash="",
            values=values,
            counts=astuple(of_text) if pooled and (of_text := counts(text)) else None,
        )
        for number, (text, values) in enumerate(zip(predictions, measured, strict=True))
    ]
    wanted = (*family.names, *MEASURED)
    return {metric: estimate for (_, metric), estimate in score_samples(samples).items() if metric in wanted}


def why_not_scored(estimates: Mapping[str, Estimate]) -> str | None:
    """A sentence on texts that ROUGE or Flesch cannot measure; None where there are none."""
    lost = {estimate.n - estimate.n_valid for metric, estimate in estimates.items() if metric in LATIN_ONLY}
    if not any(lost):
        return None
    return f"{max(lost)} of {next(iter(estimates.values())).n} not scored: mostly not in Latin letters (docs/qa.md)."


def bertscore_means(scores: Sequence[BertScore]) -> dict[str, Estimate]:
    """The means of BERTScore over texts."""
    triples = [astuple(score) for score in scores]
    return {
        metric.name: stats.mean([triple[part] for triple in triples], within=metric.scale)
        for part, metric in enumerate(BERTSCORE.metrics)
    }


def corpus_estimate(part: str, counts: Sequence[Counts]) -> Estimate:
    """Readability (`fre` or `fkg`) of all answers as one text; empty answers add nothing.

    The interval over answers is by the jackknife, of many by the bootstrap.
    """
    import numpy as np

    table = np.array([(of.words, of.sentences, of.syllables) for of in counts], dtype=np.float64)
    which = ("fre", "fkg").index(part)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        # einsum, not @: the same digits whatever the number of BLAS threads
        words, sentences, syllables = np.einsum("bn,nk->kb", weights, table)
        return flesch(words, sentences, syllables)[which]

    if len(counts) < stats.MANY:
        return stats.jackknife(statistic, len(counts), within=scale_of(f"s2_{part}_corpus"))
    return stats.bootstrap(statistic, len(counts))
