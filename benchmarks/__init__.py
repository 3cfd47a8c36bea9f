"""Measurements, paired in one run; `make bench` writes them below results/bench/."""
