"""Models compared on the documents that both answered: differences, intervals, tests, and what they show."""

from __future__ import annotations

from s2eval.report.compare.differences import compare, corrected
from s2eval.report.compare.pairing import objections
from s2eval.report.compare.records import LEVEL, Compared, Comparison, ComparisonTable, SeedRow, Side

__all__ = [
    "LEVEL",
    "Compared",
    "Comparison",
    "ComparisonTable",
    "SeedRow",
    "Side",
    "compare",
    "corrected",
    "objections",
]
