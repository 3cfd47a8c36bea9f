"""A question set with all that it is asked and judged with: a folder of `judges/`, or FastChat's files over it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

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
        version: raised when questions or prompts change; None where they are the user's own files.
        questions: each with its reference, where there is one.
        temperatures: category → temperature at which models answer.
        max_tokens: of an answer.
        judge_temperature, judge_max_tokens: of a judgment.
        baselines: name → the text that this one gives as its answer to everything.
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
        """16 hex digits over all that answers and judgments depend on: not the name, version and baselines."""
        content = {
            "questions": [asdict(question) for question in self.questions],
            "prompts": self.prompts.hash,
            "temperatures": dict(self.temperatures),
            "tokens": [self.max_tokens, self.judge_max_tokens],
            "judge_temperature": self.judge_temperature,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]

    def temperature(self, question: Question) -> float:
        """At which models answer: the question's own, else its category's."""
        return self.temperatures[question.category] if question.temperature is None else question.temperature

    def uses_reference(self, question: Question) -> bool:
        """Whether the judge is shown the reference: there is one, and the prompts want it in that category."""
        categories = self.prompts.reference_categories
        return question.reference is not None and (categories is None or question.category in categories)

    def prompt(self, kind: Kind, turn: Turn, question: Question) -> JudgePrompt:
        """What judges that turn of the question.

        Raises:
            DataError: the prompts have none of that kind.
        """
        return self.prompts.get(kind, turn, self.uses_reference(question))

    def part(self, ids: Container[QuestionId] | None = None, *, turns: int | None = None) -> Suite:
        """The same with some of the questions, or the first turns of them, only; its hash differs.

        Args:
            ids: of the questions; None = all.
            turns: that many of each at most; None = all.
        """
        kept = (question for question in self.questions if ids is None or question.id in ids)
        return replace(self, questions=tuple(question.opening(turns) if turns else question for question in kept))

    def limited(
        self, questions: int | None = None, max_tokens: int | None = None, judge_max_tokens: int | None = None
    ) -> Suite:
        """The same with the first questions only, evenly over the categories, or with shorter texts; None = as it is.

        Questions are taken in turn from each category, so that few of them are of many kinds.
        """
        chosen = self.questions
        if questions is not None:
            rank = {question.id: number for number, question in enumerate(self.questions)}
            by_category = {name: [one for one in chosen if one.category == name] for name in self.temperatures}
            turns = [one for row in zip_longest(*by_category.values()) for one in row if one is not None]
            chosen = tuple(sorted(turns[:questions], key=lambda one: rank[one.id]))
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
            questions: of FastChat's categories or this suite's. The references of the questions that they replace
                go too; they may bring their own (`reference`).
            prompts: a `judge_prompts.jsonl`.
            references: in place of all that the questions have.

        Raises:
            DataError: a file is wrong, or they do not fit together.
        """
        changed = self
        if questions is not None:
            changed = changed._of(read_questions(questions, {**FASTCHAT_TEMPERATURES, **self.temperatures}), questions)
        if prompts is not None:
            changed = replace(changed, prompts=read_fastchat(prompts))
        if references is not None:
            found = read_references(references, changed.questions)
            asked = tuple(replace(question, reference=found.get(question.id)) for question in changed.questions)
            changed = replace(changed, questions=asked)
        if changed is not self:
            changed = replace(changed, version=None)
            _check(changed, str(questions or prompts or references))
        return changed

    def _of(self, questions: Sequence[Question], source: Path) -> Suite:
        categories = {question.category for question in questions}
        fastchats = categories <= FASTCHAT_TEMPERATURES.keys()
        known = FASTCHAT_TEMPERATURES if fastchats else {**FASTCHAT_TEMPERATURES, **self.temperatures}
        return replace(
            self,
            name="mtbench" if fastchats else source.stem,
            questions=tuple(questions),
            temperatures={name: known[name] for name in known if name in categories},
        )


Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Judging(_Section):
    temperature: Temperature = 0.0
    max_tokens: int = Field(2048, ge=1)


class _JudgeFile(_Section):
    """`judge.yaml`; files are paths below its folder."""

    name: Name
    version: int = Field(ge=1)
    questions: str
    references: str | None = None
    categories: dict[str, Temperature] = Field(min_length=1)
    max_tokens: int = Field(1024, ge=1)
    judge: _Judging = Field(default_factory=lambda: _Judging.model_validate({}))
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
    questions = read_questions(folder / file.questions, file.categories)
    if file.references is not None:
        found = read_references(folder / file.references, questions)
        questions = [replace(question, reference=found.get(question.id)) for question in questions]
    suite = Suite(
        name=file.name,
        version=file.version,
        questions=tuple(questions),
        prompts=read_folder(folder, file.prompts, file.name),
        temperatures=file.categories,
        max_tokens=file.max_tokens,
        judge_temperature=file.judge.temperature,
        judge_max_tokens=file.judge.max_tokens,
        baselines={name: read_text(folder / path) for name, path in file.baselines.items()},
    )
    _check(suite, str(folder))
    return suite


def _check(suite: Suite, source: str) -> None:
    """Raise a DataError where a question cannot be judged with what there is: before anything is called."""
    found = Problems(Path(source))
    wanted = suite.prompts.reference_categories or frozenset[str]()
    bare = [question.id for question in suite.questions if question.category in wanted and question.reference is None]
    if bare:
        one = f"{suite.prompts.name}'s prompts judge {', '.join(sorted(wanted))} with a reference"
        found.add(None, f"{one}, which {len(bare)} of the questions lack: {listed(bare)}; give --references")
    lacking: dict[tuple[str, str], list[Any]] = {}
    for question in suite.questions:
        for prompt in _prompts(suite, question):
            for placeholder in lacks(question, prompt):
                lacking.setdefault((prompt.name, placeholder), []).append(question.id)
    for (name, placeholder), ids in lacking.items():
        what = f"judge prompt {name!r} asks for {{{placeholder}}}, which {len(ids)} of the questions lack"
        found.add(None, f"{what}: {listed(ids)}; give them it, or --judge-prompts that do not ask for it")
    found.tell()


def _prompts(suite: Suite, question: Question) -> list[JudgePrompt]:
    """All that may judge the question; raises DataError where one is missing."""
    turns: tuple[Turn, ...] = (1, 2) if len(question.turns) > 1 else (1,)
    return [suite.prompt(kind, turn, question) for kind in sorted(suite.prompts.kinds) for turn in turns]
