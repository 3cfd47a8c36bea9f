"""Thresholds of all aspects: what counts as a preference."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VoteSettings(_Section):
    """Which votes make one answer the better one.

    Attributes:
        min_ratio: of the votes, those below 1 taken as 1.
        time: `later` = the better-voted answer must not be the earlier one, as in SHP (Ethayarajh et al. 2022, arXiv
            2110.08420): earlier answers gather more votes, so votes against that order are the sign of a better answer.
        max_head_start: seconds that the better-voted one may nevertheless be the earlier; needs `created_utc`.
        unknown_time: whether to use answers whose order is not known.
        pairs_per_question: at most, those of the widest margin; else a few long discussions make up the set.
        answers_per_question: the best-voted so many are compared.
    """

    min_ratio: float = Field(default=2.0, ge=1)
    min_difference: int = Field(default=5, ge=1)
    min_words: int = Field(default=10, ge=1)
    time: Literal["later", "any"] = "later"
    max_head_start: float = Field(default=0.0, ge=0)
    unknown_time: Literal["keep", "drop"] = "keep"
    pairs_per_question: int = Field(default=5, ge=1)
    answers_per_question: int = Field(default=100, ge=2)


class EqualVoteSettings(_Section):
    """Which of two answers that readers found equally good is the simpler one.

    Attributes:
        min_votes: of both; a comment starts with 1.
        max_ratio: of the votes that count as equal; 1 = exactly the same.
        min_grades: difference of Flesch-Kincaid grades (school years).
        min_words: of both answers; a grade of a few words means nothing.
        max_length_ratio: of the words, so that a model does not learn `shorter` in place of `simpler`.
    """

    min_votes: int = 2
    max_ratio: float = Field(default=1.0, ge=1)
    min_grades: float = Field(default=2.0, gt=0)
    min_words: int = Field(default=20, ge=1)
    max_length_ratio: float = Field(default=2.0, ge=1)
    pairs_per_question: int = Field(default=5, ge=1)
    answers_per_question: int = Field(default=100, ge=2)


class LeadSettings(_Section):
    """When a Simple lead is taken to be simpler than the regular one.

    Attributes:
        min_grades: difference of Flesch-Kincaid grades (school years); 0 = the formula must agree with the editors,
            more leaves out near copies; if negative, margins may be.
        min_words: of both, as they stand in the pair.
        equal_sentences: cut both to the same number of sentences: regular leads are some four times as long, which a
            model would learn in place of simplicity.
    """

    min_grades: float = 0.0
    min_words: int = Field(default=8, ge=1)
    equal_sentences: bool = True


class PreferenceSettings(_Section):
    """The thresholds of all aspects."""

    votes: VoteSettings = VoteSettings()
    equal_votes: EqualVoteSettings = EqualVoteSettings()
    leads: LeadSettings = LeadSettings()
