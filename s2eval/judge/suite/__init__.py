"""A question set with what it is asked and judged with: `definition` reads a folder of `judges/` into a `Suite`."""
