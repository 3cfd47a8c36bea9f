"""The filters' thresholds, as they stand in a configuration: `filters:` with one section a filter.

The defaults were chosen on real answers; docs/filters.md has the distributions.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from s2eval.errors import nearest
from s2eval.metrics.safety import CLASSIFIERS

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
Kind = Literal["email", "phone", "iban", "card", "ip", "handle"]

KINDS: tuple[Kind, ...] = get_args(Kind)

# Whose speakers write on English pages. With all 97 of py3langid, short English texts are taken for rare languages.
AMONG = ("en", "de", "es", "fr", "it", "nl", "pl", "pt", "ru", "sv", "tr", "ar", "hi", "ja", "ko", "zh")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Length(_Section):
    """Words, as `s2eval.metrics.count` counts them; both bounds belong to what is kept."""

    min_answer_words: Count = 10
    max_answer_words: Count = 400
    min_question_words: Count = 3
    max_question_words: Count = 120

    @model_validator(mode="after")
    def _in_order(self) -> Length:
        for text in ("answer", "question"):
            least, most = (getattr(self, f"{bound}_{text}_words") for bound in ("min", "max"))
            if least > most:
                raise ValueError(f"min_{text}_words {least} is above max_{text}_words {most}")
        return self


class Readability(_Section):
    """Of the answer, by `s2eval.metrics.readability`; null = no bound."""

    min_fre: float | None = Field(default=50.0, allow_inf_nan=False)
    max_fkg: float | None = Field(default=10.0, allow_inf_nan=False)


class Toxicity(_Section):
    """Of question and answer, by `s2eval.metrics.safety.toxicity`; what is `max_probability` is kept still."""

    classifier: str = "profanity"
    max_probability: Share = 0.8

    @field_validator("classifier")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CLASSIFIERS:
            close = nearest(name, CLASSIFIERS)
            hint = f"did you mean {close!r}?" if close else f"known: {', '.join(CLASSIFIERS)}"
            raise ValueError(f"unknown classifier {name!r}; {hint}")
        return name


class Pii(_Section):
    """Which traces of persons, in question and answer, drop a pair."""

    kinds: tuple[Kind, ...] = KINDS


class Language(_Section):
    """Of question and answer.

    Attributes:
        language: what is kept; one of `among`.
        among: the languages to choose from, ISO 639-1.
        min_characters: shorter texts are let pass; their language is guesswork.
    """

    language: Code = "en"
    among: tuple[Code, ...] = AMONG
    min_characters: Count = 60

    @model_validator(mode="after")
    def _can_be_found(self) -> Language:
        if self.language not in self.among:
            raise ValueError(f"language {self.language!r} is not in `among`, so no text could have it")
        return self


class Filters(_Section):
    """All filters' thresholds, and which of them are asked, in which order."""

    order: tuple[str, ...] = ("length", "pii", "language", "readability", "toxicity")
    length: Length = Length()
    pii: Pii = Pii()
    language: Language = Language()
    readability: Readability = Readability()
    toxicity: Toxicity = Toxicity()

    @field_validator("order")
    @classmethod
    def _names(cls, order: tuple[str, ...]) -> tuple[str, ...]:
        known = [name for name in cls.model_fields if name != "order"]
        for name in order:
            if name not in known:
                close = nearest(name, known)
                hint = f"did you mean {close!r}?" if close else f"known: {', '.join(known)}"
                raise ValueError(f"unknown filter {name!r}; {hint}")
        if twice := [name for name in known if order.count(name) > 1]:
            raise ValueError(f"filter {twice[0]!r} stands there twice")
        return order
