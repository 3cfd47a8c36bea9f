"""A file's lines come out whole, whatever it is packed with; a cut, damaged or foreign file is told with its place."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2eval.errors import DataError
from s2train.data.files.lines import Lines
from tests.s2train import dumps
from tests.s2train.data.folders import words

ROWS = [b'{"n": %d, "text": "%s"}\n' % (number, words(number, 20).encode()) for number in range(400)]
TEXT = b"".join(ROWS)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write bytes to a file whose name says nothing."""

    def write_bytes(data: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return write_bytes


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as raised:
        list(Lines(path))
    message = str(raised.value)
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:").strip()


@given(
    st.lists(st.binary(max_size=30).filter(lambda row: b"\n" not in row), max_size=20),
    st.sampled_from(["a.json", "a.zst", "a.gz"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_in_are_lines_out(tmp_path: Path, rows: list[bytes], name: str) -> None:
    text = b"".join(row + b"\n" for row in (b"{", *rows))
    path = tmp_path / name
    if name == "a.gz":
        path.write_bytes(gzip.compress(text))
    else:
        dumps.write(path, text.splitlines(keepends=True))
    lines = Lines(path)
    assert b"".join(lines) == text
    assert (lines.lines, lines.size, lines.read) == (1 + len(rows), len(text), path.stat().st_size)
    assert lines.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_block_is_of_whole_lines_and_knows_how_many_went_before(put: Callable[[bytes], Path]) -> None:
    lines = Lines(put(gzip.compress(TEXT * 20)))
    before = 0
    for block in lines:
        assert block.endswith(b"}\n")
        assert lines.lines == before
        before += block.count(b"\n")
    assert before == lines.lines == 400 * 20


def test_an_empty_file_is_an_error_unless_it_may_be_one(put: Callable[[bytes], Path]) -> None:
    assert refusal(put(b"")) == "the file is empty; fetch it again"
    lines = Lines(put(b""), may_be_empty=True)
    assert list(lines) == []
    assert lines.sha256 == hashlib.sha256(b"").hexdigest()


def test_the_last_line_may_lack_its_end_but_no_more(put: Callable[[bytes], Path]) -> None:
    assert b"".join(Lines(put(TEXT.rstrip(b"\n")))) == TEXT
    assert b"".join(Lines(put(TEXT + b" \t"))) == TEXT
    told = f"400: cut off: the file ends within this line, at byte {len(TEXT) - 2:,}; fetch it again"
    assert refusal(put(TEXT[:-2])) == told
    assert refusal(put(gzip.compress(TEXT[:-2]))) == told


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (bz2.compress(TEXT), "bzip2"),
        (gzip.compress(bz2.compress(TEXT)), "bzip2"),  # what is inside counts
        (TEXT.decode().encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04....", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"\xfd7zXZ\x00", "xz"),
    ],
)
def test_what_is_something_else_is_called_by_its_name(put: Callable[[bytes], Path], data: bytes, name: str) -> None:
    assert refusal(put(data)) == f"{name}, where UTF-8, gzip or zstd is expected; convert it first"


def test_a_name_that_promises_zstd(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(b"<html>")
    assert refusal(path) == "not zstd, whatever its name says: it begins with b'<html>'"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_goes(put: Callable[[bytes], Path], pack: Callable[[bytes], bytes]) -> None:
    assert b"".join(Lines(put(pack(b"\xef\xbb\xbf" + TEXT)))) == TEXT


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2train.data.files.lines.MAX_LINE", 10**6)
    bomb = dumps.write(tmp_path / "bomb.zst", [b" " * 10**8])
    assert bomb.stat().st_size < 20_000
    assert refusal(bomb) == "1: a line of more than 1,000,000 bytes"


# --- gzip ---


def test_gzip_of_several_members(put: Callable[[bytes], Path]) -> None:
    parts = [TEXT[:1], TEXT[1:5000], b"", TEXT[5000:5001], TEXT[5001:]]  # borders within lines
    assert b"".join(Lines(put(b"".join(map(gzip.compress, parts))))) == TEXT


@pytest.mark.parametrize("zeros", [1, 511, 2**14 - 1, 2**14, 2**14 + 1, 3 * 2**14 + 7, 10**6])
def test_zeros_between_and_behind_members_are_padding(put: Callable[[bytes], Path], zeros: int) -> None:
    """The file is read 2¹⁴ bytes at a time: a block of zeros only is not its end."""
    one, other = gzip.compress(TEXT[:5000]), gzip.compress(TEXT[5000:])
    path = put(one + bytes(zeros) + other + bytes(zeros))
    lines = Lines(path)
    assert b"".join(lines) == TEXT
    assert lines.read == path.stat().st_size
    assert lines.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.99, 0.99999])
def test_cut_gzip_is_an_error_with_its_place(put: Callable[[bytes], Path], share: float) -> None:
    whole = gzip.compress(TEXT)
    cut = min(max(3, int(len(whole) * share)), len(whole) - 1)
    told = refusal(put(whole[:cut]))
    assert told.startswith(f"cut off: the gzip data end within a member, at byte {cut:,} of the file, after line ")


def test_gzip_cut_after_a_member_is_cut_within_a_line(put: Callable[[bytes], Path]) -> None:
    assert refusal(put(gzip.compress(TEXT[:5000]))).endswith("at byte 5,000; fetch it again")


def test_damaged_gzip_is_an_error_with_its_place(put: Callable[[bytes], Path]) -> None:
    whole = bytearray(gzip.compress(TEXT * 10))
    place = len(whole) // 2
    whole[place : place + 50] = bytes(50)
    told = refusal(put(bytes(whole)))
    assert told.startswith("damaged: Error -3 while decompressing data: ")
    start, end = (
        int(word.replace(",", "")) for word in told.split("between bytes ")[1].split(" of ")[0].split(" and ")
    )
    assert place < end <= len(whole)  # seen at the damage, or by the checksum behind it
    assert end - start <= 2**14


def test_a_wrong_checksum_is_seen(put: Callable[[bytes], Path]) -> None:
    whole = bytearray(gzip.compress(TEXT))
    whole[-8] ^= 1  # CRC-32 stands before the size
    assert refusal(put(bytes(whole))).startswith("damaged: Error -3 while decompressing data: incorrect data check")


def test_what_follows_the_members_is_no_padding(put: Callable[[bytes], Path]) -> None:
    told = refusal(put(gzip.compress(TEXT) + b"\0\0<html>"))
    assert told.startswith("damaged: Error -3 while decompressing data: incorrect header check")


@given(st.integers(0, 5000), st.binary(min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_passes_for_other_lines(tmp_path: Path, place: int, noise: bytes) -> None:
    """All lines, or an error: the checksum covers the text, and the header does not matter."""
    whole = gzip.compress(TEXT)
    place %= len(whole)
    damaged = (whole[:place] + noise + whole[place + len(noise) :])[: len(whole)]
    path = tmp_path / "file"
    path.write_bytes(damaged)
    if damaged.startswith(b"\x1f\x8b"):
        assert found(path) in (None, TEXT)
        assert found(path) is None or zlib.decompress(damaged, 16 + zlib.MAX_WBITS) == TEXT


def found(path: Path) -> bytes | None:
    try:
        return b"".join(Lines(path))
    except DataError:
        return None


# --- zstd ---


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_cut_zstd_is_an_error_with_its_place(tmp_path: Path, share: float) -> None:
    whole = dumps.write(tmp_path / "whole.zst", ROWS).read_bytes()
    cut = tmp_path / "cut.zst"
    cut.write_bytes(whole[: int(len(whole) * share)])
    told = refusal(cut)
    place = f"{int(len(whole) * share):,}"
    assert told.startswith(f"cut off: the zstd data end within a frame, at byte {place} of the file, after line ")


def test_damaged_zstd_is_an_error_with_its_place(tmp_path: Path) -> None:
    whole = bytearray(dumps.write(tmp_path / "a.zst", ROWS).read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 50] = bytes(50)
    (tmp_path / "a.zst").write_bytes(whole)
    assert refusal(tmp_path / "a.zst").startswith(("damaged: ", "cut off: "))


def test_several_frames_skippable_frames_and_a_byte_order_mark(tmp_path: Path) -> None:
    first = dumps.write(tmp_path / "1.zst", [b"\xef\xbb\xbf" + TEXT[:5000]]).read_bytes()
    second = dumps.write(tmp_path / "2.zst", [TEXT[5000:]]).read_bytes()
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00note"
    (tmp_path / "all.zst").write_bytes(skippable + first + skippable + second)
    assert b"".join(Lines(tmp_path / "all.zst")) == TEXT
