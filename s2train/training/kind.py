"""What distinguishes the trainings that stand on TRL, and what one of them knows before any weights are loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from s2eval.prompts import Template
from s2train.training.models import Plan, Task
from s2train.training.rows import Encoder, Rows

if TYPE_CHECKING:
    from s2train.training import config

Name = Literal["sft", "reward", "dpo", "rloo", "grpo"]


@dataclass(frozen=True)
class Kind:
    """A training that one of TRL's trainers does.

    Attributes:
        name: of the command, and `kind` in `s2train.json`.
        config: its configuration, without `arguments`.
        task: what the base becomes.
        line: of the data's files.
        arguments: TRL's configuration class (imports TRL).
        defaults: of `arguments`, where they are not TRL's.
        file: set or aspect of the data's folder → its two files, below the folder.
        rows: a file's lines as the trainer wants them.
        trainer: of `trainers`, imported when it is asked for.
        conclude: (job, trainer, folder) → what is measured when training is done; may write files into the folder.
        equipment: job → what the trainer is given beside what all are; checks what it can before weights are loaded.
        halves: sequences a row that go through the model at once: 2 of pairs.
    """

    name: Name
    config: type[config.Stage]
    task: Task
    line: type[BaseModel]
    arguments: Callable[[], type]
    defaults: Mapping[str, Any]
    file: Callable[[Any], tuple[str, str]]
    rows: Callable[[Any, Encoder, Iterable[Any]], Rows]
    trainer: Callable[[], type]
    conclude: Callable[[Job, Any, Path], dict[str, float]] | None = None
    equipment: Callable[[Job], dict[str, Any]] | None = None
    halves: int = 1


class Placed:
    """Where a job's files lie, and what makes it the same training again; of any stage."""

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
class Job(Placed):
    """A training that was checked, and can begin.

    Attributes:
        kind: which.
        where: the configuration's name, for messages.
        config: of `kind`.
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

    kind: Kind
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
        asked = "eval_strategy" in self.config.arguments.model_fields_set
        return len(self.validation) > 0 and not (asked and self.arguments.eval_strategy == "no")

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        settings = self.plan.settings
        start = f", from {self.plan.adapter.name}" if self.plan.adapter else ""
        trained = f"{self.trainable:,} of {self.parameters:,} parameters are trained"
        return [
            f"{self.kind.name}: {self.plan.base.name}{start}, {settings.method} in {self.plan.hardware.dtype} on "
            f"{self.plan.hardware.device}; {trained} ({self.trainable / self.parameters:.2%})",
            f"template {self.template.name}; {self.values['max_length']:,} tokens at most",
            self.train.line("train"),
            self.validation.line("validation") if len(self.validation) else "validation: none",
        ]
