"""What values each metric can have, and whether a 0 or a 1 of it means no or yes: what its interval must know.

A metric that is not listed has no bounds, and is a share where all its values are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from s2eval.records import Scale

UNKNOWN = Scale()
_YES_NO = Scale(0.0, 1.0)
_GRADED = Scale(0.0, 1.0, graded=True)
_COUNT = Scale(0.0, None, graded=True)
_HUNDRED = Scale(0.0, 100.0, graded=True)
_READING_EASE = Scale(None, 121.22, graded=True)  # sentences of one word of one syllable: 206.835 - 1.015 - 84.6
_SCHOOL_GRADE = Scale(-3.4, None, graded=True)  # the same: 0.39 + 11.8 - 15.59

SCALES: Mapping[str, Scale] = {
    # the leaderboard
    **dict.fromkeys(("acc", "acc_norm"), _YES_NO),
    "mc2": _GRADED,
    "leaderboard_pct": Scale(0.0, 100.0),
    # question answering; BERTScore is a cosine, which no encoder in use makes negative, and 0 for an empty answer
    **dict.fromkeys(("s2_rouge1", "s2_rouge2", "s2_rougeL", "s2_rougeLsum"), _GRADED),
    **dict.fromkeys(("s2_bertscore", "s2_bertscore_precision", "s2_bertscore_recall", "s2_bertscore_f1"), _GRADED),
    **dict.fromkeys(
        ("s2_fre", "s2_fre_unrounded", "s2_fre_2023", "s2_fre_corpus", "s2_fre_corpus_2023"), _READING_EASE
    ),
    **dict.fromkeys(
        ("s2_fkg", "s2_fkg_unrounded", "s2_fkg_2023", "s2_fkg_corpus", "s2_fkg_corpus_2023"), _SCHOOL_GRADE
    ),
    "s2_words": _COUNT,
    **dict.fromkeys(("s2_empty", "s2_cut", "s2_flagged"), _YES_NO),
    # judges
    "s2_judge_score": Scale(1.0, 10.0, graded=True),
    "s2_win_rate": _GRADED,
    **dict.fromkeys(("s2_consistency", "s2_first_place", "s2_judge_rated"), _YES_NO),
    # lm-eval's own
    **dict.fromkeys(("exact_match", "em", "mc1", "acc_mutual_info", "acc_bytes", "anls", "pass@1"), _YES_NO),
    **dict.fromkeys(("prompt_level_strict_acc", "prompt_level_loose_acc", "pct_stereotype", "contains"), _YES_NO),
    **dict.fromkeys(("inst_level_strict_acc", "inst_level_loose_acc"), _GRADED),
    "f1": _GRADED,
    **dict.fromkeys(("bleu", "chrf", "bleu_max", "rouge1_max", "rouge2_max", "rougeL_max"), _HUNDRED),
    **dict.fromkeys(("bleu_acc", "rouge1_acc", "rouge2_acc", "rougeL_acc"), _YES_NO),
    **dict.fromkeys(("bleu_diff", "rouge1_diff", "rouge2_diff", "rougeL_diff"), Scale(-100.0, 100.0, graded=True)),
    **dict.fromkeys(("rouge1", "rouge2", "rougeL", "rougeLsum", "bertscore", "meteor"), _GRADED),
    **dict.fromkeys(("ter", "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"), _COUNT),
    "brier_score": Scale(0.0, 2.0, graded=True),
    "mcc": Scale(-1.0, 1.0, graded=True),
}


def scale_of(metric: str) -> Scale:
    """The scale of a metric; what follows `@` or `,` is a filter, or a model that it is against."""
    return SCALES.get(metric) or SCALES.get(metric.partition("@")[0].partition(",")[0], UNKNOWN)
