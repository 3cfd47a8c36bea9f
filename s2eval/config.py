"""What a user may write in a run's YAML; all errors of a file are reported at once.

models:
  - smollm2
  - {name: mine, model: ./my-checkpoint, reference: Llama-2-7b-ELI5, group: eli5, seed: 1}
tasks: [s2_leaderboard, s2_qa]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from s2eval import chat_arguments
from s2eval.errors import UsageError, nearest
from s2eval.files import names, yamlfile
from s2eval.overrides import override, override_document

_NAME_LENGTH = 100
_IN_RUN_FOLDER = ("run.yaml", "scores.csv", "report.md", "report.html", "report_files", "calls.sqlite")


def _usable(name: str) -> str:
    if why := names.problem(name):
        raise ValueError(f"{name!r} {why}")
    return name


# A folder's name: not "..", and not hidden.
Name = Annotated[str, StringConstraints(pattern=r"^[\w+-][\w.+-]*$", max_length=_NAME_LENGTH), AfterValidator(_usable)]


def _known_metric(name: str) -> str:
    from s2eval.metrics.table import of_answers

    known = of_answers()
    if name not in known:
        close = nearest(name, known)
        hint = f"did you mean {close!r}?" if close else f"known: {', '.join(known)}"
        raise ValueError(f"unknown name {name!r}; {hint}")
    return name


MetricName = Annotated[str, AfterValidator(_known_metric)]
Checks = Mapping[str, Callable[[str], object]]
"""`task`, `model`, `template`, `reference` → what raises a UsageError where nothing has that name."""


def _known(kind: str) -> AfterValidator:
    def validate(value: str, info: ValidationInfo) -> str:
        checks = cast("Checks", info.context or {})
        if kind in checks:
            try:
                checks[kind](value)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return value

    return AfterValidator(validate)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelEntry(_Section):
    """One model of a run; a bare string stands for `{model: …}`."""

    model: Annotated[str, _known("model")] = Field(
        min_length=1, description="path or hub id, smollm2, adapter:PATH[@BASE], …: see s2eval ls models"
    )
    name: Name = Field(description="name in folders and tables; by default made from `model`")
    reference: Annotated[str, _known("reference")] | None = Field(
        None, description="row of the published tables that it is set beside"
    )
    group: str | None = Field(None, description="models of one recipe that differ by seed only share a group")
    seed: int | None = Field(None, description="training seed")
    trained_on: str | None = Field(
        None, min_length=1, description="training set, for the report's matrix: eli5, wiki, full, none, or another name"
    )
    template: Annotated[str, _known("template")] | None = Field(
        None, description="prompt template; by default the run's, else what it was trained with"
    )
    dtype: str = Field("auto", description="weights' type; auto is fp32 on a CPU")
    device: str | None = Field(None, description="cpu, cuda, cuda:0, mps; by default the best there is")
    batch_size: int | None = Field(None, ge=1, description="requests computed together; by default the run's")
    args: dict[str, Any] = Field(default_factory=dict, description="further arguments of lm-eval's hf model")

    @field_validator("args")
    @classmethod
    def _checked_arguments(cls, args: dict[str, object]) -> dict[str, object]:
        if {"pretrained", "peft", "loaded"} & set(args):  # it would be evaluated under the name of `model`
            raise ValueError("pretrained and peft stand in `model`: PATH, or adapter:PATH@BASE")
        try:
            chat_arguments.collect(args)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return args

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: object) -> object:
        entry = {"model": value} if isinstance(value, str) else value
        if not isinstance(entry, dict) or "model" not in entry:
            return cast("object", entry)
        return {"name": default_name(str(cast("object", entry["model"]))), **entry}


def default_name(model: str) -> str:
    """`./runs/my model` → `my_model`, `org/Name-7b` → `Name-7b`, `adapter:a/b@c` → `b`; always a `Name`."""
    last = model.removeprefix("adapter:").partition("@")[0].rstrip("/").rpartition("/")[2]
    # not isalnum: to that "²" is a number, to the pattern it is not
    name = "".join(char if char.isalpha() or char.isdecimal() or char in "._+-" else "_" for char in last)
    return names.usable(name.lstrip(".")[:_NAME_LENGTH]) or "model"


class BertscoreOptions(_Section):
    """How BERTScore compares texts."""

    encoder: str = Field("roberta-large", description="hub id or folder of the encoder, or minilm (packaged)")
    num_layers: int | None = Field(None, ge=1, description="layer to take; needed where bert-score has no default")
    batch_size: int = Field(32, ge=1, description="texts embedded together")


class JudgeEntry(_Section):
    """A judge of a run; a bare string stands for `{judge: …}`."""

    judge: str = Field(min_length=1, description="openai:NAME, or a model of this machine")
    base_url: str | None = Field(None, description="of an OpenAI-compatible server; by default OpenAI's")
    suite: str = Field("mtsbench", description="question set, or a folder of the same form")
    limit: int | None = Field(
        None, ge=1, description="that many questions, taken in turn from each category; by default the run's limit"
    )
    max_tokens: int | None = Field(None, ge=1, description="of an answer; by default the question set's")
    judge_max_tokens: int | None = Field(None, ge=1, description="of a judgment; likewise")
    judge_temperature: float | None = Field(
        None, ge=0, le=2, allow_inf_nan=False, description="of a judgment; likewise"
    )
    choices: int = Field(1, ge=1, description="answers to each question")
    repeats: int = Field(1, ge=1, description="judgments of each answer")
    parser: Literal["strict", "fastchat"] = Field("strict", description="how verdicts are read")
    structured: bool = Field(False, description="ratings as JSON, by the server's schema")
    max_calls: int | None = Field(None, ge=0, description="calls to an API at most, for each model")
    max_cost: float | None = Field(None, ge=0, description="USD at most, for each model")

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: object) -> object:
        return {"judge": value} if isinstance(value, str) else value


class RunConfig(_Section):
    """A whole run: every model on every task."""

    name: Name = Field(description="of the run; by default the file's name")
    out: str | None = Field(None, description="run folder; by default runs/NAME")
    models: list[ModelEntry] = Field(min_length=1, description="what is evaluated; MODEL alone, or with further keys")
    tasks: list[Annotated[str, _known("task")]] = Field(
        min_length=1, description="lm-eval tasks, groups, tags or patterns"
    )
    judges: list[JudgeEntry] = Field(
        default_factory=list[JudgeEntry], description="who judges every model's answers to MT(S)-Bench"
    )
    metrics: list[MetricName] = Field(
        default_factory=lambda: ["rouge", "bertscore", "readability"],
        min_length=1,
        description="families measured on answers",
    )
    limit: int | None = Field(None, ge=1, description="documents per task, the first of its order")
    max_tokens: int | None = Field(None, ge=1, description="of an answer in a task; by default the task's own")
    template: Annotated[str, _known("template")] | None = Field(
        None, description="prompt template of all models that do not name their own"
    )
    batch_size: int = Field(8, ge=1, description="requests computed together")
    data_dir: str | None = Field(None, description="folder in the layout of S2_DATA_DIR, which it overrides")
    bertscore: BertscoreOptions = Field(
        default_factory=lambda: BertscoreOptions.model_validate({}), description="how BERTScore compares texts"
    )

    @field_validator("tasks", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("models")  # not of the whole: that is skipped where another key is wrong
    @classmethod
    def _distinct(cls, models: list[ModelEntry]) -> list[ModelEntry]:
        called = [entry.name for entry in models]
        if twice := sorted({name for name in called if called.count(name) > 1}):
            raise ValueError(f"two are called {', '.join(map(repr, twice))}; give each a `name:` of its own")
        if alike := names.clashes([*_IN_RUN_FOLDER, *called]):
            raise ValueError(
                f"{', '.join(alike)} differ by case or Unicode form only, so that on some systems both are one folder; "
                "give each a `name:` of its own"
            )
        if reserved := sorted(set(called) & set(_IN_RUN_FOLDER)):
            raise ValueError(f"{', '.join(map(repr, reserved))}: a file of the run has that name; give another `name:`")
        return models


def load(
    path: Path,
    checks: Checks | None = None,
    options: Mapping[str, object] | None = None,
    overrides: Sequence[str] = (),
) -> RunConfig:
    """Read and check a run's YAML; `checks` know the names that may stand in it, without them only the form is checked.

    `options` replace the file's top-level keys; `overrides` (`key=value`, dotted keys) are applied last.

    Raises:
        ConfigError: with every error of the file, each on a line, unknown keys with the closest valid key.
    """
    document = yamlfile.read(path, "models: and tasks:")
    complete = replace(document, value={"name": default_name(path.stem), **document.value, **(options or {})})
    raw, marks, problems = override_document(complete, overrides, RunConfig)
    return yamlfile.check(raw, RunConfig, str(path), marks, context=checks, more=problems)


def from_mapping(
    raw: Mapping[str, object], where: str, checks: Checks | None = None, overrides: Sequence[str] = ()
) -> RunConfig:
    """A configuration that is in no file; as `load` otherwise."""
    changed, problems = override(dict(raw), overrides, RunConfig)
    return yamlfile.check(changed, RunConfig, where, context=checks, more=problems)
