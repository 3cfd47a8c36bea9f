"""Made-up MediaWiki dumps: a few pages written by hand, or any number of generated ones.

Generated pages: 60% articles, 20% redirects, 20% pages of other namespaces. Of the articles 45% carry a stub template,
4% are disambiguation pages and 2% lists; 45% begin with an infobox. Proportions and lengths are guessed after Simple
English Wikipedia, not measured on it.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape, quoteattr

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>simplewiki</dbname>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="10" case="first-letter">Template</namespace>
    </namespaces>
  </siteinfo>
"""
TAIL = "</mediawiki>\n"
STREAM = 100  # pages of one bz2 stream in Wikimedia's multistream files


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A page as it goes into a dump."""

    title: str
    text: str
    namespace: int = 0
    redirect: str | None = None
    model: str = "wikitext"


def xml(page: MadeUp, number: int = 1) -> str:
    """The page as MediaWiki exports it."""
    redirect = f"    <redirect title={quoteattr(page.redirect)} />\n" if page.redirect else ""
    return (
        f"  <page>\n    <title>{escape(page.title)}</title>\n    <ns>{page.namespace}</ns>\n    <id>{number}</id>\n"
        f"{redirect}    <revision>\n      <id>{number + 10**6}</id>\n"
        "      <timestamp>2024-01-01T00:00:00Z</timestamp>\n"
        "      <contributor>\n        <username>Someone</username>\n        <id>7</id>\n      </contributor>\n"
        f"      <comment>made up</comment>\n      <model>{page.model}</model>\n      <format>text/x-wiki</format>\n"
        f'      <text bytes="{len(page.text.encode())}" xml:space="preserve">{escape(page.text)}</text>\n'
        f"    </revision>\n  </page>\n"
    )


def dump(pages: Iterable[MadeUp]) -> bytes:
    """A whole dump, not compressed."""
    return (HEAD + "".join(xml(page, number) for number, page in enumerate(pages, start=1)) + TAIL).encode()


def write(path: Path, pages: Iterable[MadeUp], *, per_stream: int = STREAM) -> Path:
    """Write a multistream `.xml.bz2` as Wikimedia does: the head, every `per_stream` pages, the tail."""
    numbered = iter(enumerate(pages, start=1))
    with path.open("wb") as file:
        file.write(bz2.compress(HEAD.encode()))
        while some := list(islice(numbered, per_stream)):
            file.write(bz2.compress("".join(xml(page, number) for number, page in some).encode()))
        file.write(bz2.compress(TAIL.encode()))
    return path


# --- generated pages ---


def _words(text: str) -> list[str]:
    return text.split()


_NOUNS = _words(
    "town river school country animal plant song actor player city book machine king war island mountain station "
    "language film game church company lake party state village bird team college road bridge family museum"
)
_VERBS = _words("is was has became made found built moved played wrote won lost began ended grew kept held took gave")
_OTHERS = _words(
    "the a of in and to for with by from small large old new first last many some most people years north south east "
    "west known called used usually often also very near about after before during between important different"
)
_NAMES = _words("Aldo Bera Cimo Dena Eski Faro Gilu Hona Iska Jora Kemi Lunto Miro Nela Orso Pima Quen Rilo Sava Tomi")


def generated(count: int, seed: int = 0) -> Iterator[MadeUp]:
    """Pages in the proportions that the module states; the same for the same count and seed."""
    random = Random(seed)
    for number in range(count):
        name = f"{random.choice(_NAMES)} {random.choice(_NOUNS)} {number}"
        kind = random.random()
        if kind < 0.6:
            yield _article(name, random)
        elif kind < 0.8:
            yield MadeUp(name, f"#REDIRECT [[{random.choice(_NAMES)}]]", redirect=random.choice(_NAMES))
        else:
            yield MadeUp(f"Template:{name}", f"<includeonly>{_sentences(random, 6)}</includeonly>", namespace=10)


def _article(name: str, random: Random) -> MadeUp:
    kind = random.random()
    if kind < 0.04:
        items = "".join(f"* [[{name} ({noun})]], a {noun}\n" for noun in random.sample(_NOUNS, 4))
        return MadeUp(name, f"'''{name}''' can mean:\n{items}\n{{{{disambig}}}}")
    if kind < 0.06:
        return MadeUp(f"List of {name}", "".join(f"* {_sentence(random)}\n" for _ in range(40)))
    is_stub = random.random() < 0.45
    lead = f"'''{name}''' ({{{{lang-fr|{name}|links=no}}}}; {{{{IPA|/a/}}}}) {_sentence(random)}{_reference(random)} "
    lead += _sentences(random, random.randint(2, 5))
    if random.random() < 0.4:
        lead += f" It covers {{{{convert|{random.randint(2, 9000)}|km2|sqmi}}}}. <!-- source? -->\n\n"
        lead += _sentences(random, random.randint(2, 4))
    parts = [_infobox(name, random) if random.random() < 0.45 else "", lead]
    for _ in range(random.randint(0, 1) if is_stub else min(int(random.expovariate(1 / 3)) + 1, 30)):
        parts.append(f"\n\n== {random.choice(_NOUNS).title()} ==\n{_section(random)}")
    parts.append("\n\n== References ==\n{{reflist}}\n\n" + "".join(f"[[Category:{noun}s]]\n" for noun in _NOUNS[:3]))
    return MadeUp(name, "".join(parts) + ("{{stub}}\n" if is_stub else ""))


def _sentence(random: Random) -> str:
    words = [random.choice(_OTHERS) for _ in range(random.randint(5, 16))]
    words[1] = random.choice(_VERBS)
    words[3] = f"[[{random.choice(_NOUNS)}]]" if random.random() < 0.7 else random.choice(_NOUNS)
    if random.random() < 0.2:
        words[-1] = f"''[[{random.choice(_NAMES)}|{random.choice(_NOUNS)}]]''"
    return " ".join(words) + "."


def _sentences(random: Random, count: int) -> str:
    return " ".join(_sentence(random).capitalize() for _ in range(count))


def _reference(random: Random) -> str:
    title = f"{random.choice(_NAMES)} {random.choice(_NOUNS)}"
    return f"<ref>{{{{cite web |url=http://example.org/{random.randint(1, 999)} |title={title} |year=2010}}}}</ref>"


def _section(random: Random) -> str:
    text = "".join(f"{_sentences(random, 3)}{_reference(random)} " for _ in range(random.randint(1, 3)))
    if random.random() < 0.15:
        rows = "".join(f"|-\n| {random.choice(_NAMES)} || {random.randint(1, 99)}\n" for _ in range(8))
        text += f'\n{{| class="wikitable"\n! Name !! Number\n{rows}|}}\n'
    if random.random() < 0.3:
        text += "".join(f"\n* [[{random.choice(_NAMES)}]], {random.choice(_NOUNS)}" for _ in range(6))
    return text


def _infobox(name: str, random: Random) -> str:
    fields = "".join(
        f"| {noun}_{number} = {random.choice(_NAMES)} [[{random.choice(_NOUNS)}]]{{{{small|({number})}}}}<br>\n"
        for number, noun in enumerate(random.sample(_NOUNS, random.randint(8, 20)))
    )
    return f"{{{{Infobox thing\n| name = {name}\n{fields}}}}}\n"
