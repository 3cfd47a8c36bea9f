"""Where models come from: a file for each kind of MODEL (`s2eval.models.kinds` lists them)."""
