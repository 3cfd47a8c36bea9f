"""Simple English Wikipedia: an article's lead becomes the answer to a question about its title.

`What is {title}?` stands in for the question that a model will write about the lead; it is a fixed form, not
grammar: `What is The Smiths?`.
"""

from __future__ import annotations

import hashlib
import re

from pydantic import AliasChoices, BaseModel, Field

from s2train.data.records import Dropped, Kept, Pair, Recipe
from s2train.data.rules import CHARACTERS, ENTITIES, SPACING, Rule, clean
from s2train.data.wiki.text import DISAMBIGUATION, DISAMBIGUATION_TITLE, LIST, LIST_TITLE, NO_LEAD, Article

NO_TITLE = "no title"
MAX_LEAD_WORDS = 1000  # what is longer is no lead but a page without paragraphs, or vandalism
LONG_LEAD = f"lead of more than {MAX_LEAD_WORDS:,} words"

_SCRIPT_ERROR = re.compile(r"^[^\S\n]*(?:Lua|Script) error:? [^\n]*$", re.MULTILINE)
# `Mercury may refer to:`, the lead of a disambiguation page where no template tells.
_REFERS = re.compile(r"\b(?:refers?|stands?|means?|be)\b[^.\n]{0,80}:$", re.MULTILINE)


class WikiRecord(BaseModel):
    """An article, `{title, text}`, or `{title, simple_text}` as in SWiPE's pairs; the rest is ignored."""

    title: str
    text: str = Field(validation_alias=AliasChoices("text", "simple_text"))


CLEANING: tuple[Rule, ...] = (
    ENTITIES,
    CHARACTERS,
    Rule("script errors", lambda text: _SCRIPT_ERROR.sub("", text)),  # lines that a failed template left
    SPACING,
)


def lead_of(text: str) -> str:
    """What stands before the first empty line (of an extracted article: its first paragraph)."""
    return text.split("\n\n", maxsplit=1)[0]


def pair(record: WikiRecord | Article) -> Kept | Dropped:
    """The question about the title with the lead as answer, or why the record was left out.

    The title makes the id, so that an article that comes in two files, or in two schemas, is seen to be one.
    """
    # An article of a dump is rendered already: what looks like an entity there is meant to.
    rules = CLEANING[1:] if isinstance(record, Article) else CLEANING
    title, text = clean(record.title, rules), clean(record.text, rules)
    if not title.text:
        return Dropped(NO_TITLE)
    if LIST_TITLE.match(title.text):
        return Dropped(LIST)
    answer = lead_of(text.text)
    if DISAMBIGUATION_TITLE.match(title.text) or _REFERS.search(answer):
        return Dropped(DISAMBIGUATION)
    if not answer:
        return Dropped(NO_LEAD)
    if len(answer.split()) > MAX_LEAD_WORDS:
        return Dropped(LONG_LEAD)
    return Kept(
        Pair(
            id=f"wiki-{hashlib.sha256(title.text.encode()).hexdigest()[:16]}",
            question=f"What is {title.text}?",
            answer=answer,
            source="simplewiki",
            extra={"title": title.text},
        ),
        question_rules=title.changed,
        answer_rules=text.changed,
    )


RECIPE = Recipe("wiki", pair, CLEANING, drops=(NO_TITLE, LIST, DISAMBIGUATION, NO_LEAD, LONG_LEAD))
