"""ELI5: a record of the ELI5 schema becomes a question with its best-voted answer.

Schema: that of the Hugging Face data sets `eli5` (Fan et al. 2019, arXiv 1907.09190) and `eli5_category`:
`q_id, title, selftext, subreddit, category, answers{a_id[], text[], score[]}`. Both put a mark in place of each URL
(`_URL_0_`, `URL_0`); `eli5_category` has also lost its line breaks.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, model_validator

from s2train.data.build.split import normalised
from s2train.data.records import Dropped, Kept, Pair, Recipe
from s2train.data.rules import CHARACTERS, ENTITIES, SPACING, Rule, clean

NO_ANSWER = "no answer"
NO_QUESTION = "question empty after cleaning"
EMPTY_ANSWERS = "every answer empty after cleaning"
NEXT_BEST = "next best answer taken"


class Answers(BaseModel):
    """Parallel lists, one entry an answer."""

    text: list[str]
    score: list[int]

    @model_validator(mode="after")
    def _parallel(self) -> Answers:
        if len(self.text) != len(self.score):
            raise ValueError(f"{len(self.text)} texts, but {len(self.score)} scores")
        return self


class Eli5Record(BaseModel):
    """A post with its answers, as a line of the input; other fields are ignored."""

    q_id: str = Field(min_length=1)
    title: str
    selftext: str = ""
    subreddit: str = "explainlikeimfive"
    category: str | None = None
    created_utc: float | None = Field(default=None, allow_inf_nan=False)
    answers: Answers


# --- cleaning ---

# Every pattern is linear: atomic where two parts could match the same text, runs entered at their beginning only.
_URL = (
    r"(?>"
    r"(?:https?://|www\.(?=\w))(?:\([^\s()]*\)|[^\s<>()\[\]])+(?<![.,;:!?'\"*])"  # a real address
    r"|_?(?<![A-Za-z0-9])URL_\d+(?![A-Za-z0-9])_?"  # the data sets' mark of a removed one
    r")"
)
_LINK = re.compile(
    r"\[(?P<label>(?:[^\[\]]|\[[^\[\]]*\])*)\]\s?"
    rf"\(\s*(?:{_URL}|/[\w/])(?:[^()]|\([^()]*\))*\)"
)
_URLS = rf"{_URL}(?:[\s,;]*{_URL})*"
_BRACKETED_URLS = re.compile(rf"\(\s*{_URLS}\s*\)|\[\s*{_URLS}\s*\]|<\s*{_URLS}\s*>")
_BARE_URL = re.compile(rf"(?<![^\S\n])[^\S\n]*{_URL}(?:[^\S\n]*(?P<stop>[.,;:!?)])(?!\w))?")

_REMOVED = re.compile(r"\[\s*(?:deleted|removed)(?: by \w+)?\s*\]", re.IGNORECASE)

_EDIT_IN_BRACKETS = re.compile(
    r"(?<!\s)\s*(?:\(\s*edit(?:s|ed)?\b[^()]*\)|\[\s*edit(?:s|ed)?\b[^\[\]]+\])", re.IGNORECASE
)
_EDIT_MARKER = re.compile(
    r"""(?<![\w/*\[-]) [*_\[/]*+ (?:
        (?i:edits?) \s* (?:\#?\d+|p\.?s\.?)? [*_]* (?: \s?[:;\]] | (?:\s[-–—]|-)(?=\s) ) [*_]*  # Edit 2: …
      | (?<=[*_]) (?i:edit) [*_]+  # *edit* …
      | E(?:dit|DIT)\d* (?: [*_]+ | ,(?=\s) | \.\. )  # Edit*** …
      | Edit(?:s|ed)? \s (?=(?:to|for|because|as)\s)  # Edited to add …
      | EDIT \s
    )""",
    re.VERBOSE,
)


def links(text: str) -> str:
    """A Markdown link becomes its label: `[this](https://…)`, `[this]( URL_0 )` → `this`."""
    return _LINK.sub(lambda match: match["label"], text)


def urls(text: str) -> str:
    """Addresses and their marks go, with brackets that hold nothing else."""
    text = _BRACKETED_URLS.sub(" ", text)
    return _BARE_URL.sub(lambda match: match["stop"] or " ", text)


def edit_notes(text: str) -> str:
    """Notes on later changes (`Edit: thanks for the gold!`) go.

    A note in brackets goes alone. Any other goes with the rest of its line if it opens in the line's second
    half; an earlier one carries most of the text, and only its marker goes.
    """
    return "\n".join(_without_edit_notes(line) for line in text.split("\n"))


def _without_edit_notes(line: str) -> str:
    line = _EDIT_IN_BRACKETS.sub("", line)
    for marker in _EDIT_MARKER.finditer(line):
        if marker.start() >= len(line) / 2:
            line = line[: marker.start()].rstrip()
            break
    return _EDIT_MARKER.sub("", line)


CLEANING: tuple[Rule, ...] = (
    ENTITIES,
    CHARACTERS,
    Rule("links", links),
    Rule("urls", urls),
    Rule("removed", lambda text: _REMOVED.sub(" ", text)),  # Reddit's marks: `[deleted]`, `[removed]`
    Rule("edit notes", edit_notes),
    SPACING,
)

# --- record to pair ---


def question_of(title: str, body: str) -> str:
    """Title and body as one text, an empty line between; a body that repeats the title stands alone."""
    if not body or normalised(body) == normalised(title):
        return title
    if f"{normalised(body)} ".startswith(f"{normalised(title)} "):
        return body
    return f"{title}\n\n{body}" if title else body


def pair(record: Eli5Record) -> Kept | Dropped:
    """The question (title and body) with its best-voted answer, or why the record was left out."""
    if not record.answers.text:
        return Dropped(NO_ANSWER)
    title, body = clean(record.title, CLEANING), clean(record.selftext, CLEANING)
    question = question_of(title.text, body.text)
    if not question:
        return Dropped(NO_QUESTION)
    by_votes = sorted(zip(record.answers.score, record.answers.text, strict=True), key=lambda answer: -answer[0])
    for rank, (score, text) in enumerate(by_votes):  # ties: the first
        answer = clean(text, CLEANING)
        if not answer.text:
            continue
        posted = {} if record.created_utc is None else {"created_utc": int(record.created_utc)}
        return Kept(
            Pair(
                id=f"eli5-{record.q_id}",
                question=question,
                answer=answer.text,
                source=f"reddit/{record.subreddit}",
                extra={"score": score, "category": record.category} | posted,
            ),
            question_rules=tuple(dict.fromkeys(title.changed + body.changed)),
            answer_rules=answer.changed + ((NEXT_BEST,) if rank else ()),
        )
    return Dropped(EMPTY_ANSWERS)


RECIPE = Recipe("eli5", pair, CLEANING, drops=(NO_ANSWER, NO_QUESTION, EMPTY_ANSWERS), steps=(NEXT_BEST,))
