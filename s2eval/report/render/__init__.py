"""A `Document` in each format."""
