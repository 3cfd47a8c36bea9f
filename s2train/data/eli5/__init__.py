"""ELI5: records of its schema (`pairs`), and Reddit's dumps, which become such records (`reddit`)."""
