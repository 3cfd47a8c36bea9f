"""From a page's wikitext to its lead as plain text, or the named reason for which it gives none. Pure functions.

    outline (linear scans over the whole page) → article (mwparserfromhell over the lead alone) → lead

Templates without text are cut out by their braces before the parser sees them: an infobox costs it ten times the
time of the lead. Rendering follows the English-language wikis (`File:`, `Category:`, `{{stub}}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from s2train.data.rules import characters, entities, spacing
from s2train.data.wikitemplates import is_rendered, name_of, names_in, rendered

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
REASONS = (REDIRECT, LIST, DISAMBIGUATION, STUB, LONG_MARKUP, BROKEN, NO_LEAD, SHORT_LEAD)


@dataclass(frozen=True, slots=True)
class Limits:
    """What still counts as an article.

    Attributes:
        min_words: of the whole lead; fewer is `lead too short`.
        stubs: keep pages with a stub template (about half of Simple Wikipedia) if their lead is long enough.
    """

    min_words: int = 20
    stubs: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """A page that may be an article: its title and the markup before its first heading, without comments."""

    title: str
    markup: str


@dataclass(frozen=True, slots=True)
class Article:
    """Title and lead: paragraphs with an empty line between, each one line."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A page that gives no article, and why: one of `REASONS`, or of the dump's reader."""

    title: str
    reason: str


# --- the whole page: linear scans ---

_COMMENT = re.compile(r"(?P<literal><nowiki>.*?(?:</nowiki>|\Z))|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
_HEADING = re.compile(r"^=(?=[^\n]*?[^\n=\s])[^\n]*=[ \t]*$", re.MULTILINE)
_REDIRECT = re.compile(r"\s*+#\s*+redirect\b", re.IGNORECASE)
_TEMPLATE_NAME = re.compile(r"\{\{\s*+([^{}|<\n]+)")
_LIST_TITLE = re.compile(r"(?:Lists?|Index|Outline|Timeline|Glossary) of |.*\((?:lists?)\)$", re.IGNORECASE)
_DISAMBIGUATION_TITLE = re.compile(r".*\(disambiguation\)$", re.IGNORECASE)
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
    if is_list(title):
        return LeftOut(title, LIST)
    text = without_comments(text)
    names = {name_of(name) for name in _TEMPLATE_NAME.findall(text)}
    if is_disambiguation(title) or not names.isdisjoint(_DISAMBIGUATIONS) or "__DISAMBIG__" in text:
        return LeftOut(title, DISAMBIGUATION)
    if not limits.stubs and any(name.endswith("stub") for name in names):
        return LeftOut(title, STUB)
    markup = without_templates(before_heading(text))
    if markup is None:
        return LeftOut(title, BROKEN)
    return LeftOut(title, LONG_MARKUP) if len(markup) > MAX_LEAD else Outline(title, markup)


def is_list(title: str) -> bool:
    """Whether a title is that of a list: `List of …`, `Timeline of …`, `… (list)`."""
    return bool(_LIST_TITLE.match(title))


def is_disambiguation(title: str) -> bool:
    """Whether a title says so: `… (disambiguation)`."""
    return bool(_DISAMBIGUATION_TITLE.match(title))


def without_comments(text: str) -> str:
    """`<!-- … -->` goes; one that is never closed takes the rest, as in MediaWiki. `<nowiki>` protects."""
    return _COMMENT.sub(lambda match: match["literal"] or "", text) if "<!--" in text else text


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


def without_templates(markup: str) -> str | None:
    """Take out outermost templates that render nothing; None where one is not closed, or nested too deeply."""
    if "{{{" in markup:  # an argument: its braces can be told apart by the parser only
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
            if not starts and not _is_rendered(markup, start):
                parts.append(markup[at:start])
                at = match.end()
    return None if starts else "".join((*parts, markup[at:]))


def _is_rendered(markup: str, start: int) -> bool:
    name = _TEMPLATE_NAME.match(markup, start)
    return name is None or is_rendered(name_of(name[1]))


# --- the lead ---


def article(page: Outline, limits: Limits) -> Article | LeftOut:
    """Parse a lead and render its text."""
    text = None if is_tangled(page.markup) else lead(page.title, page.markup)
    if text is None:
        return LeftOut(page.title, BROKEN)
    if not text:
        return LeftOut(page.title, NO_LEAD)
    return LeftOut(page.title, SHORT_LEAD) if len(text.split()) < limits.min_words else Article(page.title, text)


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


_LIST_ITEM = "\ue000"  # marks a list item's beginning; taken out of the source first
_MARKERS = re.compile(r"^([*#:;])[*#:; ]+", re.MULTILINE)
_SWITCHES = re.compile(r"__[A-Z]+__")
_STRAY_TAG = re.compile(
    r"</?(?:div|span|small|big|center|font|p|b|i|u|br|noinclude|onlyinclude)\b[^<>]*>", re.IGNORECASE
)
_ONLY_MARKS = re.compile(r"[\W_]*")
_RESIDUE = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\|\}|</?[a-z]+[^<>]*>|</?ref\b", re.IGNORECASE)
_ANNOUNCEMENT = re.compile(r"(?:(?<=[.!?])|^)[^.!?]*:$")


def lead(title: str, markup: str) -> str | None:
    """Render a lead as plain text, paragraphs with an empty line between; None where markup is left over.

    Kept: prose, labels of links, templates that stand for text. Not: other templates, tables, files, categories,
    references, formulas, and lists with the sentence that announces them (`…:`).
    """
    import mwparserfromhell

    source = _MARKERS.sub(r"\1 ", characters(markup).replace(_LIST_ITEM, ""))
    try:
        code = mwparserfromhell.parse(source, skip_style_tags=True)
    except mwparserfromhell.parser.ParserError:  # a bug of its own, as it says then
        return None
    text = _STRAY_TAG.sub("", _SWITCHES.sub("", _text(code, title)))
    kept: list[str] = []
    for paragraph in _paragraphs(text):
        if _ONLY_MARKS.fullmatch(paragraph):
            continue
        if _RESIDUE.search(paragraph):
            return None
        if clean := spacing(without_holes(spacing(entities(paragraph)))).replace("\n", " "):
            kept.append(clean)
    return "\n\n".join(kept)


def _paragraphs(text: str) -> Iterable[str]:
    """Split at empty lines; lines of one paragraph are joined, list items left out."""
    lines: list[str] = []
    for raw in (*text.split("\n"), ""):
        line = raw.strip()
        is_item = line.startswith(_LIST_ITEM)
        if line and not is_item:
            lines.append(without_quotes(line))
            continue
        if lines:
            paragraph = " ".join(lines)
            yield _ANNOUNCEMENT.sub("", paragraph) if is_item else paragraph
        lines = []


_QUOTES = re.compile(r"'{2,}")


def without_quotes(line: str) -> str:
    """Take off the apostrophes of bold and italics as MediaWiki's `doQuotes` reads them; of a run of four, one stays.

    >>> without_quotes("'''L'amour''' and L'''amour''")
    "L'amour and L'amour"
    """
    if "''" not in line:
        return line
    runs = [min(len(run), 5) if len(run) != 4 else 3 for run in _QUOTES.findall(line)]
    odd_bold = sum(run in (3, 5) for run in runs) % 2
    odd_italics = sum(run in (2, 5) for run in runs) % 2
    literal = _apostrophe(line) if odd_bold and odd_italics else -1

    def marks(match: re.Match[str]) -> str:
        extra = {2: 0, 3: 0, 4: 1, 5: 0}.get(len(match[0]), len(match[0]) - 5)
        return "'" * (extra + (match.start() == literal))

    return _QUOTES.sub(marks, line)


def _apostrophe(line: str) -> int:
    """Where the `'''` begins that is an apostrophe and italics: after a word of one letter, else of more, else any."""
    bold = [match.end() - 3 for match in _QUOTES.finditer(line) if len(match[0]) in (3, 4)]
    starts = {match.end() - 3: match.start() for match in _QUOTES.finditer(line)}
    before = {at: line[max(at - 2, 0) : at].rjust(2) for at in bold}
    by_kind = (
        [at for at in bold if before[at][1] != " " and before[at][0] == " "],
        [at for at in bold if before[at][1] != " " and before[at][0] != " "],
        bold,
    )
    return next((starts[kind[0]] for kind in by_kind if kind), -1)


_EMPTY_BRACKETS = re.compile(r"[ \t\xa0]*+[(\[][\s,;:·/–-]*+[)\]]")
_AFTER_OPENING = re.compile(r"\((?:\s*+[,;:])++\s*+")
_BEFORE_CLOSING = re.compile(r"(?<![\s,;:])\s*+[,;:][\s,;:]*+\)")
_BEFORE_COMMA = re.compile(r"(?<=\S)[^\S\n]++(?=[,;.](?:\s|$))")


def without_holes(text: str) -> str:
    """Mend what templates leave behind: `Oslo (; ) is` → `Oslo is`, `(, born 1950)` → `(born 1950)`."""
    text = _AFTER_OPENING.sub("(", _BEFORE_CLOSING.sub(")", text))
    return _BEFORE_COMMA.sub("", _EMPTY_BRACKETS.sub("", text))


# --- nodes ---

_NOT_TEXT = names_in(
    "ref, references, gallery, score, timeline, imagemap, table, graph, mapframe, maplink, templatestyles, "
    "hiero, ul, ol, dl, li, dt, dd, s, del, strike, includeonly, categorytree, inputbox, chart, "
    "syntaxhighlight, source, audio, video, style"
)
_FORMULAS = frozenset(("math", "chem", "ce"))
_LITERAL = str.maketrans({mark: f"&#{ord(mark)};" for mark in "[]{}|'<>&"})
_RAISED = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")
_NOT_SHOWN = frozenset(("file", "image", "category"))
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*+:\S")


def _text(code: Any, title: str) -> str:
    return "".join(_node(node, title) for node in code.nodes) if code else ""


def _node(node: Any, title: str) -> str:
    from mwparserfromhell import nodes

    match node:
        case nodes.Text() | nodes.HTMLEntity():
            return str(node)
        case nodes.Template():
            return rendered(node, title, partial(_text, title=title))
        case nodes.Wikilink():
            return _link(node, title)
        case nodes.ExternalLink():
            return _text(node.title, title) if node.brackets else ""
        case nodes.Tag():
            return _tag(node, title)
        case nodes.Argument():
            return _text(node.default, title)
        case _:  # comments, headings
            return ""


def _link(node: Any, title: str) -> str:
    target = str(node.title).strip()
    label = None if node.text is None else _text(node.text, title)
    if target.startswith(":"):
        return target[1:] if label is None else label
    if target.partition(":")[0].strip().lower() in _NOT_SHOWN:
        return ""
    if label is None:
        return "" if _INTERLANGUAGE.match(target) else _text(node.title, title)
    return label


def _tag(node: Any, title: str) -> str:
    name = str(node.tag).strip().lower()
    if node.wiki_markup and name in ("li", "dt", "dd"):
        return _LIST_ITEM
    if name in ("br", "hr"):
        return " " if name == "br" else "\n\n"
    if name in _NOT_TEXT:
        return ""
    if name in ("nowiki", "pre"):
        return str(node.contents or "").translate(_LITERAL)
    content = _text(node.contents, title)
    if name in _FORMULAS:
        return "" if re.search(r"[\\{}^_]", content) else content
    if name in ("sup", "sub"):
        script = content.translate(_RAISED if name == "sup" else _LOWERED)
        return content if any(mark.isascii() for mark in script) else script
    return f"\n\n{content}\n\n" if name in ("p", "blockquote", "poem") else content
