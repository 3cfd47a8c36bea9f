"""Models that answer or judge: behind an API, on this machine, a baseline's text, or answers in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.config import default_name
from s2eval.errors import UnknownNameError, UsageError
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.questions import Answer, read_answers
from s2eval.llm.calls import Call, Done, Reply, Service
from s2eval.models import Access, kind_of
from s2eval.models.kinds import ANSWERS, BASELINE, is_remote

if TYPE_CHECKING:
    from s2eval.llm.client import OpenAIService


@dataclass(frozen=True, slots=True)
class ModelHandle:
    """A model that answers questions or judges answers.

    Attributes:
        text: MODEL or JUDGE, as users type it.
        name: in folders and tables.
        model: its name at the server.
        identity: `Call.service`.
        service: answers calls; None where `answers` are from a file.
        stop: texts at which an answer ends.
        template: of dialogues, with its hash; "" where the server decides.
        server: the client of an API, which can check its models.
    """

    text: str
    name: str
    model: str
    identity: str
    service: Service | None
    stop: tuple[str, ...] = ()
    template: str = ""
    answers: tuple[Answer, ...] = ()
    server: OpenAIService | None = None

    @property
    def remote(self) -> bool:
        """Whether calls may cost something."""
        return is_remote(self.text)

    def check(self) -> None:
        """Raise a ServiceError or PrerequisiteError where calls cannot be made; costs nothing."""
        if self.server is not None:
            self.server.check(self.model)


@dataclass(frozen=True, slots=True)
class Constant:
    """A `Service` with the same reply to every call."""

    text: str

    def run(self, calls: Sequence[Call], done: Done) -> None:
        for call in calls:
            done(call, Reply(self.text, model="constant"))


def open_model(text: str, suite: Suite, access: Access) -> ModelHandle:
    """MODEL, of any kind that `s2eval.models.kinds` lists, as a handle; nothing is loaded and nothing is called.

    Raises:
        UsageError, DataError, PrerequisiteError: no such model, baseline, file or template, or it is incomplete.
    """
    kind, name = kind_of(text)
    if kind is BASELINE:
        if name not in suite.baselines:
            raise UnknownNameError("baseline", name, suite.baselines, see="s2eval ls judges")
        answer = suite.baselines[name]
        return ModelHandle(text, f"baseline-{name}", name, f"constant:{answer}", Constant(answer))
    if kind is ANSWERS:
        path = Path(name)
        answers = tuple(read_answers(path, suite.questions))
        name = default_name(answers[0].model)
        return ModelHandle(f"{ANSWERS.name}:{path}", name, name, f"file:{name}", None, answers=answers)
    return _open(text, access)


def open_judge(text: str, access: Access) -> ModelHandle:
    """JUDGE as a handle; raises a UsageError for a baseline or a file of answers."""
    if kind_of(text)[0].given:
        raise UsageError(f"judge {text}: a judge must be able to read. Choose openai:NAME or a model")
    return _open(text, access)


def _open(text: str, access: Access) -> ModelHandle:
    kind, name = kind_of(text)
    if kind.service is not None:
        opened = kind.service(name, access)
    else:
        from s2eval.models.dialogues import local_service

        opened = local_service(text, access)
    return ModelHandle(
        text,
        default_name(text if kind.spec else name),
        opened.model,
        opened.identity,
        opened.service,
        opened.stop,
        opened.template,
        server=opened.server,
    )
