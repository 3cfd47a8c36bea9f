"""From a page's wikitext to its lead as plain text, or the named reason for which it gives none. Pure functions.

    outline (linear scans over the whole page) → article (mwparserfromhell over the lead alone) → lead

Templates without text are cut out by their braces before the parser sees them: an infobox costs it ten times the
time of the lead. Rendering follows the English-language wikis (`File:`, `Category:`, `{{stub}}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from s2train.data.rules import characters, entities, spacing
from s2train.data.wiki.gaps import MARKS, Gaps
from s2train.data.wiki.nodes import LIST_ITEM, Renderer
from s2train.data.wiki.templates import is_rendered, name_of, names_in, never_text

MAX_LEAD = 50_000  # characters of markup, infoboxes and other templates taken off
MAX_TANGLES = 40  # brackets and tags in one another, crossed or never closed: each costs the parser another pass
MAX_DEPTH = 40  # of templates in templates

REDIRECT = "redirect"
LIST = "list page"
DISAMBIGUATION = "disambiguation page"
STUB = "stub template"
BROKEN = "broken markup in the lead"
LONG_MARKUP = f"lead of more than {MAX_LEAD:,} characters of markup"
NO_LEAD = "lead empty after cleaning"
SHORT_LEAD = "lead too short"
LOST_OPENING = "first sentence with a template of unknown text"
REASONS = (REDIRECT, LIST, DISAMBIGUATION, STUB, LONG_MARKUP, BROKEN, LOST_OPENING, NO_LEAD, SHORT_LEAD)


class Limits(BaseModel):
    """What counts as an article: the fewest words of a lead, and whether pages with a stub template do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_words: int = Field(default=20, ge=0)
    stubs: bool = False  # about half of Simple Wikipedia


@dataclass(frozen=True, slots=True)
class Outline:
    """A page that may be an article: its title and the markup before its first heading, without comments."""

    title: str
    markup: str


@dataclass(frozen=True, slots=True)
class Article:
    """Title and lead: paragraphs with an empty line between, each one line.

    `lost` are the names of the templates of unknown text whose sentences are not in `text`.
    """

    title: str
    text: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A page that gives no article, and why: one of `REASONS`, or of the dump's reader; `lost` as of `Article`."""

    title: str
    reason: str
    lost: tuple[str, ...] = ()


# --- the whole page: linear scans ---

_COMMENT = re.compile(r"(?P<literal><nowiki>.*?(?:</nowiki>|\Z))|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
_HEADING = re.compile(r"^=(?=[^\n]*?[^\n=\s])[^\n]*=[ \t]*$", re.MULTILINE)
_REDIRECT = re.compile(r"\s*+#\s*+redirect\b", re.IGNORECASE)
_TEMPLATE_NAME = re.compile(r"\{\{\s*+([^{}|<\n]+)")
LIST_TITLE = re.compile(r"(?:Lists?|Index|Outline|Timeline|Glossary) of |.*\((?:lists?)\)$", re.IGNORECASE)
DISAMBIGUATION_TITLE = re.compile(r".*\(disambiguation\)$", re.IGNORECASE)
_DISAMBIGUATIONS = names_in(
    "disambig, disambiguation, disamb, disambiguation page, dab, disambig-cleanup, disambiguation cleanup, "
    "geodis, geodab, hndis, hndab, human name disambiguation, numberdis, schooldis, school disambiguation, "
    "place name disambiguation, letter disambiguation, letter-number combination disambiguation, "
    "set index article, set index, sia, shipindex, mountainindex, roadindex"
)


def outline(title: str, text: str, limits: Limits) -> Outline | LeftOut:
    """Cut the lead's markup out of a page; time linear in its length."""
    if _REDIRECT.match(text):
        return LeftOut(title, REDIRECT)
    if LIST_TITLE.match(title):
        return LeftOut(title, LIST)
    if "<!--" in text:  # one that is never closed takes the rest, as in MediaWiki
        text = _COMMENT.sub(lambda match: match["literal"] or "", text)
    names = {name_of(name) for name in _TEMPLATE_NAME.findall(text)}
    if DISAMBIGUATION_TITLE.match(title) or not names.isdisjoint(_DISAMBIGUATIONS) or "__DISAMBIG__" in text:
        return LeftOut(title, DISAMBIGUATION)
    if not limits.stubs and any(name.endswith("stub") for name in names):
        return LeftOut(title, STUB)
    markup = without_templates(before_heading(text))
    if markup is None:
        return LeftOut(title, BROKEN)
    return LeftOut(title, LONG_MARKUP) if len(markup) > MAX_LEAD else Outline(title, markup)


def before_heading(text: str) -> str:
    """What stands before the first heading that lies in no template; if all do (an unclosed one), before the first."""
    depth = at = 0
    headings = [match.start() for match in _HEADING.finditer(text)]
    for start in headings:
        depth += text.count("{{", at, start) - text.count("}}", at, start)
        at = start
        if depth <= 0:
            return text[:start]
    return text[: headings[0]] if headings else text


_BRACES = re.compile(r"(?P<open>\{\{)|(?P<close>\}\})|<nowiki>.*?(?:</nowiki>|\Z)", re.DOTALL | re.IGNORECASE)
_INDENT = 20  # blanks before a template that begins a line
_TO_LINE_END = re.compile(r"[ \t]*+(?:\n|\Z)")


def without_templates(markup: str) -> str | None:
    """Take out outermost templates that stand for no text; None where one is not closed, or nested too deeply.

    The name of an unknown template stays, so that its sentence can be left out, unless it has lines of its own.
    """
    if "{{{" in markup:  # an argument: only the parser knows whose its braces are
        return markup
    parts: list[str] = []
    starts: list[int] = []
    at = 0
    for match in _BRACES.finditer(markup):
        if match["open"]:
            starts.append(match.start())
            if len(starts) > MAX_DEPTH:
                return None
        elif match["close"] and starts:
            start = starts.pop()
            named = None if starts else _TEMPLATE_NAME.match(markup, start)
            if not named or is_rendered(name := name_of(named[1])):
                continue
            parts.append(markup[at:start])
            at = match.end()
            name = name.partition(":")[0] + ":" if name.startswith("#") else name
            if not (never_text(name) or _is_block(markup, start, at)):
                parts.append(f"{{{{{name}}}}}")
    return None if starts else "".join((*parts, markup[at:]))


def _is_block(markup: str, start: int, end: int) -> bool:
    """Whether a template stands on lines of its own, or begins a line and takes several, as infoboxes do."""
    before = markup.rfind("\n", 0, start) + 1
    if start - before > _INDENT or markup[before:start].strip():
        return False
    return _TO_LINE_END.match(markup, end) is not None or "\n" in markup[start:end]


# --- the lead ---

_BRACKET = re.compile(
    r"(?P<open>\[\[|\{\{|\{\||\[(?=\w+:|//)|<!--)|(?P<close>\]\]|\]|\}\}|\|\}(?!\})|-->)"
    r"|<(?P<end>/?)(?P<tag>[a-z]\w*)(?=(?P<rest>[^<>]*+>?))",
    re.IGNORECASE,
)
_OPENING = {"]]": "[[", "}}": "{{", "|}": "{|", "]": "[", "-->": "<!--"}
_SINGLE = frozenset(("br", "hr", "li", "wbr"))  # tags that need no end


def is_tangled(markup: str) -> bool:
    """Whether more than MAX_TANGLES brackets and tags lie in one another, cross or are not closed.

    A bound on the parser's time, which grows with their number times the lead's length; not a parser.
    """
    opened: list[str] = []
    crossed = 0
    for match in _BRACKET.finditer(markup):
        kind = (match["open"] or _OPENING.get(match["close"]) or match["tag"]).lower()
        if match["tag"] and not match["rest"].endswith(">"):
            crossed += 1
        elif match["close"] or match["end"]:
            while kind in opened and opened.pop() != kind:
                crossed += 1
        elif kind not in _SINGLE and not (match["tag"] and match["rest"].endswith("/>")):
            opened.append(kind)
        if len(opened) + crossed > MAX_TANGLES:
            return True
    return False


_MARKERS = re.compile(r"^([*#:;])[*#:; ]+", re.MULTILINE)
_SWITCHES = re.compile(r"__[A-Z]+__")
_STRAY_TAG = re.compile(
    r"</?(?:div|span|small|big|center|font|p|b|i|u|br|noinclude|onlyinclude)\b[^<>]*>", re.IGNORECASE
)
_ONLY_MARKS = re.compile(r"[\W_]*")
_RESIDUE = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}|</?[a-z]+[^<>]*>|</?ref\b", re.IGNORECASE)
_ANNOUNCEMENT = re.compile(r"(?:(?<=[.!?])|^)[^.!?]*:$")
_EMPTY_BRACKETS = re.compile(r"[ \t\xa0]*+[(\[][\s,;:·/–-]*+[)\]]")
_AFTER_OPENING = re.compile(r"\((?:\s*+[,;:])++\s*+")
_BEFORE_CLOSING = re.compile(r"(?<![\s,;:])\s*+[,;:][\s,;:]*+\)")
_BEFORE_COMMA = re.compile(r"(?<=\S)[^\S\n]++(?=[,;.](?:\s|$))")


def article(page: Outline, limits: Limits) -> Article | LeftOut:
    """Parse a lead and render it as plain text.

    Prose, labels of links, templates that stand for text and simple formulas stay. Other templates go, with the
    sentences that they leave a gap in (`gaps`), and so do tables, files, categories, references, and lists with the
    sentence that announces them (`…:`).
    """
    import mwparserfromhell

    if is_tangled(page.markup):
        return LeftOut(page.title, BROKEN)
    source = _MARKERS.sub(r"\1 ", MARKS.sub("", characters(page.markup).replace(LIST_ITEM, "")))
    try:
        code = mwparserfromhell.parse(source, skip_style_tags=True)
    except mwparserfromhell.parser.ParserError:  # a bug of its own, by its documentation
        return LeftOut(page.title, BROKEN)
    renderer = Renderer(page.title)
    text = _STRAY_TAG.sub("", _SWITCHES.sub("", renderer.text(code)))
    paragraphs: list[str] = []
    lost: list[str] = []
    opening_lost = False
    for paragraph in _paragraphs(text, renderer.gaps):
        if _ONLY_MARKS.fullmatch(paragraph) and not MARKS.search(paragraph):
            continue
        if _RESIDUE.search(paragraph):
            return LeftOut(page.title, BROKEN)
        filled = renderer.gaps.fill(paragraph)
        opening_lost = opening_lost or (filled.opening_lost and not paragraphs)
        lost += filled.lost
        clean = _without_leftovers(spacing(entities(filled.text)))
        if clean and not (filled.text != paragraph and _ONLY_MARKS.fullmatch(clean)):
            paragraphs.append(clean)
    lead = "\n\n".join(paragraphs)
    if opening_lost:
        return LeftOut(page.title, LOST_OPENING, tuple(lost))
    if not lead:
        return LeftOut(page.title, NO_LEAD, tuple(lost))
    if len(lead.split()) < limits.min_words:
        return LeftOut(page.title, SHORT_LEAD, tuple(lost))
    return Article(page.title, lead, tuple(lost))


def _paragraphs(text: str, gaps: Gaps) -> Iterable[str]:
    """Split at empty lines; lines of one paragraph are joined, list items left out."""
    lines: list[str] = []
    for raw in (*text.split("\n"), ""):
        line = raw.strip()
        is_item = line.startswith(LIST_ITEM)
        if line and not is_item:
            if line := gaps.clean_line(line):
                lines.append(without_quotes(line))
            continue
        if lines:
            paragraph = " ".join(lines)
            yield _ANNOUNCEMENT.sub("", paragraph) if is_item else paragraph
        lines = []


def _without_leftovers(text: str) -> str:
    """Fix what templates leave behind: `Oslo (; ) is` → `Oslo is`, `(, born 1950)` → `(born 1950)`."""
    text = _AFTER_OPENING.sub("(", _BEFORE_CLOSING.sub(")", text))
    return spacing(_BEFORE_COMMA.sub("", _EMPTY_BRACKETS.sub("", text))).replace("\n", " ")


_QUOTES = re.compile(r"'{2,}")


def without_quotes(line: str) -> str:
    """Take off the apostrophes of bold and italics as MediaWiki's `doQuotes` reads them; of a run of four, one stays.

    >>> without_quotes("'''L'amour''' and L'''amour''")
    "L'amour and L'amour"
    """
    if "''" not in line:
        return line
    runs = [3 if len(run) == 4 else min(len(run), 5) for run in _QUOTES.findall(line)]
    odd_bold = sum(run in (3, 5) for run in runs) % 2
    odd_italics = sum(run in (2, 5) for run in runs) % 2
    apostrophe = -1  # where the run begins that is an apostrophe and italics
    if odd_bold and odd_italics:  # the first after a word of one letter, else after a longer one, else any
        ranks: list[tuple[int, int]] = []
        for match in _QUOTES.finditer(line):
            if len(match[0]) in (3, 4):
                before = line[max(match.end() - 5, 0) : match.end() - 3].rjust(2)
                rank = 2 if before[1] == " " else 0 if before[0] == " " else 1
                ranks.append((rank, match.start()))
        apostrophe = min(ranks, default=(0, -1))[1]

    def remaining(match: re.Match[str]) -> str:
        extra = 1 if len(match[0]) == 4 else max(len(match[0]) - 5, 0)
        return "'" * (extra + (match.start() == apostrophe))

    return _QUOTES.sub(remaining, line)
