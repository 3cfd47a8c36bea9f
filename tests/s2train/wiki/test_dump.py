"""MediaWiki's dump is read as a stream, in bounded memory; what is wrong with it is told with its place."""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval.errors import DataError
from s2train.data.engine import Local
from s2train.data.wiki import dump as wikidump
from s2train.data.wiki import text as wikitext
from s2train.data.wiki.dump import Dump
from s2train.data.wiki.text import Article
from tests.s2train.wikipages import HEAD, TAIL, MadeUp, dump, generated, write, xml

LEAD = "'''{0}''' is a town. " + "It has a river and a road. " * 4
TEXT = "{0} is a town. " + " ".join(["It has a river and a road."] * 4)
OSLO, BERGEN = (MadeUp(name, LEAD.format(name)) for name in ("Oslo", "Bergen"))
PAIR = [Article(name, TEXT.format(name)) for name in ("Oslo", "Bergen")]


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write bytes to a file whose name says nothing."""

    def write_bytes(data: bytes) -> Path:
        path = tmp_path / "dump"
        path.write_bytes(data)
        return path

    return write_bytes


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as raised:
        list(Dump(path))
    message = str(raised.value)
    assert message.startswith((f"{path}: ", f"cannot read {path}"))
    return message.removeprefix(f"{path}: ")


# --- what is read ---


def test_templates_of_unknown_text_are_counted_by_name(put: Callable[[bytes], Path]) -> None:
    rest = " It has a river and a road." * 4
    moss = MadeUp("Moss", f"Moss is a town. It is {{{{foo|5}}}} and {{{{bar}}}} old.{rest}")
    ski = MadeUp("Ski", f"Ski is {{{{foo}}}} old.{rest}")
    read = Dump(put(dump([OSLO, moss, ski])))
    assert list(read) == [PAIR[0], Article("Moss", f"Moss is a town.{rest}", ("foo", "bar"))]
    assert read.lost_templates() == {"foo": 2, "bar": 1}
    assert read.dropped == {wikitext.LOST_OPENING: 1}


@pytest.mark.parametrize("form", ["xml", "bom", "bz2", "multistream"])
def test_every_form_of_a_dump(form: str, put: Callable[[bytes], Path]) -> None:
    plain = dump([OSLO, BERGEN])
    path = put({"xml": plain, "bom": b"\xef\xbb\xbf" + plain, "bz2": bz2.compress(plain)}.get(form, b""))
    if form == "multistream":
        write(path, [OSLO, BERGEN], per_stream=1)
    read = Dump(path)
    assert list(read) == PAIR
    assert (read.rows, dict(read.dropped)) == (2, {})
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_left_out_is_counted_with_examples(put: Callable[[bytes], Path]) -> None:
    pages = [
        OSLO,
        MadeUp("Talk:Oslo", "Text.", namespace=1),
        MadeUp("Christiania", "#REDIRECT [[Oslo]]", redirect="Oslo"),
        MadeUp("A", "#redirect [[Oslo]]"),
        MadeUp("B", "{}", model="json"),
        MadeUp(" ", "Text."),
        MadeUp("C", ""),
        MadeUp("D", "Short."),
        MadeUp("List of towns", "Text."),
        BERGEN,
    ]
    read = Dump(put(dump(pages)))
    assert list(read) == PAIR
    assert read.dropped == {
        wikidump.NAMESPACE: 1,
        wikitext.REDIRECT: 2,
        wikidump.NOT_WIKITEXT: 1,
        wikidump.NO_TITLE: 1,
        wikidump.NO_TEXT: 1,
        wikitext.SHORT_LEAD: 1,
        wikitext.LIST: 1,
    }
    assert read.rows == 10 == len(PAIR) + read.dropped.total()
    assert read.examples[wikitext.REDIRECT] == ["Christiania", "A"]
    assert set(read.dropped) <= set(wikidump.REASONS)


def test_ten_examples_at_most(put: Callable[[bytes], Path]) -> None:
    read = Dump(put(dump(MadeUp(f"List of {number}", "Text.") for number in range(12))))
    assert list(read) == []
    assert read.dropped[wikitext.LIST] == 12
    assert read.examples[wikitext.LIST] == [f"List of {number}" for number in range(10)]


def test_of_several_revisions_the_last(put: Callable[[bytes], Path]) -> None:
    old = xml(MadeUp("Oslo", LEAD.format("An old revision")))
    new = xml(OSLO)
    both = old.replace("  </page>\n", "") + new[new.index("    <revision>") :]
    assert list(Dump(put((HEAD + both + TAIL).encode()))) == PAIR[:1]


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(bz2.compress(dump([OSLO, BERGEN]))))
    writer.start()
    assert list(Dump(path)) == PAIR
    writer.join()


@pytest.mark.parametrize("processes", [2, 3])
def test_any_number_of_processes_gives_the_same(
    tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wikidump, "BATCH", 2000)  # many batches
    path = write(tmp_path / "d.bz2", generated(400), per_stream=7)
    alone, together = Dump(path), Dump(path, engine=Local(processes))
    assert list(alone) == list(together)
    assert (alone.rows, alone.dropped, alone.examples, alone.sha256) == (
        400,
        together.dropped,
        together.examples,
        together.sha256,
    )


@given(
    size=st.integers(4, 300),
    pieces=st.lists(st.integers(1, 400), max_size=12),
    level=st.integers(1, 9),
)
@settings(max_examples=40, deadline=None)
def test_wherever_streams_and_pieces_end_the_pages_are_the_same(size: int, pieces: list[int], level: int) -> None:
    """Streams may end inside a page (pbzip2's do), pieces inside a character."""
    plain = dump([MadeUp("Ørsta", "é" * 50), BERGEN])
    cuts = [0]
    for piece in pieces:
        cuts.append(min(cuts[-1] + piece, len(plain)))
    parts = [plain[one:other] for one, other in zip(cuts, [*cuts[1:], len(plain)], strict=True)]
    data = b"".join(bz2.compress(part, level) for part in parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wikidump, "CHUNK", size)
        titles = [page.title for page in wikidump.pages(io.BytesIO(data), "d", hashlib.sha256())]
    assert titles == ["Ørsta", "Bergen"]


@pytest.mark.parametrize(
    ("start", "is_one"),
    [(b"BZh91AY", True), (b"\n <mediawiki", True), (b"\xef\xbb\xbf<m", True), (b'{"title":', False), (b"PAR1", False)],
)
def test_a_dump_is_told_by_its_beginning(start: bytes, is_one: bool, put: Callable[[bytes], Path]) -> None:
    assert wikidump.is_dump(put(start)) is is_one


# --- bad input ---


def test_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"cannot read {tmp_path / 'none'}: No such file or directory"
    assert refusal(tmp_path) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty; expected a MediaWiki dump"),
        (b"\x1f\x8b\x08", "is gzip; unpack it first"),
        (dump([OSLO]).decode().encode("utf-16"), "is UTF-16; MediaWiki writes UTF-8"),
        (b"<html></html>", "is no MediaWiki dump: it begins with <html>, not <mediawiki>"),
        (b'{"title": "a"}', "broken XML at byte 0 of the XML (line 1, column 0): not well-formed"),
        (bz2.compress(b""), "cut off at byte 0 of the XML"),
        (b"BZh9 not really", "damaged bz2 between bytes 0 and 15"),
        (bz2.compress(dump([OSLO])) + b"\0\0\0\0", "damaged bz2 between bytes 0 and"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?>' + dump([OSLO]), "declares the encoding iso-8859-1"),
        (b"<mediawiki>" + b"<a>" * 40, "elements nested deeper than 32"),
        ((HEAD + xml(OSLO) + "<page>&nbsp;</page>" + TAIL).encode(), "after page 1 ('Oslo'): undefined entity"),
        ((HEAD + xml(OSLO) + "<page></pag>" + TAIL).encode(), "after page 1 ('Oslo'): mismatched tag"),
        ((HEAD + xml(OSLO) + "<page>\x00</page>" + TAIL).encode(), "after page 1 ('Oslo'): not well-formed"),
    ],
)
def test_what_is_refused(data: bytes, told: str, put: Callable[[bytes], Path]) -> None:
    assert told in refusal(put(data))


def test_a_page_in_another_encoding_is_told_with_its_byte(put: Callable[[bytes], Path]) -> None:
    start = (HEAD + xml(OSLO) + "  <page>\n    <title>").encode()
    message = refusal(put(start + "Tromsø".encode("latin-1") + b"</title></page></mediawiki>"))
    line = start.count(b"\n") + 1
    place = f"byte {len(start) + 5:,} of the XML (line {line}, column 16)"  # 16 characters: `    <title>Troms`
    assert message == f"broken XML at {place}, after page 1 ('Oslo'): bytes that are not UTF-8"


def test_a_dump_that_is_cut_off_says_where(put: Callable[[bytes], Path], tmp_path: Path) -> None:
    plain = dump([OSLO, BERGEN])
    cut = plain.index(b"<title>Bergen")
    assert refusal(put(plain[:cut])) == (
        f"cut off at byte {cut:,} of the XML, after page 1 ('Oslo'): it does not end with </mediawiki>; fetch it again"
    )
    whole = write(tmp_path / "whole", [OSLO, BERGEN], per_stream=1).read_bytes()
    second = len(bz2.compress(HEAD.encode()) + bz2.compress(xml(OSLO).encode()))  # the second page's stream begins
    at = second + 40  # within the stream of the second page
    assert refusal(put(whole[:at])) == (
        f"cut off inside a bz2 stream, at byte {at:,}, after page 1 ('Oslo'); fetch it again"
    )
    assert "does not end with </mediawiki>" in refusal(put(whole[:second]))  # between two streams


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_cut_goes_unnoticed(data: st.DataObject) -> None:
    whole = bz2.compress(HEAD.encode()) + bz2.compress((xml(OSLO) + TAIL).encode())
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError):
        list(wikidump.pages(io.BytesIO(whole[:cut]), "d", hashlib.sha256()))


def test_a_flipped_byte_is_noticed(put: Callable[[bytes], Path]) -> None:
    data = bytearray(bz2.compress(dump([OSLO, BERGEN])))
    data[len(data) // 2] ^= 0xFF
    assert "damaged bz2 between bytes" in refusal(put(bytes(data)))


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE mediawiki [<!ENTITY l0 "lol">{LAUGHS}]>',  # 10^9 lols
        '<!DOCTYPE mediawiki [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE mediawiki SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_entities_cannot_be_declared(doctype: str, put: Callable[[bytes], Path]) -> None:
    bomb = MadeUp("Oslo", "BOMB")
    path = put(doctype.encode() + dump([bomb]).replace(b"BOMB", b"&l9;"))
    assert refusal(path) == "has a DOCTYPE, which no MediaWiki dump has; entities are not read from files"


def peak(read: Callable[[], object]) -> float:
    """Most memory that was taken meanwhile, in MiB; expat's too, as it allocates by Python's allocator."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def huge(path: Path, before: str, unit: bytes, after: str) -> Path:
    """A dump with 100 MB of `unit` inside."""
    with path.open("wb") as file:
        file.write(before.encode())
        for _ in range(100):
            file.write(unit * (10**6 // len(unit)))
        file.write(after.encode())
    return path


def halves(page: MadeUp) -> Iterator[str]:
    before, after = xml(page).split("HERE")
    yield HEAD + xml(OSLO) + before
    yield after + xml(BERGEN) + TAIL


@pytest.mark.parametrize("where", ["text", "title"])
def test_a_page_of_100_megabytes_is_left_out_in_little_memory(where: str, tmp_path: Path) -> None:
    page = MadeUp("Huge", "HERE") if where == "text" else MadeUp("HERE", "Text.")
    before, after = halves(page)
    read = Dump(huge(tmp_path / "d.xml", before, b"a line of text\n", after))
    articles: list[Article] = []
    assert peak(lambda: articles.extend(read)) < 30  # MAX_PAGE twice (parts, whole) and the pieces
    assert articles == PAIR
    assert read.dropped == {wikidump.LARGE if where == "text" else wikidump.NO_TITLE: 1}


@pytest.mark.parametrize(("opening", "unit"), [("<!-- ", b"comment "), ("<page a='", b"value "), ("<page", b"name")])
def test_a_tag_or_comment_of_100_megabytes_is_refused_in_little_memory(
    opening: str, unit: bytes, tmp_path: Path
) -> None:
    path = huge(tmp_path / "d.xml", HEAD + xml(OSLO) + opening, unit, TAIL)
    told: list[str] = []
    assert peak(lambda: told.append(refusal(path))) < 30
    assert told[0].startswith("a tag or comment of more than 1,048,576 bytes at byte ")


def test_a_bomb_of_bz2_is_unpacked_in_little_memory(put: Callable[[bytes], Path]) -> None:
    """One megabyte of blanks, packed into 60 bytes, 50 times: 3 kB that would be 50 MB."""
    blanks = bz2.compress(b" " * 10**6)
    path = put(bz2.compress(HEAD.encode()) + blanks * 50 + bz2.compress((xml(OSLO) + TAIL).encode()))
    articles: list[Article] = []
    assert peak(lambda: articles.extend(Dump(path))) < 15
    assert articles == PAIR[:1]


def test_memory_does_not_grow_with_the_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikidump, "CHUNK", 2**14)
    monkeypatch.setattr(wikidump, "BATCH", 2**14)

    def read(count: int) -> float:
        body = "\n== More ==\n" + "It has a river. " * 300
        path = write(tmp_path / f"{count}.bz2", (MadeUp(f"Town {n}", LEAD.format("It") + body) for n in range(count)))
        return peak(lambda: sum(1 for _ in Dump(path)))

    read(10)  # imports
    assert read(600) < 1.2 * read(150)  # 3 MB against 0.7 MB of XML
