"""Calls to the models under test and to the judge."""
