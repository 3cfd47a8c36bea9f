"""Calls to a language model and how they end: the records that judge, answers and question writing share."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol, TypeVar

Role = Literal["system", "user", "assistant"]
FailureKind = Literal["rate limit", "server", "connection", "timeout", "malformed", "refused", "empty"]
MAX_TOKENS = 10**12  # of one reply; a larger number is no count


def canonical(value: object) -> str:
    """JSON with sorted keys, ASCII only; of a call's fields, the text whose SHA-256 is its key."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a dialogue."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a model with all that determines the reply.

    Attributes:
        service: who answers, unambiguously: `openai:gpt-4@https://api.openai.com/v1`, or a local model's content hash
            and template hash.
        model: its name at the server.
        messages: the dialogue so far; the last message is the user's.
        temperature: 0 = greedy.
        max_tokens: of the reply.
        seed: of the sampling; None = not sent.
        stop: texts at which the reply ends.
        schema: JSON schema of the reply, as JSON text; None = free text.
        repeat: 0, 1, …: the same request made again on purpose.
    """

    service: str
    model: str
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: str | None = None
    repeat: int = 0

    @property
    def remote(self) -> bool:
        """Whether it goes to an API, so that it may cost something."""
        return self.service.startswith("openai:")

    @property
    def key(self) -> str:
        """64 hex digits: the SHA-256 of all attributes; the primary key in the store."""
        return hashlib.sha256(canonical(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a server bills for one attempt."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A valid reply.

    Attributes:
        text: the answer without its reasoning; empty only where the reasoning used all tokens.
        finish: why it ended, as the server reports it: `stop`, `length`, ….
        tokens_in, tokens_out: as the server counts them; None where it does not.
        model: the name that the server reports.
        seconds: of the attempt that succeeded.
        attempts: calls made for it, the successful one included.
        reasoning: what the model thought before it (`s2eval.reasoning`); "" where the server returns none.
    """

    text: str
    finish: str = "stop"
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""
    seconds: float = 0.0
    attempts: int = 1
    reasoning: str = ""

    @property
    def cut(self) -> bool:
        """Whether the answer may lack its end, or never began."""
        return self.finish in ("length", "max_tokens") or (not self.text and bool(self.reasoning))


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without a valid reply after all its `attempts`. It is never a score.

    `kind` is what went wrong at the last attempt. `refused`: the server will never answer this call (bad request,
    content filter); `malformed`: an answer that cannot be read; `empty`: a reply without text. `message` has no keys.
    """

    kind: FailureKind
    message: str
    attempts: int = 1


Outcome = Reply | Failure
Done = Callable[[Call, Outcome], None]


class Service(Protocol):
    """Answers calls: an OpenAI-compatible server, its Batch API, a model loaded here."""

    def run(self, calls: Sequence[Call], done: Done) -> None:
        """Answer all; `done` is called once for each as it ends, in any order, in the calling thread.

        Raises:
            ServiceError: no call will be answered (key refused, quota exhausted); `done` got what had ended.
            BudgetError: the limit on calls or cost is reached; likewise.
        """
        ...


T = TypeVar("T")


def renamed(old: str, new: str, value: T | None) -> T | None:
    """The value of an argument under its old name; warns if there is one."""
    if value is not None:
        warnings.warn(f"{old}= is deprecated; use {new}=", DeprecationWarning, stacklevel=3)
    return value
