"""The possible values of metrics, and whether 0 and 1 mean no and yes: both decide the interval."""

from __future__ import annotations

from collections.abc import Mapping

from s2eval.records import Scale

UNKNOWN = Scale()
"""No known bounds; a share if all values are 0 or 1."""
YES_NO = Scale(0.0, 1.0)
GRADED = Scale(0.0, 1.0, graded=True)
COUNT = Scale(0.0, None, graded=True)
READING_EASE = Scale(None, 121.22, graded=True)  # sentences of one word of one syllable: 206.835 - 1.015 - 84.6
SCHOOL_GRADE = Scale(-3.4, None, graded=True)  # the same: 0.39 + 11.8 - 15.59
_HUNDRED = Scale(0.0, 100.0, graded=True)

# lm-eval's own metrics, which results of its other tasks hold
LM_EVAL: Mapping[str, Scale] = {
    **dict.fromkeys(("exact_match", "em", "mc1", "acc_mutual_info", "acc_bytes", "anls", "pass@1"), YES_NO),
    **dict.fromkeys(("prompt_level_strict_acc", "prompt_level_loose_acc", "pct_stereotype", "contains"), YES_NO),
    **dict.fromkeys(("inst_level_strict_acc", "inst_level_loose_acc"), GRADED),
    "f1": GRADED,
    **dict.fromkeys(("bleu", "chrf", "bleu_max", "rouge1_max", "rouge2_max", "rougeL_max"), _HUNDRED),
    **dict.fromkeys(("bleu_acc", "rouge1_acc", "rouge2_acc", "rougeL_acc"), YES_NO),
    **dict.fromkeys(("bleu_diff", "rouge1_diff", "rouge2_diff", "rougeL_diff"), Scale(-100.0, 100.0, graded=True)),
    **dict.fromkeys(("rouge1", "rouge2", "rougeL", "rougeLsum", "bertscore", "meteor", "s2_bertscore"), GRADED),
    **dict.fromkeys(("ter", "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"), COUNT),
    "brier_score": Scale(0.0, 2.0, graded=True),
    "mcc": Scale(-1.0, 1.0, graded=True),
}
