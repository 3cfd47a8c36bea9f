"""Metrics of what judges wrote: their names, and the values that each can have."""

from __future__ import annotations

from s2eval.metrics.metric import Metric, MetricFamily
from s2eval.metrics.scales import GRADED, READING_EASE, SCHOOL_GRADE, YES_NO
from s2eval.records import Scale

SCORE, WIN_RATE, CONSISTENCY, FIRST_PLACE = "s2_judge_score", "s2_win_rate", "s2_consistency", "s2_first_place"
RATED, FLAGGED = "s2_judge_rated", "s2_flagged"
FRE_WHOLE, FKG_WHOLE = "s2_fre_corpus_2023", "s2_fkg_corpus_2023"

JUDGMENTS = MetricFamily(
    "judgments",
    (
        Metric(SCORE, digits=2, scale=Scale(1.0, 10.0, graded=True)),
        Metric(WIN_RATE, digits=2, scale=GRADED),
        Metric(CONSISTENCY, scale=YES_NO),
        Metric(FIRST_PLACE, best=None, scale=YES_NO),
        Metric(RATED, scale=YES_NO),
        Metric(FLAGGED, best="low", scale=YES_NO),
        Metric(FRE_WHOLE, digits=2, scale=READING_EASE, pooled=True),
        Metric(FKG_WHOLE, digits=1, best="low", scale=SCHOOL_GRADE, pooled=True),
    ),
    of="judgments",
)
