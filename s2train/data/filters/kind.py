"""What a filter is: its name, its section of a configuration, and which pairs it drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from s2train.data.records import Pair

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A filter's thresholds; all have defaults. docs/filters.md has the distributions."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class FilterKind:
    """A filter.

    Attributes:
        name: as a configuration's `filters.order` has it, and the key of its section.
        section: its thresholds.
        reasons: (pairs, section) → of each pair why it is dropped; None = it is kept. A function of a module, so that
            it can be pickled. The answer for a pair depends on the pair alone.
    """

    name: str
    section: type[BaseModel]
    reasons: Callable[[Sequence[Pair], Any], Sequence[str | None]]
