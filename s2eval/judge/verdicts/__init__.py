"""The verdict in a judge's text: `parsers` reads it, the others know where it stands and what retracts it."""
