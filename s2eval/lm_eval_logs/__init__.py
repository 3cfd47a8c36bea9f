"""What lm-eval wrote into a folder: evaluations of its results files, their samples, what determined their numbers."""
