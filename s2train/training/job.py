"""A training that was checked and can begin: where its files lie, and what TRL's trainers are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, JsonValue, create_model

from s2eval.prompts import Template
from s2train.training.models import Plan, Task
from s2train.training.rows import Encoder, Rows, Tokenizer

if TYPE_CHECKING:
    from s2train.training.config import StageConfig


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a checkpoint says of how it was trained.

    Attributes:
        name: of the stage, and `kind` in `s2train.json`.
        summary: of the method, with its source, for the card.
        command: that runs it; empty where it has the stage's name.
    """

    name: str
    summary: str
    command: str = ""


class RunPaths:
    """Where the files of any stage's job lie, and what makes it the same training again."""

    training: Method
    config: Any
    fingerprint: str
    data: Mapping[str, str]
    recipe: Mapping[str, JsonValue]

    @property
    def out(self) -> Path:
        """The checkpoint; it appears when it is complete."""
        return Path(self.config.out).expanduser()

    @property
    def work(self) -> Path:
        """The checkpoints of a training that has not ended."""
        return self.out.with_name(f".{self.out.name}.training")

    @property
    def logs(self) -> Path:
        """The files of a tracker."""
        return self.out.with_name(f"{self.out.name}.logs")

    @property
    def identity(self) -> dict[str, object]:
        """What makes it the same training again."""
        return {"recipe": dict(self.recipe), "data": dict(self.data), "base": self.fingerprint}


AnyJob = TypeVar("AnyJob", bound=RunPaths)


class Training(Protocol[AnyJob]):
    """A stage of training: a configuration becomes a job, and the job a checkpoint."""

    def configuration(self) -> type[BaseModel]:
        """The model that checks its YAML; imports what it must."""
        ...

    def prepare(self, config: BaseModel, where: str) -> AnyJob:
        """Check and count everything; loads no weights and writes nothing. `where` names the configuration.

        Raises:
            UsageError, PrerequisiteError: what cannot be trained, and why.
        """
        ...

    def forecast(self, job: AnyJob) -> Iterable[str]:
        """The dry run, in words."""
        ...

    def run(self, job: AnyJob, fresh: bool) -> Mapping[str, float]:
        """Train or resume, and return the metrics; `fresh` restarts, and replaces a finished training."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrlTraining(Method):
    """A training that one of TRL's trainers does.

    Attributes:
        config: its configuration, without `arguments`.
        task: what the base becomes.
        line: of the data's files.
        arguments: imports TRL's configuration class.
        defaults: of `arguments`, where they are not TRL's.
        files: `data:` → the training and the validation file, below the data's folder.
        rows: (configuration, encoder, lines of a file) → rows as the trainer wants them.
        trainer: imports the trainer.
        on_train_end: (job, trainer, folder) → what is measured when training is done; may write files into the folder.
        trainer_kwargs: job → further arguments of the trainer; checks what it can before weights are loaded.
        sequences_per_row: that go through the model at once: 2 of pairs.
        reference: whether the loss compares with a frozen reference model.
        job: job → the job of this training, checked further.
        lines: job → the dry run, where it is another than `forecast.lines`.
    """

    config: type[StageConfig]
    task: Task
    line: type[BaseModel]
    arguments: Callable[[], type]
    defaults: Mapping[str, object]
    files: Callable[[Any], tuple[str, str]]
    rows: Callable[[Any, Encoder, Iterable[Any]], Rows]
    trainer: Callable[[], type]
    on_train_end: Callable[[Job, Any, Path], dict[str, float]] | None = None
    trainer_kwargs: Callable[[Job], dict[str, object]] = lambda _: {}
    sequences_per_row: int = 1
    reference: bool = False
    job: Callable[[Job], Job] = lambda job: job
    lines: Callable[[Any], Iterable[str]] | None = None

    def configuration(self) -> type[BaseModel]:
        """Its configuration with TRL's fields under `arguments`."""
        return _with_arguments(self.config, self.arguments())

    def prepare(self, config: BaseModel, where: str) -> Job:
        """See `Training.prepare`."""
        from s2train.training.preparation import prepare

        return self.job(prepare(self, config, where))

    def forecast(self, job: Job) -> Iterable[str]:
        """See `Training.forecast`."""
        from s2train.training import forecast

        return (self.lines or forecast.lines)(job)

    def run(self, job: Job, fresh: bool) -> Mapping[str, float]:
        """See `Training.run`."""
        from s2train.training.run import run

        return run(job, fresh=fresh)


@cache
def _with_arguments(config: type[StageConfig], arguments: type) -> type[BaseModel]:
    from s2train.training.arguments import model_of

    model = model_of(arguments)
    return create_model(config.__name__, __base__=config, arguments=(model, model.model_validate({})))


class Side(Protocol):
    """The rows of a side of the data."""

    def __len__(self) -> int: ...

    def line(self, name: str) -> str:
        """What became of the file's rows, in words."""
        ...


@dataclass(frozen=True)
class ModelJob(RunPaths):
    """What the jobs of all stages that train a model here have.

    Attributes:
        where: the configuration's name, for messages.
        config: as users wrote it.
        plan: what is loaded.
        fingerprint: of the base's weights.
        template: how questions become prompts.
        train, validation: encoded; no rows where there is no validation side.
        data: name → SHA-256 of the files, adapters included.
        recipe: the configuration as it is recorded, without this machine's folders.
        parameters, trainable: how many there are.
    """

    where: str
    config: Any
    plan: Plan
    fingerprint: str
    tokenizer: Tokenizer
    template: Template
    train: Side
    validation: Side
    data: Mapping[str, str]
    recipe: Mapping[str, JsonValue]
    parameters: int
    trainable: int

    @property
    def base_name(self) -> str:
        """What an adapter calls its base: a name that other machines know, else the folder."""
        from s2eval.models import EMBEDDED

        base = self.plan.settings.base
        folder = Path(base).expanduser()
        return str(folder.absolute()) if base not in EMBEDDED and folder.is_dir() else base


@dataclass(frozen=True)
class Job(ModelJob):
    """A training by TRL, whose `arguments` are built of `values` and TRL's defaults."""

    training: TrlTraining  # pyright: ignore[reportIncompatibleVariableOverride]
    train: Rows
    validation: Rows
    arguments: Any
    values: Mapping[str, Any]

    @property
    def evaluates(self) -> bool:
        """Whether the validation side is evaluated: where there is one, unless the user set `eval_strategy: no`."""
        chosen = "eval_strategy" in self.config.arguments.model_fields_set
        return len(self.validation) > 0 and not (chosen and self.arguments.eval_strategy == "no")

    @property
    def packed(self) -> bool:
        """Whether short rows share a sequence."""
        return bool(getattr(self.arguments, "packing", False))

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        settings = self.plan.settings
        start = f", from {self.plan.adapter.name}" if self.plan.adapter else ""
        trained = f"{self.trainable:,} of {self.parameters:,} parameters are trained"
        return [
            f"{self.training.name}: {self.plan.base.name}{start}, {settings.method} in {self.plan.hardware.dtype} on "
            f"{self.plan.hardware.device}; {trained} ({self.trainable / self.parameters:.2%})",
            f"template {self.template.name}; {self.values['max_length']:,} tokens at most",
            self.train.line("train"),
            self.validation.line("validation") if len(self.validation) else "validation: none",
        ]
