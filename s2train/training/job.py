"""A training that was checked and can begin: where its files lie, and what TRL's trainers are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, create_model

from s2eval.prompts import Template
from s2train.training.models import Plan, Task
from s2train.training.rows import Encoder, Rows

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


@dataclass(frozen=True, kw_only=True)
class TrlTraining(Method):
    """A training that one of TRL's trainers does.

    Attributes:
        config: its configuration, without `arguments`.
        task: what the base becomes.
        line: of the data's files.
        arguments: TRL's configuration class (imports TRL).
        defaults: of `arguments`, where they are not TRL's.
        files: set or aspect of the data's folder → its two files, below the folder.
        rows: a file's lines as the trainer wants them.
        trainer: of `trainers`, imported when it is needed.
        on_train_end: (job, trainer, folder) → what is measured when training is done; may write files into the folder.
        trainer_kwargs: job → what the trainer is given beside what all are; checks what it can before weights are
            loaded.
        sequences_per_row: that go through the model at once: 2 of pairs.
        reference: whether the loss compares with a frozen reference model.
        job: (job) → the job of this training, checked further.
        lines: (job) → the dry run, where it is another than `forecast.lines`.
    """

    config: type[StageConfig]
    task: Task
    line: type[BaseModel]
    arguments: Callable[[], type]
    defaults: Mapping[str, Any]
    files: Callable[[Any], tuple[str, str]]
    rows: Callable[[Any, Encoder, Iterable[Any]], Rows]
    trainer: Callable[[], type]
    on_train_end: Callable[[Job, Any, Path], dict[str, float]] | None = None
    trainer_kwargs: Callable[[Job], dict[str, Any]] | None = None
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


class RunPaths:
    """Where a job's files lie, and what makes it the same training again; of any stage."""

    training: Method
    config: Any
    fingerprint: str
    data: Mapping[str, str]
    recipe: Mapping[str, Any]

    @property
    def out(self) -> Path:
        """Of the checkpoint; it appears when it is whole."""
        return Path(self.config.out).expanduser()

    @property
    def work(self) -> Path:
        """Where checkpoints lie until then."""
        return self.out.with_name(f".{self.out.name}.training")

    @property
    def logs(self) -> Path:
        """Where a tracker writes that keeps files."""
        return self.out.with_name(f"{self.out.name}.logs")

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it the same training again."""
        return {"recipe": dict(self.recipe), "data": dict(self.data), "base": self.fingerprint}


@dataclass(frozen=True)
class Job(RunPaths):
    """A training that was checked, and can begin.

    Attributes:
        training: which.
        where: the configuration's name, for messages.
        config: of `training`.
        plan: what is loaded.
        fingerprint: of the base's weights.
        tokenizer, template: of the base; how questions become prompts.
        train, validation: encoded rows; no rows where there is no validation side.
        data: name → SHA-256 of the files.
        arguments: TRL's, made of `values`.
        values: what they were made of, beside TRL's defaults.
        recipe: the configuration as it is written down, without this machine's folders.
        parameters, trainable: how many there are.
    """

    training: TrlTraining  # pyright: ignore[reportIncompatibleVariableOverride]
    where: str
    config: Any
    plan: Plan
    fingerprint: str
    tokenizer: Any
    template: Template
    train: Rows
    validation: Rows
    data: Mapping[str, str]
    arguments: Any
    values: Mapping[str, Any]
    recipe: Mapping[str, Any]
    parameters: int
    trainable: int

    @property
    def evaluates(self) -> bool:
        """Whether the validation side is evaluated: where there is one, unless `eval_strategy: no` was asked for."""
        chosen = "eval_strategy" in self.config.arguments.model_fields_set
        return len(self.validation) > 0 and not (chosen and self.arguments.eval_strategy == "no")

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
