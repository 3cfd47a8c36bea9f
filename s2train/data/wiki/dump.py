"""Reads MediaWiki's XML dump (`pages-articles.xml.bz2`, multistream or not, or plain `.xml`) as articles' leads.

    file → bz2 → expat → pages (this process, streaming) → outline → article (worker processes), in the dump's order

The limits below bound memory whatever the file holds; a DTD, which could declare entities, is an error.
"""

from __future__ import annotations

import bz2
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from xml.parsers import expat

from s2eval.errors import DataError
from s2train.data.engine import HERE, Engine
from s2train.data.files.jsonl import Input
from s2train.data.wiki import text as wikitext
from s2train.data.wiki.text import Article, LeftOut, Limits, Outline

if TYPE_CHECKING:
    from _hashlib import HASH


MAX_PAGE = 4 * 2**20  # characters of one text; MediaWiki's own limit is 2 MiB ($wgMaxArticleSize)
MAX_NAME = 1000  # characters of a title; MediaWiki's limit is 255 bytes
MAX_TOKEN = 2**20  # bytes of a tag, comment or attribute: expat holds them in memory
MAX_ELEMENTS = 32  # elements in elements
CHUNK = 2**18  # bytes given to the decompressor and to expat at a time
BATCH = 2**18  # characters of markup given to a worker at a time
EXAMPLES = 10  # titles kept for each reason
MAX_TEMPLATES = 1000  # names in the manifest

LOST_TEMPLATES = "lost_templates"  # the key of a manifest's entry

NAMESPACE = "not an article (other namespace)"
NOT_WIKITEXT = "not wikitext (other content model)"
NO_TITLE = f"no title, or one of more than {MAX_NAME:,} characters"
NO_TEXT = "no text"
LARGE = f"page of more than {MAX_PAGE // 2**20} Mi characters"
REASONS = (NAMESPACE, wikitext.REDIRECT, NOT_WIKITEXT, NO_TITLE, LARGE, NO_TEXT, *wikitext.REASONS[1:])


@dataclass(slots=True)
class Dump(Input[Article]):
    """A dump to be read once, an article at a time, in the dump's order; the same on every engine. It may be a pipe.

    `rows` are pages, `dropped` those left out (`REASONS`); in the end `rows == sum(dropped.values()) + articles given`.

    Attributes:
        path: `.xml.bz2` or `.xml`; recognised by its first bytes, not by its name.
        examples: the first titles left out, by reason.
        templates: those of unknown text whose sentences were left out, by name.
    """

    path: Path
    limits: Limits = field(default_factory=Limits)
    engine: Engine = HERE
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    templates: Counter[str] = field(default_factory=Counter[str])

    def __iter__(self) -> Iterator[Article]:
        """Raise DataError if the file cannot be read, is no dump, is truncated or damaged; says at which byte."""
        try:
            with self.path.open("rb") as file:
                batches = _batches(pages(file, str(self.path), self._hash), self.limits)
                for outcome in chain.from_iterable(self.engine.map(partial(_render, self.limits), batches)):
                    self.rows += 1
                    self.templates.update(outcome.lost)
                    if isinstance(outcome, Article):
                        yield outcome
                        continue
                    self.dropped[outcome.reason] += 1
                    titles = self.examples.setdefault(outcome.reason, [])
                    if len(titles) < EXAMPLES:
                        titles.append(outcome.title)
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error

    def lost_templates(self) -> dict[str, int]:
        """Templates of unknown text for which sentences were left out, with their number, the most frequent first."""
        return dict(sorted(self.templates.items(), key=lambda item: (-item[1], item[0]))[:MAX_TEMPLATES])

    def entries(self) -> list[dict[str, object]]:
        facts: dict[str, object] = {"name": self.name, "sha256": self.sha256, "records": self.rows}
        if lost := self.lost_templates():
            facts[LOST_TEMPLATES] = {**lost}
        return [facts]

    @property
    def name(self) -> str:
        return self.path.name


def is_dump(path: Path) -> bool:
    """Whether a file begins as a dump does (bz2 or XML), rather than as JSON lines or parquet.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(64)
    return start.startswith(b"BZh") or start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


# --- pages to outcomes ---


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it stands in the dump; of several revisions the last. `text` is None where it is too large."""

    title: str
    namespace: str
    model: str
    redirect: bool
    text: str | None


Batch = list[Outline | LeftOut]


def _batches(dump: Iterable[Page], limits: Limits) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for page in dump:
        outcome = _outline(page, limits)
        batch.append(outcome)
        size += 100 + (len(outcome.markup) if isinstance(outcome, Outline) else 0)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _outline(page: Page, limits: Limits) -> Outline | LeftOut:
    reasons = {
        NAMESPACE: page.namespace != "0",
        wikitext.REDIRECT: page.redirect,
        NOT_WIKITEXT: page.model not in ("wikitext", ""),
        NO_TITLE: not page.title,
        LARGE: page.text is None,
        NO_TEXT: not page.text,
    }
    for reason, holds in reasons.items():
        if holds:
            return LeftOut(page.title, reason)
    return wikitext.outline(page.title, page.text or "", limits)


def _render(limits: Limits, batch: Batch) -> list[Article | LeftOut]:
    return [wikitext.article(page, limits) if isinstance(page, Outline) else page for page in batch]


# --- bytes to pages ---


def pages(file: BinaryIO, where: str, digest: HASH) -> Iterator[Page]:
    """Parse a dump (bz2 or XML) as it is read; `where` names it in messages, `digest` is updated with its bytes.

    Raises:
        DataError: it is no dump, is cut off or damaged, or asks for more memory than a dump needs.
    """
    parser = _Parser(where)
    for data in _decompressed(file, where, digest, parser):
        yield from parser.feed(data)
    yield from parser.close()


_OTHERS = {
    b"\x1f\x8b": "gzip; unpack it first (gunzip)",
    b"\x28\xb5\x2f\xfd": "zstd; unpack it first (unzstd)",
    b"7z\xbc\xaf": "7z; unpack it first (7z x)",
    b"PK\x03\x04": "zip; unpack it first (unzip)",
    b"\xff\xfe": "UTF-16; MediaWiki writes UTF-8: convert it (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16; MediaWiki writes UTF-8: convert it (iconv -f UTF-16 -t UTF-8)",
}


def _decompressed(file: BinaryIO, where: str, digest: HASH, parser: _Parser) -> Iterator[bytes]:
    """The XML's bytes in pieces of a few times CHUNK at most; bz2 streams one after the other."""
    data = file.read(CHUNK)
    if not data:
        raise DataError(f"{where}: is empty; expected a MediaWiki dump (pages-articles.xml.bz2)")
    if other := next((name for start, name in _OTHERS.items() if data.startswith(start)), None):
        raise DataError(f"{where}: is {other}")
    if not data.startswith(b"BZh"):
        while data:
            digest.update(data)
            yield data
            data = file.read(CHUNK)
        return
    stream, in_stream, read = bz2.BZ2Decompressor(), False, 0
    while data:
        digest.update(data)
        read += len(data)
        while data or (in_stream and not stream.needs_input):
            try:
                piece = stream.decompress(data, max_length=4 * CHUNK)
            except OSError as error:
                span = f"between bytes {max(read - CHUNK, 0):,} and {read:,}"
                raise DataError(f"{where}: damaged bz2 {span}{parser.after()}: {error}; fetch it again") from None
            data, in_stream = b"", True
            if piece:
                yield piece
            if stream.eof:
                data, in_stream, stream = stream.unused_data, False, bz2.BZ2Decompressor()
        data = file.read(CHUNK)
    if in_stream:
        raise DataError(f"{where}: cut off inside a bz2 stream, at byte {read:,}{parser.after()}; fetch it again")


_FIELDS = frozenset(((3, "title"), (3, "ns"), (4, "model"), (4, "text")))  # depth, element


class _Parser:
    """Expat, fed piece by piece, with a page's few fields; holds one page at most."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.expat = expat.ParserCreate("UTF-8")
        self.expat.buffer_text = True
        self.expat.buffer_size = CHUNK
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.StartDoctypeDeclHandler = self._check_doctype
        self.expat.XmlDeclHandler = self._check_encoding
        self.complete: list[Page] = []
        self.pages = self.fed = self.depth = 0
        self.page: dict[str, str | None] | None = None
        self.last = ""  # title of the last page
        self.room = 0  # characters that the open field may still take; below 0: it was too large
        self.parts: list[str] = []

    def after(self) -> str:
        """The position in the dump, for messages."""
        return f", after page {self.pages:,} ({self.last!r})" if self.pages else ""

    def feed(self, data: bytes) -> list[Page]:
        """Parse the next bytes; returns the pages that end in them."""
        self.fed += len(data)
        try:
            self.expat.Parse(data, False)
        except expat.ExpatError as error:
            at = self.expat.ErrorByteIndex
            near = data[max(at - (self.fed - len(data)), 0) :][:4]
            what = expat.ErrorString(error.code) if _is_utf8(near) else "bytes that are not UTF-8"
            position = f"byte {at:,} of the XML (line {error.lineno:,}, column {error.offset:,})"
            raise self._error(f"broken XML at {position}{self.after()}: {what}") from None
        at = self.expat.CurrentByteIndex
        if self.fed - at > MAX_TOKEN + 4 * CHUNK:
            raise self._error(f"a tag or comment of more than {MAX_TOKEN:,} bytes at byte {at:,} of the XML")
        pages, self.complete = self.complete, []
        return pages

    def close(self) -> list[Page]:
        """Parse the end of the dump."""
        try:
            self.expat.Parse(b"", True)
        except expat.ExpatError:
            missing = "it does not end with </mediawiki>; fetch it again"
            raise self._error(f"cut off at byte {self.fed:,} of the XML{self.after()}: {missing}") from None
        return self.complete

    def _error(self, message: str) -> DataError:
        return DataError(f"{self.where}: {message}")

    def _check_doctype(self, *_: object) -> None:
        raise self._error("has a DOCTYPE, which no MediaWiki dump has; entities are not read from files")

    def _check_encoding(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "us-ascii"):
            raise self._error(f"declares the encoding {encoding}; MediaWiki writes UTF-8: convert it (iconv)")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1 and name != "mediawiki":
            raise self._error(f"is no MediaWiki dump: it begins with <{name[:50]}>, not <mediawiki>")
        if self.depth > MAX_ELEMENTS:
            raise self._error(f"elements nested deeper than {MAX_ELEMENTS}{self.after()}: no MediaWiki dump")
        if self.depth == 2:
            self.page = {} if name == "page" else None
        page = self.page
        if page is None:
            return
        if (self.depth, name) == (3, "redirect"):
            page[name] = ""
        elif (self.depth, name) in _FIELDS and (name != "text" or (page.get("ns") == "0" and "redirect" not in page)):
            self.parts, self.room = [], MAX_PAGE if name == "text" else MAX_NAME
            self.expat.CharacterDataHandler = self._characters

    def _characters(self, data: str) -> None:
        self.room -= len(data)
        if self.room >= 0:
            self.parts.append(data)
        else:
            self.parts.clear()

    def _end(self, name: str) -> None:
        page = self.page
        if page is not None and self.expat.CharacterDataHandler is not None and (self.depth, name) in _FIELDS:
            page[name] = "".join(self.parts) if self.room >= 0 else None
            self.expat.CharacterDataHandler = None
        if self.depth == 2 and page is not None:
            self.pages += 1
            self.last = (page.get("title") or "").strip()
            self.complete.append(
                Page(
                    title=self.last,
                    namespace=page.get("ns") or "",
                    model=page.get("model") or "",
                    redirect="redirect" in page,
                    text=page.get("text", ""),
                )
            )
            self.page = None
        self.depth -= 1


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.end == len(data) and error.reason == "unexpected end of data"
    return True
