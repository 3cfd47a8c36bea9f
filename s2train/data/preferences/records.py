"""Which of two answers is better, at what, and by how much: a line of a preference file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from s2eval.files import JsonObject

Aspect = Literal["helpfulness", "simplicity", "harmlessness"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)

SAME = "same text"
SHORT = "an answer too short"
NOT_LATIN = "a text that is mostly not in Latin letters, without a grade"
BEYOND = "beyond the pairs of one question"


@dataclass(frozen=True, slots=True)
class Preference:
    """One line of `preferences/<aspect>.jsonl`.

    Attributes:
        prompt: the question; a dialogue of several turns in hh-rlhf's form, which `turns_of` reads.
        chosen, rejected: answers, cleaned, neither empty.
        margin: by how much, from 0: see the aspect's function. 0 = not known by how much, so that a loss
            -log σ(r_chosen - r_rejected - margin) is the plain one.
        source: where the pair comes from (`reddit/explainlikeimfive`, `swipe`, `hh-rlhf`).
    """

    prompt: str
    chosen: str
    rejected: str
    aspect: Aspect
    margin: float
    source: str

    def row(self) -> JsonObject:
        """The line's fields in their order; the margin to 4 decimals."""
        return asdict(self) | {"margin": round(self.margin, 4)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one record gave: its pairs, and how many candidates were refused for which reason."""

    pairs: tuple[Preference, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict[str, int])


class PreferenceLine(BaseModel):
    """A line that was written before, as it is read again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(min_length=1)
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)
    aspect: Aspect
    margin: float = Field(allow_inf_nan=False)
    source: str
