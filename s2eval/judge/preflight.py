"""What can be known before the first call: prices under a limit of cost, keys, servers, and the models that they serve.

Nothing here costs anything: a server is asked for its list of models.
"""

from __future__ import annotations

from collections.abc import Iterable

from s2eval.judge.participants import Participant
from s2eval.llm.budget import Budget
from s2eval.llm.calls import Call


def check(calls: Iterable[tuple[Participant, Call]], budget: Budget) -> None:
    """Whether these calls can be asked.

    Raises:
        UsageError: there is a limit of cost, and a price is not known.
        PrerequisiteError: no key.
        ServiceError: a server is out of reach, refuses the key, or serves models and not this one.
    """
    remote = {participant.identity: (participant, call) for participant, call in calls if participant.remote}
    budget.check(call for _, call in remote.values())
    for participant, _ in remote.values():
        participant.check()
