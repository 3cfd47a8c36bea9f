"""Checkpoint files: which of them a model is loaded from, and whether they hold all of it.

transformers gives random numbers to every tensor that a checkpoint lacks, and only warns of it; the functions here make
that an error. Everything that loads a model, in both packages, does so inside `complete`.
"""

from s2eval.weights.complete import Gaps, check_shapes, complete, find_gaps, is_dead_buffer, quiet, some
from s2eval.weights.files import (
    Shape,
    check_files,
    check_json,
    check_pointer,
    check_pointers,
    read_index,
    shapes,
    weight_files,
)

__all__ = [
    "Gaps",
    "Shape",
    "check_files",
    "check_json",
    "check_pointer",
    "check_pointers",
    "check_shapes",
    "complete",
    "find_gaps",
    "is_dead_buffer",
    "quiet",
    "read_index",
    "shapes",
    "some",
    "weight_files",
]
