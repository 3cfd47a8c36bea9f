"""Questions that a model wrote, as they lie in `DIR/candidates/questions.jsonl`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from s2train.data import layout
from s2train.data.files.jsonl import Source, replacing
from s2train.data.records import Pair


class Written(BaseModel):
    """A question to a candidate, by whom, and to which prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    question: str = Field(min_length=1)
    model: str
    prompt_hash: str


def read(out: Path) -> dict[str, Written] | None:
    """Candidate's id → its question; None where no questions were written."""
    path = layout.candidates(out, layout.QUESTIONS)
    return {line.id: line for line in Source(path, Written)} if path.is_file() else None


def write(out: Path, pairs: Iterable[Pair], facts: Mapping[str, object]) -> None:
    """Store the questions of pairs, and in a JSON file beside them the facts of how they were written."""
    with replacing(out / layout.CANDIDATES, (f"{layout.QUESTIONS}.jsonl", f"{layout.QUESTIONS}.json")) as sinks:
        lines, about = sinks
        for pair in pairs:
            model, prompt_hash = pair.extra_text("model"), pair.extra_text("prompt_hash")
            line = Written(id=pair.id, question=pair.question, model=model, prompt_hash=prompt_hash)
            lines.write(line.model_dump())
        about.write({**facts, "rows": lines.rows, "sha256": lines.sha256}, indent=2)
