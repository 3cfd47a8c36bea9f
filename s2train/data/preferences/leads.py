"""The lead of a subject on Simple Wikipedia against that on the regular one."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from s2eval.metrics import flesch_applies, readability
from s2train.data.build.split import normalised
from s2train.data.preferences.records import NOT_LATIN, SAME, SHORT, Outcome, Preference
from s2train.data.preferences.settings import LeadSettings
from s2train.data.records import Kept
from s2train.data.rules import clean, sentences
from s2train.data.wiki import pairs as wiki

NO_REGULAR = "regular lead empty after cleaning"
NOT_SIMPLER = "the Simple lead is not the simpler one"


class LeadRecord(BaseModel):
    """A subject with both leads, as in SWiPE's pairs (Laban et al. 2023); other fields are ignored."""

    title: str
    simple_text: str
    regular_text: str


def leads(record: LeadRecord, settings: LeadSettings, questions: Mapping[str, str] | None = None) -> Outcome:
    """Simplicity: the Simple lead of a subject against the regular one, both on one line.

    Margin: the difference of their Flesch-Kincaid grades as they stand in the pair, in school years. `questions` has
    written questions by title; without one the prompt is `What is {title}?`.
    """
    outcome = wiki.pair(wiki.WikiRecord.model_validate({"title": record.title, "text": record.simple_text}))
    if not isinstance(outcome, Kept):
        return Outcome(refused={outcome.reason: 1})
    simple = sentences(outcome.pair.answer)
    regular = sentences(wiki.lead_of(clean(record.regular_text, wiki.CLEANING).text))
    number = min(len(simple), len(regular)) if settings.equal_sentences else None
    chosen, rejected = " ".join(simple[:number]), " ".join(regular[:number])
    reason = None
    margin = readability(rejected).fkg - readability(chosen).fkg
    if not rejected:
        reason = NO_REGULAR
    elif normalised(chosen) == normalised(rejected):
        reason = SAME
    elif min(len(chosen.split()), len(rejected.split())) < settings.min_words:
        reason = SHORT
    elif not (flesch_applies(chosen) and flesch_applies(rejected)):
        reason = NOT_LATIN
    elif margin < settings.min_grades:
        reason = NOT_SIMPLER
    if reason is not None:
        return Outcome(refused={reason: 1})
    question = (questions or {}).get(outcome.pair.extra_text("title"), outcome.pair.question)
    return Outcome((Preference(question, chosen, rejected, "simplicity", margin, "swipe"),))
