"""Calls to the models under test and to the judge: which are made, by whom they are answered, and what came back."""
