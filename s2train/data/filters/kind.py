"""What a filter is: its name, its section of a configuration, and which pairs it drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from s2train.data.records import Pair

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Thresholds = TypeVar("Thresholds", bound=BaseModel)


class Section(BaseModel):
    """A filter's thresholds; all have defaults. docs/filters.md has the distributions."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class FilterKind(Generic[Thresholds]):
    """A filter.

    Attributes:
        name: as a configuration's `filters.order` has it, and the key of its section.
        section: its thresholds.
        reasons: (pairs, section) → of each pair why it is dropped; None = it is kept. A function of a module, so that
            it can be pickled. The answer for a pair depends on the pair alone.
    """

    name: str
    section: type[Thresholds]
    reasons: Callable[[Sequence[Pair], Thresholds], Sequence[str | None]]

    def run(self, section: Thresholds, pairs: Sequence[Pair]) -> Sequence[str | None]:
        return self.reasons(pairs, section)
