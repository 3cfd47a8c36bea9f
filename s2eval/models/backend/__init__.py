"""The parts of the lm-eval backend `s2` (`s2eval.models.s2`)."""
