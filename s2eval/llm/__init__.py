"""Language models behind an API: a failure is never a reply, and no reply is paid for twice.

    from s2eval.llm import Call, Ledger, Message, OpenAIService, ask

    call = Call("openai:gpt-4@https://api.openai.com/v1", "gpt-4", (Message("user", "Why?"),), 0.0, 256)
    with Ledger.open(Path("calls.sqlite")) as ledger:
        outcomes = ask(OpenAIService(), [call], ledger)  # key → Reply or Failure

`Budget` limits calls and cost, `prices` knows what they cost, `BatchService` goes through OpenAI's Batch API. Names are
imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2eval.llm.asking import ask
    from s2eval.llm.batch import BatchService
    from s2eval.llm.budget import Budget
    from s2eval.llm.calls import Call, Failure, Message, Outcome, Reply, Service
    from s2eval.llm.client import OpenAIService
    from s2eval.llm.ledger import Ledger, Spent

_MODULES = {
    "asking": ("ask",),
    "batch": ("BatchService",),
    "budget": ("Budget",),
    "calls": ("Call", "Failure", "Message", "Outcome", "Reply", "Service"),
    "client": ("OpenAIService",),
    "ledger": ("Ledger", "Spent"),
}
__all__ = ["BatchService", "Budget", "Call", "Failure", "Ledger", "Message", "OpenAIService", "Outcome", "Reply"]
__all__ += ["Service", "Spent", "ask"]


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"s2eval.llm.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
