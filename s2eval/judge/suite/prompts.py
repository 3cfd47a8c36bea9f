"""Judge prompts: templates into which a question and its answers are put.

Templates are FastChat's (`{question}`; `{{` stands for `{`): its `judge_prompts.jsonl`, or a file a prompt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Literal, cast

from pydantic import BaseModel, Field

from s2eval.errors import DataError, nearest
from s2eval.files import jsonl
from s2eval.judge.suite.rows import FileRow, Filled, Problems, Text, read_rows

Kind = Literal["single", "pairwise"]
Turn = Literal[1, 2]
Slot = tuple[Kind, Turn, bool]
"""(kind, turn, with reference): what a prompt is for."""

_NEEDED: Mapping[tuple[Kind, Turn], tuple[str, ...]] = {
    ("single", 1): ("question", "answer"),
    ("single", 2): ("question_1", "answer_1", "question_2", "answer_2"),
    ("pairwise", 1): ("question", "answer_a", "answer_b"),
    ("pairwise", 2): ("question_1", "question_2", "answer_a_1", "answer_a_2", "answer_b_1", "answer_b_2"),
}
REFERENCES: Mapping[Turn, tuple[str, ...]] = {1: ("ref_answer_1",), 2: ("ref_answer_1", "ref_answer_2")}
OPTIONAL = ("reading_age", "expects")
_VERDICTS: Mapping[Kind, str] = {"single": "[[rating]]", "pairwise": "[[A]]"}

FASTCHAT_REFERENCE_CATEGORIES = frozenset({"math", "reasoning", "coding", "arena-hard-200"})
"""The categories that FastChat judges with a reference (`NEED_REF_CATS` of its 0.2.36)."""


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One prompt.

    Attributes:
        name: in FastChat's file, else the file's name without ending; in every judgment.
        turn: the turn that is judged; 2 shows the first one too.
        system: the system message; "" = none is sent.
        template: the user's message, with a placeholder for each text.

    Raises:
        DataError: a placeholder is missing or unknown.
    """

    name: str
    kind: Kind
    turn: Turn
    with_reference: bool
    system: str
    template: str

    def __post_init__(self) -> None:
        try:
            present = self.placeholders
        except ValueError as error:
            raise DataError(
                f"judge prompt {self.name!r}: {error}; a brace that is meant as such is written twice"
            ) from None
        needed = _NEEDED[self.kind, self.turn] + (REFERENCES[self.turn] if self.with_reference else ())
        problems = [f"placeholder {{{name}}} is missing" for name in needed if name not in present]
        known = [*needed, *OPTIONAL]
        for name in sorted(present - set(known)):
            close = nearest(name, known)
            hint = f"did you mean {{{close}}}?" if close else "known: " + ", ".join(f"{{{other}}}" for other in known)
            parts = parts_of(self.template)
            position = [field for _, field in parts].index(name)
            line = 1 + sum(text.count("\n") for text, _ in parts[:position])
            problems.append(f"line {line} of the template: unknown placeholder {{{name}}}; {hint}")
        if problems:
            raise DataError(f"judge prompt {self.name!r}: {'; '.join(problems)}")

    @property
    def slot(self) -> Slot:
        """Its purpose."""
        return self.kind, self.turn, self.with_reference

    @property
    def hash(self) -> str:
        """16 hex digits over all but the name."""
        return _digest([*self.slot, self.system, self.template])

    @property
    def placeholders(self) -> frozenset[str]:
        """The names in braces."""
        return frozenset(field for _, field in parts_of(self.template) if field is not None)


@dataclass(frozen=True, slots=True)
class JudgePrompts:
    """The prompts of one judge, in any order, at most one a slot.

    `source` is their file or folder; `reference_categories` are those of questions that are judged with a reference,
    None = all.
    """

    name: str
    prompts: tuple[JudgePrompt, ...]
    source: str = ""
    reference_categories: frozenset[str] | None = None

    @property
    def hash(self) -> str:
        """16 hex digits over the prompts' hashes and when references are used."""
        categories = self.reference_categories
        return _digest([sorted(prompt.hash for prompt in self.prompts), categories and sorted(categories)])

    @property
    def kinds(self) -> frozenset[Kind]:
        return frozenset(prompt.kind for prompt in self.prompts)

    def get(self, kind: Kind, turn: Turn, with_reference: bool) -> JudgePrompt:
        """The prompt of that slot; raises a DataError where there is none."""
        for prompt in self.prompts:
            if prompt.slot == (kind, turn, with_reference):
                return prompt
        raise DataError(f"{self.source or self.name}: no judge prompt for {_in_words((kind, turn, with_reference))}")


class PromptSet(BaseModel, extra="forbid", frozen=True):
    """Files of the prompts of one kind; without the reference prompts nothing is judged with a reference."""

    first: str
    first_reference: str | None = None
    second: str
    second_reference: str | None = None


class PromptFiles(BaseModel, extra="forbid", frozen=True):
    """Files of a judge's prompts in `judge.yaml`."""

    system: str | None = Field(None, description="system message of all prompts; by default there is none")
    single: PromptSet
    pairwise: PromptSet | None = None

    def slots(self) -> Iterator[tuple[str, Slot]]:
        """Each file with the slot of its prompt."""
        for kind, files in (("single", self.single), ("pairwise", self.pairwise)):
            for turn, names in ((1, ("first", "first_reference")), (2, ("second", "second_reference"))):
                for with_reference, name in zip((False, True), names, strict=True):
                    file = getattr(files, name, None)
                    if file is not None:
                        yield file, cast("Slot", (kind, turn, with_reference))


def read_folder(folder: Path, files: PromptFiles, name: str | None = None) -> JudgePrompts:
    """The prompts of a folder, a file each, as `read_text`; `name` is the folder's by default.

    Raises:
        DataError: with all errors, file by file.
    """
    problems = Problems(folder)
    system = ""
    try:
        system = read_text(folder / files.system) if files.system else ""
    except DataError as error:
        problems.add(None, str(error))
    prompts: list[JudgePrompt] = []
    for file, slot in files.slots():
        path = folder / file
        try:
            prompts.append(JudgePrompt(path.stem, *slot, system, read_text(path)))
        except DataError as error:
            problems.add(None, str(error) if str(path) in str(error) else f"{path}: {error}")
    problems.check()
    return JudgePrompts(name or folder.name, tuple(prompts), str(folder))


def read_text(path: Path) -> str:
    """A file's text without a line break at its end; raises a DataError where there is none."""
    try:
        text = path.read_bytes().removeprefix(jsonl.BOM).decode("utf-8").removesuffix("\n")  # read_text() changes \r\n
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error})") from error
    if not text.strip():
        raise DataError(f"{path}: is empty")
    return text


class _FastchatRow(FileRow):
    name: Filled
    type: Kind
    system_prompt: Text
    prompt_template: Filled
    output_format: str | None = None


def read_fastchat(path: Path) -> JudgePrompts:
    """FastChat's `judge_prompts.jsonl`; a prompt's slot follows from its type and its placeholders.

    Raises:
        DataError: with all errors, line by line; two prompts for the same slot are an error too.
    """
    problems = Problems(path)
    prompts: dict[Slot, tuple[int, JudgePrompt]] = {}
    for line, row in read_rows(path, _FastchatRow, problems):
        if row.output_format not in (None, _VERDICTS[row.type]):
            expected = _VERDICTS[row.type]
            problems.add(line, f"output_format: {row.output_format!r} is not read here; expected {expected!r}")
        try:
            fields = {field for _, field in parts_of(row.prompt_template) if field is not None}
        except ValueError:
            fields = set[str]()  # an error of JudgePrompt's
        # a prompt that lacks a placeholder is still known by the others, so that the message can name it
        turn: Turn = 2 if fields & set(_NEEDED[row.type, 2]) else 1
        try:
            with_reference = bool(fields & set(REFERENCES[2]))
            prompt = JudgePrompt(row.name, row.type, turn, with_reference, row.system_prompt, row.prompt_template)
        except DataError as error:
            problems.add(line, f"prompt_template: {error}")
            continue
        before, other = prompts.setdefault(prompt.slot, (line, prompt))
        if other is not prompt:
            both = f"{other.name!r} (line {before}) and {prompt.name!r}"
            problems.add(line, f"prompt_template: {both} have the placeholders of {_in_words(prompt.slot)}; keep one")
    problems.check()
    in_order = tuple(prompt for _, prompt in prompts.values())
    return JudgePrompts("fastchat", in_order, str(path), FASTCHAT_REFERENCE_CATEGORIES)


@cache
def parts_of(template: str) -> tuple[tuple[str, str | None], ...]:
    """The template as FastChat's `str.format` reads it: literal texts (field None) and placeholders (text "").

    Raises:
        ValueError: malformed braces, or a placeholder with more than a name (`{answer!r}`).
    """
    parts: list[tuple[str, str | None]] = []
    for text, field, form, conversion in Formatter().parse(template):
        if form or conversion:
            raise ValueError(f"placeholder {{{field}}} has more in its braces than a name")
        parts.append((text, None))
        if field is not None:
            parts.append(("", field))
    return tuple(parts)


def _in_words(slot: Slot) -> str:
    kind, turn, with_reference = slot
    return f"{kind}, turn {turn}, {'with' if with_reference else 'without'} a reference"


def _digest(content: list[object]) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()[:16]
