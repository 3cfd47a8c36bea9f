"""Formats on disk: JSON Lines, YAML, CSV text, checksums, names of folders, and how one folder replaces another."""
