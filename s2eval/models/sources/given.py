"""`baseline:NAME`, `answers:FILE.jsonl`: answers that exist before anything is asked; `s2eval.judge` reads them."""

from __future__ import annotations

from s2eval.models.model_kind import ModelKind

BASELINE = ModelKind("baseline", "baseline:NAME", given=True)
ANSWERS = ModelKind("answers", "answers:FILE.jsonl", given=True)
