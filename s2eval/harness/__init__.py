"""What runs inside lm-eval: the functions that our task YAML names, and the metrics for anybody's YAML."""
