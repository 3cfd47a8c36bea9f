"""Questions and answers in another language, by py3langid's naive Bayes over byte sequences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Protocol

from pydantic import Field, model_validator

from s2eval.errors import PrerequisiteError, UsageError
from s2train.data.filters.chain import one_by_one
from s2train.data.filters.kind import Count, FilterKind, Section
from s2train.data.records import Pair

EXCERPT = 150  # characters from the beginning: more changed nothing, and it is the costliest offline filter
_BRACKETS = re.compile(r"\([^()]*\)")


Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
# Whose speakers write on English pages. With all 97 of py3langid, short English texts are taken for rare languages.
AMONG = ("en", "de", "es", "fr", "it", "nl", "pl", "pt", "ru", "sv", "tr", "ar", "hi", "ja", "ko", "zh")


class Language(Section):
    """Of question and answer.

    Attributes:
        language: what is kept; one of `among`.
        among: the languages to choose from, ISO 639-1.
        min_characters: shorter texts pass, as their language is a guess.
    """

    language: Code = "en"
    among: tuple[Code, ...] = AMONG
    min_characters: Count = 60

    @model_validator(mode="after")
    def _can_be_found(self) -> Language:
        if self.language not in self.among:
            raise ValueError(f"language {self.language!r} is not in `among`, so no text could have it")
        return self


def reason(pair: Pair, limits: Language) -> str | None:
    """Why the pair is left out; None = both texts are in the language, or too short to tell.

    Raises:
        PrerequisiteError: py3langid is not installed.
        UsageError: it does not know one of the languages.
    """
    for name, text in (("answer", pair.answer), ("question", pair.question)):
        start = excerpt(text)
        if len(start) >= limits.min_characters and _identifier(limits.among).classify(start)[0] != limits.language:
            return f"{name} not in {limits.language}"
    return None


def excerpt(text: str) -> str:
    """The first 150 characters outside brackets: there a lead has its subject's name in the letters of its country."""
    return _BRACKETS.sub("", text[: 3 * EXCERPT])[:EXCERPT]


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...

    def set_languages(self, langs: Sequence[str]) -> None: ...


@lru_cache(4)
def _identifier(among: tuple[str, ...]) -> _Identifier:
    """An instance of our own: the package's functions share one whose languages anybody may restrict."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise PrerequisiteError(
            f"the filter 'language' needs a package that is not installed ({error}): pip install py3langid"
        ) from error
    identifier: _Identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    try:
        identifier.set_languages(among)
    except ValueError as error:
        raise UsageError(f"filters.language.among: {error}; see the list of py3langid") from error
    return identifier


LANGUAGE = FilterKind("language", Language, one_by_one(reason))
