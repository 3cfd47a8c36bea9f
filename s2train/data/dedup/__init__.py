"""Texts that say the same: near-duplicates, clusters of questions that stay on one side of the split, and contamination
of training pairs by the evaluation sets."""
