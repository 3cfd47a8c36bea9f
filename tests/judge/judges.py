"""Judges and models whose replies a test decides; as services they are as real as any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.bench import CachedClient
from s2eval.llm import prices
from s2eval.llm.calls import Call, Done, Failure, Outcome, Reply
from s2eval.llm.ledger import Ledger


@dataclass(slots=True)
class Scripted:
    """Gives what a function of the call says, and remembers what it was asked."""

    says: Callable[[Call], str | Outcome]
    asked: list[Call] = field(default_factory=list)

    def run(self, calls: Sequence[Call], done: Done) -> None:
        for call in calls:
            self.asked.append(call)
            said = self.says(call)
            done(call, Reply(said) if isinstance(said, str) else said)


def handle(name: str, says: Callable[[Call], str | Outcome]) -> tuple[ModelHandle, Scripted]:
    """A handle, and its service."""
    service = Scripted(says)
    return ModelHandle(f"scripted:{name}", name, name, f"scripted:{name}", service), service


def client(ledger: Ledger) -> CachedClient:
    return CachedClient(ledger, prices.load())


def memory() -> Path:
    """Of a store that is gone with the test."""
    return Path(":memory:")


def down(_: Call) -> Failure:
    return Failure("server", "503 from the server")
