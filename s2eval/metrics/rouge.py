"""ROUGE: how many words, word pairs and common subsequences an answer shares with a reference.

Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", ACL workshop 2004, in the values of the
library rouge-score 0.1.2 without stemming. Its tokenizer lowercases and keeps runs of `a-z0-9` only: a
text in another script has no words, and scores 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Rouge:
    """F-measures, each 0..1.

    Attributes:
        rouge1: of single words.
        rouge2: of pairs of neighbouring words; 0 where a text has fewer than two words.
        rougeL: of the longest common subsequence of the two texts.
        rougeLsum: of the union of longest common subsequences, line by line: the text's own line breaks
            (`\\n`) part it, and no sentence splitter adds others.
    """

    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815  (the names under which the field knows them)
    rougeLsum: float  # noqa: N815


def rouge(prediction: str, reference: str) -> Rouge:
    """The four F-measures of one answer against one reference.

    An answer or a reference without any visible character scores 0 by rule.
    """
    if not prediction.strip() or not reference.strip():
        return Rouge(0.0, 0.0, 0.0, 0.0)
    scores = _scorer().score(target=reference, prediction=prediction)
    return Rouge(*(float(scores[name].fmeasure) for name in Rouge.__dataclass_fields__))


@cache
def _scorer() -> Any:
    from rouge_score import rouge_scorer, tokenizers  # pyright: ignore[reportMissingTypeStubs]

    # The tokenizer is the library's default; handing it over spares the log line that announces it.
    tokenizer = tokenizers.DefaultTokenizer(use_stemmer=False)
    return cast(Any, rouge_scorer).RougeScorer(list(Rouge.__dataclass_fields__), tokenizer=tokenizer)
