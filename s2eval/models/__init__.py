"""Models: what a user may type as MODEL, the embedded ones, and the lm-eval backend `s2`."""

from s2eval.models.embedded import EMBEDDED, resolve
from s2eval.models.spec import ModelSpec, parse

__all__ = ["EMBEDDED", "ModelSpec", "parse", "resolve"]
