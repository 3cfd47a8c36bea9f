"""What a stage of training is: a configuration, and what is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from pydantic import BaseModel

from s2train.training.job import RunPaths

Job = TypeVar("Job", bound=RunPaths)


class Training(Protocol[Job]):
    """A configuration becomes a job, and the job a checkpoint."""

    def configuration(self) -> type[BaseModel]:
        """The model that checks its YAML; imports what it must."""
        ...

    def prepare(self, config: BaseModel, where: str) -> Job:
        """Check and count everything; loads no weights and writes nothing.

        Args:
            config: of `configuration`.
            where: the configuration's name, for messages.

        Raises:
            UsageError, PrerequisiteError: what cannot be trained, and why.
        """
        ...

    def forecast(self, job: Job) -> Iterable[str]:
        """The dry run, in words."""
        ...

    def run(self, job: Job, fresh: bool) -> Mapping[str, float]:
        """Train or resume, and give what was measured.

        Args:
            fresh: forget checkpoints of a stopped training, and replace a finished one.
        """
        ...
