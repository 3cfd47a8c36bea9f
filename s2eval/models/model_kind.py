"""One entry of the table of model kinds, and what its functions return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2eval.llm.budget import Budget
    from s2eval.llm.calls import Service
    from s2eval.llm.client import OpenAIService
    from s2eval.llm.ledger import Ledger

S2 = "s2"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that can be loaded here: folder or hub id, and of an adapter on top. Its engine is the backend `s2`,
    or the name of a kind that has a backend of its own."""

    text: str
    pretrained: str
    peft: str | None = None
    engine: str = S2

    @property
    def checkpoint(self) -> str:
        """The folder that was trained: the adapter if there is one."""
        return self.peft or self.pretrained


@dataclass(frozen=True, slots=True)
class Access:
    """How models are reached.

    Attributes:
        base_url: of models behind an API; None = OpenAI's.
        template: of models on this machine; None = what they were trained with.
        local, remote: arguments of the backend, and of `s2eval.llm.client.OpenAIService`.
        batches: where batches are noted, if models behind an API are called by OpenAI's Batch API; None = directly.
        say: is given a sentence on what happens to them.
    """

    base_url: str | None = None
    budget: Budget | None = None
    template: str | None = None
    local: Mapping[str, Any] = field(default_factory=dict)
    remote: Mapping[str, Any] = field(default_factory=dict)
    batches: Ledger | None = None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class ModelService:
    """A model that answers calls.

    Attributes:
        identity: `Call.service`: whatever distinguishes it from every other one.
        stop: texts at which an answer ends.
        template: what a dialogue is written in, and its hash; "" where the server decides that.
        server: client of the API that answers, which can check its models; None on this machine.
    """

    model: str
    identity: str
    service: Service
    stop: tuple[str, ...] = ()
    template: str = ""
    server: OpenAIService | None = None


@dataclass(frozen=True, slots=True)
class ModelKind:
    """A form that MODEL may have: `NAME:REST`, or one of `names`.

    Attributes:
        usage: as users type it.
        spec: REST and the full text → a model for the tasks of a run. Checks what can be checked without loading. None:
            its models run no tasks.
        backend: the class of lm-eval that loads it, called as `HFLM` is; None = the backend `s2`. The specs' engine is
            the kind's name then.
        likelihoods: whether it computes log-likelihoods; otherwise its tasks are questions only.
        service: REST and how it is reached → the model as a service, for questions and judgments. None: the model that
            `spec` gives is loaded here.
        remote: whether calls may cost something.
        given: whether its answers exist already: it reads no prompt, and cannot judge.
    """

    name: str
    usage: str
    names: tuple[str, ...] = ()
    prefixed: bool = True
    spec: Callable[[str, str], ModelSpec] | None = None
    backend: Callable[..., Any] | None = None
    likelihoods: bool = True
    service: Callable[[str, Access], ModelService] | None = None
    remote: bool = False
    given: bool = False

    def matches(self, text: str) -> bool:
        """Whether a MODEL is of this kind; none is a path or hub id by that."""
        return text.startswith(f"{self.name}:") if self.prefixed else text in self.names

    @property
    def forms(self) -> tuple[str, ...]:
        """What `s2eval ls models` shows of it."""
        if self.spec is None:
            return (f"{self.usage} (s2eval mtbench)",)
        return self.names or ((self.usage,) if self.likelihoods else (f"{self.usage} (questions only)",))
