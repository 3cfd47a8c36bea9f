"""Parsed wikitext as plain text, node by node, with marks (`gaps`) where something without text stood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from s2train.data.wiki import formulas
from s2train.data.wiki.gaps import MARKS, Gaps
from s2train.data.wiki.templates import is_sound, name_of, names_in, never_text, rendered

if TYPE_CHECKING:
    from mwparserfromhell.nodes import Node, Tag, Template, Wikilink
    from mwparserfromhell.wikicode import Wikicode

LIST_ITEM = "\ue000"  # marks a list item's beginning; taken out of the source first

_NOT_TEXT = names_in(
    "ref, references, gallery, score, timeline, imagemap, table, graph, mapframe, maplink, templatestyles, "
    "hiero, ul, ol, dl, li, dt, dd, s, del, strike, includeonly, categorytree, inputbox, chart, "
    "syntaxhighlight, source, audio, video, style"
)
_LITERAL = str.maketrans({mark: f"&#{ord(mark)};" for mark in "[]{}|'<>&"})
_NOT_SHOWN = frozenset(("file", "image", "category"))
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*+:\S")
_LANGUAGE = re.compile(r"(?:[a-z]{2,3}|simple)(?:-[a-z]+)*+")
_PROJECTS = names_in(
    "w, wikipedia, wikt, wiktionary, s, wikisource, q, wikiquote, b, wikibooks, n, wikinews, v, wikiversity, voy, "
    "wikivoyage, c, commons, species, wikispecies, m, meta, metawikipedia, d, wikidata, mw, mediawikiwiki, f, "
    "wikifunctions, incubator, foundation, wmf, simple, phab, toollabs, doi, imdbname, imdbtitle"
)
_DISAMBIGUATION = re.compile(r"(?:\s*\([^()]*\)|,\s.*)$")


@dataclass(slots=True)
class Renderer:
    """Renders the nodes of one page's lead; `gaps` are the marks that it sets."""

    title: str
    gaps: Gaps = field(default_factory=Gaps)

    def text(self, code: Wikicode | None) -> str:
        """The text of parsed markup."""
        return "".join(map(self._node, code.nodes)) if code else ""

    def _node(self, node: Node) -> str:
        from mwparserfromhell import nodes

        match node:
            case nodes.Text() | nodes.HTMLEntity():
                return str(node)
            case nodes.Template():
                return self._template(node)
            case nodes.Wikilink():
                return self._link(node)
            case nodes.ExternalLink():
                return self.text(node.title) if node.brackets else self.gaps.mark("bare URL")
            case nodes.Tag():
                return self._tag(node)
            case nodes.Argument():
                return self.text(node.default) or self.gaps.mark("{{{argument}}}")
            case _:  # comments, headings
                return ""

    def _template(self, node: Template) -> str:
        text = rendered(node, self.title, self.text)
        if text is not None:
            return text
        name = name_of(str(node.name))
        if name.startswith("#"):
            name = name.partition(":")[0]
        return "" if never_text(name) else self.gaps.mark(name, sound=is_sound(name))

    def _link(self, node: Wikilink) -> str:
        target = str(node.title).strip()
        label = None if node.text is None else self.text(node.text)
        if label is not None and not label.strip():
            return _pipe_trick(target)
        if target.startswith(":"):
            return _without_prefixes(target[1:].strip()) if label is None else label
        if target.partition(":")[0].strip().lower() in _NOT_SHOWN:
            return ""
        if label is not None:
            return label
        if target.partition(":")[0].strip().lower() in _PROJECTS:
            return _without_prefixes(target)
        return "" if _INTERLANGUAGE.match(target) else self.text(node.title)

    def _tag(self, node: Tag) -> str:
        name = str(node.tag).strip().lower()
        if node.wiki_markup and name in ("li", "dt", "dd"):
            return LIST_ITEM
        if name in ("br", "hr"):
            return " " if name == "br" else "\n\n"
        if name in _NOT_TEXT:
            return ""
        if name in ("nowiki", "pre"):
            return str(node.contents or "").translate(_LITERAL)
        if name in ("math", "chem", "ce"):
            source = str(node.contents or "")
            text = formulas.math(source) if name == "math" else formulas.chem2(source)
            return self.gaps.mark(f"<{name}>") if text is None else text.translate(_LITERAL)
        content = self.text(node.contents)
        if name == "sup" and content and not MARKS.sub("", content).strip():
            return ""  # a template set high is a remark
        if name in ("sup", "sub"):
            return formulas.raised(content) if name == "sup" else formulas.lowered(content)
        return f"\n\n{content}\n\n" if name in ("p", "blockquote", "poem") else content


def _without_prefixes(target: str) -> str:
    """`wikt:forge#Noun` → `forge`, `w:fr:Paris` → `Paris`; a colon of the name itself stays."""
    while True:
        prefix, colon, rest = target.partition(":")
        prefix = prefix.strip().lower()
        if not colon or not rest.strip() or not (prefix in _PROJECTS or _LANGUAGE.fullmatch(prefix)):
            return target.partition("#")[0].strip() or target
        target = rest.strip()


def _pipe_trick(target: str) -> str:
    """`[[Help:Oslo (city)|]]` → `Oslo`."""
    target = _without_prefixes(target.lstrip(":").strip())
    prefix, colon, rest = target.partition(":")
    name = rest if colon and " " not in prefix and not rest.startswith(" ") else target
    return _DISAMBIGUATION.sub("", name.strip()) or target
