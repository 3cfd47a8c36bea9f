"""Prompts to be answered: of a set that `s2train data` built, or of a file of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s2eval.errors import DataError
from s2train.data.files.jsonl import Source
from s2train.data.records import QuestionLine


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked.

    Attributes:
        prompts: each once, in the order of the file.
        name: of the file, without folders; of a set with its name.
        sha256: of the file.
        rows: looked at.
        repeated: of them, prompts that came before.
        long: of them, too long.
    """

    prompts: tuple[str, ...]
    name: str
    sha256: str
    rows: int
    repeated: int
    long: int

    def line(self) -> str:
        """The counts, in words."""
        more = [(self.repeated, "came before"), (self.long, "were too long and left out")]
        counts = "".join(f"; {count:,} {what}" for count, what in more if count)
        return f"{self.name}: {len(self.prompts):,} prompts of {self.rows:,} rows{counts}"


def read(path: Path, name: str, fits: Callable[[str], bool], limit: int | None = None) -> Questions:
    """The prompts of a file.

    Args:
        name: for people.
        fits: whether a prompt is short enough.
        limit: the first rows only.

    Raises:
        DataError: the file is missing or broken, or has nothing to ask.
    """
    source = Source(path, QuestionLine)
    texts = [line.text for number, line in enumerate(source) if limit is None or number < limit]
    prompts = list(dict.fromkeys(texts))
    short = [prompt for prompt in prompts if fits(prompt)]
    if not short:
        why = f"all {len(prompts):,} prompts are too long" if prompts else "it has no rows"
        raise DataError(f"{path}: nothing to answer: {why}")
    return Questions(
        tuple(short), name, source.sha256, len(texts), len(texts) - len(prompts), len(prompts) - len(short)
    )
