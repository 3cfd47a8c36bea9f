"""The parts of the lm-eval backend `s2` (`s2eval.models.s2`)."""

from typing import Any, TypeAlias

HFLM: TypeAlias = Any
"""lm-eval's class, whose decorator hides it from type checkers."""
