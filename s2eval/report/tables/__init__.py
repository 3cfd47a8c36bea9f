"""The report's tables, made of rows of `scores.csv`."""
