"""Models: what a user may type as MODEL, the embedded ones, and the lm-eval backend `s2`."""

from s2eval.models.content import identity
from s2eval.models.kinds import MODEL_KINDS, kind_of, parse
from s2eval.models.model_kind import Access, ModelKind, ModelService, ModelSpec
from s2eval.models.sources.adapter import ADAPTER_CONFIG, base_of
from s2eval.models.sources.embedded import EMBEDDED, resolve

__all__ = [
    "ADAPTER_CONFIG",
    "EMBEDDED",
    "MODEL_KINDS",
    "Access",
    "ModelKind",
    "ModelService",
    "ModelSpec",
    "base_of",
    "identity",
    "kind_of",
    "parse",
    "resolve",
]
