"""The question-answering tasks: which questions are asked, and what is measured on an answer.

Pure: rows in, documents out; an answer and its reference in, numbers out. BERTScore is the exception that is
measured over all answers of a task at once (`s2eval.metrics.bertscore`), so it is not here.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2eval.metrics import Counts, Rouge, flesch_applies, readability, readability_2023, rouge, rouge_all, rouge_applies

ROUGE = ("s2_rouge1", "s2_rouge2", "s2_rougeL", "s2_rougeLsum")
BERTSCORE = ("s2_bertscore_precision", "s2_bertscore_recall", "s2_bertscore_f1")
READABILITY = ("s2_fre", "s2_fkg", "s2_fre_unrounded", "s2_fkg_unrounded", "s2_fre_2023", "s2_fkg_2023")
WHOLE_TEXT = ("s2_fre_corpus", "s2_fkg_corpus")
SIZE = ("s2_words", "s2_empty")
CUT = "s2_cut"

# Not computed of texts that are mostly in another script than Latin (s2eval.metrics.scripts).
LATIN_ONLY = frozenset({*ROUGE, *READABILITY, *WHOLE_TEXT})

# What any task YAML may name (s2eval.tasks.lm_eval_metrics).
NAMEABLE = (*ROUGE, "s2_bertscore", "s2_fre", "s2_fkg")

# What a configuration's `metrics:` names, and the columns of scores.csv that each brings.
FAMILIES: dict[str, tuple[str, ...]] = {
    "rouge": ROUGE,
    "bertscore": BERTSCORE,
    "readability": (*READABILITY, *WHOLE_TEXT),
}


def score(answer: str, reference: str) -> dict[str, float]:
    """ROUGE, readability and size of one answer. An empty answer scores 0 in each by rule, and s2_empty 1.

    What cannot be measured has no value: ROUGE and readability of texts that are mostly not in Latin letters.

    Args:
        answer: the model's text; white space around it does not count.
        reference: the data set's answer.

    Returns:
        Metric name → value: ROUGE in 0..1, Flesch reading ease, Flesch-Kincaid grade (school years), words.
    """
    answer = answer.strip()
    return _values(answer, reference, rouge(answer, reference))


def score_all(answers: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """`score` of many answers, in order; ROUGE of a large set in several processes."""
    stripped = [answer.strip() for answer in answers]
    grams = rouge_all(list(zip(stripped, references, strict=True)))
    texts = zip(stripped, references, grams, strict=True)
    return [_values(answer, reference, shared) for answer, reference, shared in texts]


def _values(answer: str, reference: str, grams: Rouge) -> dict[str, float]:
    ease, then = readability(answer), readability_2023(answer)
    values: dict[str, float] = {}
    if rouge_applies(answer, reference):
        values = {
            "s2_rouge1": grams.rouge1,
            "s2_rouge2": grams.rouge2,
            "s2_rougeL": grams.rougeL,
            "s2_rougeLsum": grams.rougeLsum,
        }
    if flesch_applies(answer):
        values |= {
            "s2_fre": round(ease.fre, 2),
            "s2_fkg": round(ease.fkg, 1),
            "s2_fre_unrounded": ease.fre,
            "s2_fkg_unrounded": ease.fkg,
            "s2_fre_2023": then.fre,
            "s2_fkg_2023": then.fkg,
        }
    return values | {"s2_words": float(ease.counts.words), "s2_empty": float(not answer)}


def counts(answer: str) -> Counts | None:
    """Words, sentences and syllables of one answer: what the whole text's readability is made of.

    None where it has none that count (`flesch_applies`).
    """
    answer = answer.strip()
    return readability(answer).counts if flesch_applies(answer) else None
