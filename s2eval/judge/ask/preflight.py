"""What can be known before the first call: prices under a limit of cost, keys, servers, and the models that they serve.

Nothing here costs anything: each server is asked once for its list of models.
"""

from __future__ import annotations

from collections.abc import Iterable

from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call


def check(calls: Iterable[tuple[ModelHandle, Call]], budget: Budget) -> None:
    """Whether these calls can be asked.

    Raises:
        UsageError: there is a limit of cost, and a price is not known.
        PrerequisiteError: no key.
        ServiceError: a server is out of reach, refuses the key, or serves models and not this one.
    """
    remote = {handle.identity: (handle, call) for handle, call in calls if handle.remote}
    budget.check(call for _, call in remote.values())
    servers: dict[str, list[ModelHandle]] = {}
    for handle, _ in remote.values():
        if handle.server is not None:
            servers.setdefault(handle.server.url, []).append(handle)
    for handles in servers.values():
        first = handles[0].server
        assert first is not None
        first.check(*(handle.model for handle in handles))
