"""A line of scores.csv that the tests of this folder share."""

from s2eval.records import Row

ROW = Row("mine", "eli5", 3, "s2_mmlu", "anatomy", "", "", "acc", 0.1 + 0.2, None, None, None, 10, 9, "00ff")
