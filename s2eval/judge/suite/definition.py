"""A question set with all that determines answers and judgments: a folder of `judges/`, or FastChat's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from s2eval import paths
from s2eval.config import Name
from s2eval.errors import UnknownNameError
from s2eval.files import yamlfile
from s2eval.judge.suite.prompts import (
    JudgePrompt,
    JudgePrompts,
    Kind,
    PromptFiles,
    Turn,
    read_fastchat,
    read_folder,
    read_text,
)
from s2eval.judge.suite.questions import Question, read_questions, read_references
from s2eval.judge.suite.render import lacks
from s2eval.judge.suite.rows import Problems, QuestionId, listed
from s2eval.registry import Registry

FILE = "judge.yaml"

# `temperature_config` of FastChat 0.2.36
FASTCHAT_TEMPERATURES: Mapping[str, float] = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
    "arena-hard-200": 0.0,
}


@dataclass(frozen=True, slots=True)
class Suite:
    """Questions, and how they are answered and judged.

    Attributes:
        name: as users type it; `mtbench` where the questions are of FastChat's categories.
        version: raised when questions or prompts change; None for the user's own files.
        questions: each with its reference, where there is one.
        temperatures: category → temperature of the answers.
        max_tokens: of an answer.
        judge_temperature, judge_max_tokens: of a judgment.
        baselines: name → a text that is the answer to every question.
    """

    name: str
    version: int | None
    questions: tuple[Question, ...]
    prompts: JudgePrompts
    temperatures: Mapping[str, float]
    max_tokens: int
    judge_temperature: float
    judge_max_tokens: int
    baselines: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def hash(self) -> str:
        """16 hex digits over all but the name, version and baselines."""
        content = {
            "questions": [asdict(question) for question in self.questions],
            "prompts": self.prompts.hash,
            "temperatures": dict(self.temperatures),
            "tokens": [self.max_tokens, self.judge_max_tokens],
            "judge_temperature": self.judge_temperature,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]

    def temperature(self, question: Question) -> float:
        """Of the answers: the question's own, else its category's."""
        return self.temperatures[question.category] if question.temperature is None else question.temperature

    def prompt(self, kind: Kind, turn: Turn, question: Question) -> JudgePrompt:
        """For that turn of the question; raises a DataError where there is none of that kind."""
        return self.prompts.get(kind, turn, self.uses_reference(question))

    def uses_reference(self, question: Question) -> bool:
        """Whether the judge sees the reference: there is one, and the prompts need it in that category."""
        categories = self.prompts.reference_categories
        return question.reference is not None and (categories is None or question.category in categories)

    def part(self, ids: Container[QuestionId] | None = None, *, turns: int | None = None) -> Suite:
        """The same with some of the questions, or so many of their first turns, only; its hash differs."""
        chosen = (question for question in self.questions if ids is None or question.id in ids)
        return replace(self, questions=tuple(question.opening(turns) if turns else question for question in chosen))

    def limited(
        self, questions: int | None = None, max_tokens: int | None = None, judge_max_tokens: int | None = None
    ) -> Suite:
        """The same with so many questions, taken in turn from each category, or shorter texts; None = unchanged."""
        chosen = self.questions
        if questions is not None:
            rank = {question.id: number for number, question in enumerate(chosen)}
            by_category = ([question for question in chosen if question.category == name] for name in self.temperatures)
            in_turn = [question for row in zip_longest(*by_category) for question in row if question is not None]
            chosen = tuple(sorted(in_turn[:questions], key=lambda question: rank[question.id]))
        return replace(
            self,
            questions=chosen,
            max_tokens=max_tokens or self.max_tokens,
            judge_max_tokens=judge_max_tokens or self.judge_max_tokens,
        )

    def with_files(
        self, questions: Path | None = None, prompts: Path | None = None, references: Path | None = None
    ) -> Suite:
        """The same with FastChat's files in place of its own.

        Args:
            questions: of FastChat's categories or this suite's, with their own `reference` or none.
            prompts: a `judge_prompts.jsonl`.
            references: in place of all that the questions have.

        Raises:
            DataError: a file is wrong, or they do not fit together.
        """
        if not (questions or prompts or references):
            return self
        changed = replace(self, version=None)
        if questions is not None:
            known = {**FASTCHAT_TEMPERATURES, **self.temperatures}
            changed = replace(changed, questions=tuple(read_questions(questions, known)))
            categories = {question.category for question in changed.questions}
            is_fastchats = categories <= FASTCHAT_TEMPERATURES.keys()
            known = FASTCHAT_TEMPERATURES if is_fastchats else known
            temperatures = {name: known[name] for name in known if name in categories}
            changed = replace(changed, name="mtbench" if is_fastchats else questions.stem, temperatures=temperatures)
        if prompts is not None:
            changed = replace(changed, prompts=read_fastchat(prompts))
        if references is not None:
            changed = replace(changed, questions=_with_references(changed.questions, references))
        _check(changed, str(questions or prompts or references))
        return changed


Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]


class _Judging(BaseModel, extra="forbid", frozen=True):
    temperature: Temperature = 0.0
    max_tokens: Annotated[int, Field(ge=1)] = 2048


class _JudgeFile(BaseModel, extra="forbid", frozen=True):
    """`judge.yaml`; files are paths below its folder."""

    name: Name
    version: int = Field(ge=1)
    questions: str
    references: str | None = None
    categories: dict[str, Temperature] = Field(min_length=1)
    max_tokens: int = Field(1024, ge=1)
    judge: _Judging = _Judging()
    prompts: PromptFiles
    baselines: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SuiteFolder:
    """A suite in the table: its name, as `judge.yaml` has it, and the folder with that file."""

    name: str
    folder: Path


SUITES = Registry[SuiteFolder](
    "judge",
    [SuiteFolder(path.parent.name, path.parent) for path in sorted(paths.judges().glob(f"*/{FILE}"))],
    group="s2eval.judges",
    see="s2eval ls judges",
)
"""The suites: every folder of `judges/`, and those of other packages, by an entry point of the group `s2eval.judges`
whose value is a `SuiteFolder`. A folder with `judge.yaml` needs nothing else."""


def names() -> list[str]:
    """The suites of the table, in alphabetical order."""
    return sorted(SUITES)


def load(name_or_folder: str | Path) -> Suite:
    """A suite of the table, or one in a folder of the same form.

    Raises:
        UnknownNameError: neither has that name.
        ConfigError: with every error of its `judge.yaml`.
        DataError: another of its files is wrong, or they do not fit together.
    """
    suite_folder = SUITES.get(str(name_or_folder))
    folder = suite_folder.folder if suite_folder else Path(name_or_folder)
    if not folder.is_dir():
        raise UnknownNameError("judge", str(name_or_folder), names(), see=SUITES.see)
    file = yamlfile.load(folder / FILE, _JudgeFile, "questions: and prompts:")
    questions = tuple(read_questions(folder / file.questions, file.categories))
    if file.references is not None:
        questions = _with_references(questions, folder / file.references)
    suite = Suite(
        name=file.name,
        version=file.version,
        questions=questions,
        prompts=read_folder(folder, file.prompts, file.name),
        temperatures=file.categories,
        max_tokens=file.max_tokens,
        judge_temperature=file.judge.temperature,
        judge_max_tokens=file.judge.max_tokens,
        baselines={name: read_text(folder / path) for name, path in file.baselines.items()},
    )
    _check(suite, str(folder))
    return suite


def _with_references(questions: Sequence[Question], path: Path) -> tuple[Question, ...]:
    references = read_references(path, questions)
    return tuple(replace(question, reference=references.get(question.id)) for question in questions)


def _check(suite: Suite, source: str) -> None:
    """Raise a DataError, before any call, where a question lacks a text for a prompt, or a prompt is missing."""
    problems = Problems(Path(source))
    categories = suite.prompts.reference_categories or frozenset[str]()
    bare = [question.id for question in suite.questions if question.category in categories and not question.reference]
    if bare:
        needed = f"{suite.prompts.name}'s prompts judge {', '.join(sorted(categories))} with a reference"
        problems.add(None, f"{needed}, which {len(bare)} of the questions lack: {listed(bare)}; give --references")
    lacking: dict[tuple[str, str], list[QuestionId]] = {}
    for question in suite.questions:
        turns: tuple[Turn, ...] = (1, 2) if len(question.turns) > 1 else (1,)
        for prompt in [suite.prompt(kind, turn, question) for kind in sorted(suite.prompts.kinds) for turn in turns]:
            for placeholder in lacks(question, prompt):
                lacking.setdefault((prompt.name, placeholder), []).append(question.id)
    for (name, placeholder), ids in lacking.items():
        what = f"judge prompt {name!r} asks for {{{placeholder}}}, which {len(ids)} of the questions lack"
        problems.add(None, f"{what}: {listed(ids)}; give them it, or --judge-prompts that do not ask for it")
    problems.check()
