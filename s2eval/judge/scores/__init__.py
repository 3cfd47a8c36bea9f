"""Judgments into numbers: scores with intervals, agreement with people, answers written for the judge."""
