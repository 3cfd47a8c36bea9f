"""FILE.answers.jsonl: sampled answers with their scores, added as they come; a killed run loses none of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from s2eval import store
from s2eval.files import jsonl, locks
from s2eval.reasoning import Split, split
from s2train.data.files.jsonl import broken

Key = tuple[str, str, int]
"""(how it was sampled, prompt, number)."""


class AnswerLine(BaseModel):
    """A line.

    Attributes:
        number: which of the prompt's answers, from 0.
        sampling: hash of the policy and of the settings of sampling.
        answer: the text; may be empty.
        ended: whether it ended by itself, not by `max_tokens`.
        scores: a ranker's key → its score.
        reasoning: what the policy thought before the answer; it is in no label, and not scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompt: str
    number: int = Field(ge=0)
    sampling: str
    answer: str
    ended: bool
    scores: dict[str, float] = {}
    reasoning: str = ""

    @property
    def key(self) -> Key:
        return self.sampling, self.prompt, self.number

    def to_json(self) -> str:
        """The line without its end."""
        return self.model_dump_json(exclude=None if self.reasoning else {"reasoning"})

    def split(self) -> AnswerLine:
        """A line of an older release has the reasoning in the answer, and was scored with it."""
        if self.reasoning:
            return self
        parts = split(self.answer)
        if parts == Split(self.answer):
            return self
        update = {"answer": parts.answer, "reasoning": parts.reasoning, "scores": {}}
        return self.model_copy(update=update | {"ended": self.ended and parts.closed})


class Ledger:
    """The file, open; of several lines of one answer the last one counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[Key, AnswerLine] = {}
        self._file: TextIO | None = None

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Ledger]:
        """Read the file, and append to it.

        Raises:
            DataError: a line is broken; the last one may be unfinished.
            PrerequisiteError: another process has it open.
        """
        with store.explain_os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock")
        with locks.exclusive(lock, f"{path}: another process labels there; wait for it, or choose another --out"):
            ledger = cls(path)
            ledger._read()
            try:
                with store.explain_os_errors(path):
                    yield ledger
            finally:
                ledger._close()

    def get(self, key: Key) -> AnswerLine | None:
        """The answer, if it was sampled."""
        return self._lines.get(key)

    def add(self, line: AnswerLine) -> None:
        """Write a line; it survives the process from now on."""
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(line.to_json() + "\n")
        self._file.flush()
        self._lines[line.key] = line

    def tidy(self, first: Iterable[Key]) -> None:
        """Rewrite the file: each answer once, `first` first, the others after them as they came."""
        self._close()
        keys = [*first, *self._lines]
        with store.write_atomically(self.path) as file:
            file.writelines(self._lines[key].to_json() + "\n" for key in dict.fromkeys(keys))

    def _read(self) -> None:
        if not self.path.is_file():
            return
        *complete, torn = self.path.read_bytes().split(b"\n")  # what follows the last line end may be half a line
        for number, raw in jsonl.numbered(complete):
            try:
                line = AnswerLine.model_validate_json(raw)
            except ValidationError as error:
                raise broken(error, f"{self.path}:{number}") from None
            self._lines[line.key] = line.split()
        with suppress(ValidationError):
            line = AnswerLine.model_validate_json(torn)
            self._lines[line.key] = line.split()
        if torn:
            self.tidy(())

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
