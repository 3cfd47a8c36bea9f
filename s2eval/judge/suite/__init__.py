"""Question sets: `definition` reads a folder of `judges/` into a `Suite`."""
