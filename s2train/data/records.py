"""What passes through the builder: a recipe turns records into pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from s2eval.files import Json, JsonObject
from s2train.data.rules import Rule

Record = TypeVar("Record")


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: white space and invisible characters alone."""
    return not any(letter.isprintable() and not letter.isspace() for letter in text)


_OWN_FIELDS = ("id", "question", "answer", "source")


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer: one line of `DIR/{eli5,wiki,full}/{train,validation}.jsonl`.

    Attributes:
        id: unique over all sets of a folder (`eli5-…`, `wiki-…`).
        source: in a word (`reddit/explainlikeimfive`, `simplewiki`).
        extra: JSON values that the builder adds (score, category, title), written as fields of their own.
    """

    id: str
    question: str
    answer: str
    source: str
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def __post_init__(self) -> None:
        if taken := [name for name in _OWN_FIELDS if name in self.extra]:
            raise ValueError(f"extra fields of a pair may not be named {', '.join(taken)}")

    def extra_text(self, name: str) -> str:
        return str(self.extra[name])

    def row(self) -> JsonObject:
        """The line's fields in their order."""
        return {name: getattr(self, name) for name in _OWN_FIELDS} | dict(self.extra)


class PairLine(BaseModel):
    """A line of a set that was built before, as it is read again."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    source: str

    def pair(self) -> Pair:
        return Pair(self.id, self.question, self.answer, self.source, extra=self.model_extra or {})


class QuestionLine(BaseModel):
    """A line of a set (`question`) or of a preference file (`prompt`, which may be a dialogue in hh-rlhf's form)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str | None = None
    prompt: str | None = None

    @model_validator(mode="after")
    def _either(self) -> QuestionLine:
        if (self.question is None) == (self.prompt is None):
            raise ValueError("expected either a field 'question' or a field 'prompt'")
        if is_blank(self.text):
            raise ValueError("nothing is asked")
        return self

    @property
    def text(self) -> str:
        """The question, or the dialogue."""
        return self.question if self.question is not None else self.prompt or ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that became a pair, with the names of the rules that changed its question and its answer."""

    pair: Pair
    question_rules: tuple[str, ...] = ()
    answer_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that was left out, and why: one of its recipe's `drops`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recipe(Generic[Record]):
    """How one kind of records becomes a set of pairs.

    Attributes:
        name: of the set and of its folder.
        pair: a pure function of one record.
        rules: the cleaning rules that `pair` applies, in their order.
        drops: the reasons for which `pair` leaves a record out, in the order in which it checks them.
        steps: what else `pair` may report as having changed a text, after the rules.
    """

    name: str
    pair: Callable[[Record], Kept | Dropped]
    rules: tuple[Rule, ...]
    drops: tuple[str, ...]
    steps: tuple[str, ...] = ()

    @property
    def all_steps(self) -> tuple[str, ...]:
        return (*(rule.name for rule in self.rules), *self.steps)
