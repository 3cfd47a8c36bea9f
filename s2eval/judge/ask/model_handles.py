"""Who answers and who judges: a model behind an API, one on this machine, a baseline's text, or answers in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval.config import default_name
from s2eval.errors import UnknownNameError, UsageError
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.questions import Answer, read_answers
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call, Done, Reply, Service
from s2eval.llm.ledger import Ledger

if TYPE_CHECKING:
    from s2eval.llm.client import OpenAIService

REMOTE, BASELINE, FILE = "openai:", "baseline:", "answers:"


@dataclass(frozen=True, slots=True)
class ModelHandle:
    """A model that answers questions or judges answers.

    Attributes:
        text: MODEL or JUDGE, as users type it.
        name: in folders and tables.
        model: the name that its server is given.
        identity: `Call.service`: whatever tells it from every other one.
        service: answers calls; None where the answers are there already.
        stop: texts at which an answer ends.
        template: what a dialogue was written in, and its hash; "" where the server decides that.
        answers: those that are there already.
        server: client of the API that answers, which can check its models; None on this machine.
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
        return self.text.startswith(REMOTE)

    def check(self) -> None:
        """Raise a ServiceError or PrerequisiteError where calls cannot be answered; costs nothing."""
        if self.server is not None:
            self.server.check(self.model)


@dataclass(frozen=True, slots=True)
class Access:
    """How models are reached.

    Attributes:
        base_url: of models behind an API; None = OpenAI's.
        budget: what may be spent by all together.
        template: of models on this machine; None = what they were trained with.
        local: arguments of the backend for them.
        remote: arguments of the client (`s2eval.llm.client.OpenAIService`).
        batches: where batches are noted, if models behind an API are asked by OpenAI's Batch API; None = directly.
        say: is told in a sentence what happens to them.
    """

    base_url: str | None = None
    budget: Budget | None = None
    template: str | None = None
    local: Mapping[str, Any] = field(default_factory=dict[str, Any])
    remote: Mapping[str, Any] = field(default_factory=dict[str, Any])
    batches: Ledger | None = None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Constant:
    """A `Service` that gives the same text to everything."""

    text: str

    def run(self, calls: Sequence[Call], done: Done) -> None:
        """At once."""
        for call in calls:
            done(call, Reply(self.text, model="constant"))


def open_model(text: str, suite: Suite, access: Access) -> ModelHandle:
    """MODEL as a handle: nothing is loaded and nothing is called.

    Args:
        text: a path or hub id, `smollm2`, `adapter:PATH[@BASE]`, `openai:NAME`, `baseline:NAME`, or
            `answers:FILE.jsonl`, answers in FastChat's form.

    Raises:
        UsageError, DataError, PrerequisiteError: no such model, baseline, file or template, or it is incomplete.
    """
    if text.startswith(BASELINE):
        name = text.removeprefix(BASELINE)
        if name not in suite.baselines:
            raise UnknownNameError("baseline", name, suite.baselines, see="s2eval ls judges")
        said = suite.baselines[name]
        return ModelHandle(text, f"baseline-{name}", name, f"constant:{said}", Constant(said))
    if text.startswith(FILE):
        return _from_file(Path(text.removeprefix(FILE)), suite)
    return _open(text, access)


def open_judge(text: str, access: Access) -> ModelHandle:
    """JUDGE as a handle: `openai:NAME`, or a model of this machine."""
    if text.startswith((BASELINE, FILE)):
        raise UsageError(f"judge {text}: a judge must be able to read. Choose openai:NAME or a model")
    return _open(text, access)


def _open(text: str, access: Access) -> ModelHandle:
    if text.startswith(REMOTE):
        from s2eval.llm.batch import BatchService
        from s2eval.llm.client import OpenAIService

        model = text.removeprefix(REMOTE)
        if not model:
            raise UsageError(f"{text}: expected openai:NAME")
        direct = OpenAIService(access.base_url, budget=access.budget, **access.remote)
        service: OpenAIService | BatchService = direct
        if access.batches is not None:
            service = BatchService(
                access.base_url, None, access.batches, budget=access.budget, wait=False, say=access.say
            )
        return ModelHandle(text, default_name(model), model, direct.name(model), service, server=direct)
    from s2eval.models.dialogues import open_local

    local = open_local(text, access.template, **access.local)
    template = f"{local.template.label} ({local.template.hash})"
    return ModelHandle(text, default_name(text), text, local.service, local, local.template.stop, template)


def _from_file(path: Path, suite: Suite) -> ModelHandle:
    answers = tuple(read_answers(path, suite.questions))
    name = default_name(answers[0].model)
    return ModelHandle(f"{FILE}{path}", name, name, f"file:{name}", None, answers=answers)
