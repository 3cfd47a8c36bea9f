"""A file of lines, plain, gzip or zstd, in blocks of complete lines; errors say where a file is cut or foreign."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from s2eval.errors import DataError, PrerequisiteError
from s2eval.files import jsonl

if TYPE_CHECKING:
    from _hashlib import HASH

MAX_WINDOW = 2**31  # what Reddit's dumps ask for; zstd's own limit on 64 bits
MAX_LINE = 2**26  # bytes; the longest lines of Reddit's dumps have some hundred thousand

_COMPRESSED = 2**14  # bytes of zstd at a time: at its best ratio, 1 : 32,768, they become 512 MiB
_PLAIN = 2**18
_GZIP_ONLY = 16 + zlib.MAX_WBITS

_ZSTD = b"\x28\xb5\x2f\xfd"
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Lines:
    """The lines of a file or a pipe, to be read once, in order; its first bytes tell whether it is gzip or zstd.

    Attributes:
        may_be_empty: a file without a byte has no lines; otherwise it is an error.
        read: bytes read of the file.
        size: bytes of lines.
        lines: lines before the block that the iteration has given last; when it has ended, all.
    """

    path: Path
    may_be_empty: bool = False
    read: int = 0
    size: int = 0
    lines: int = 0
    hash: HASH = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Of the file's bytes as read, in hex."""
        return self.hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """Blocks of complete lines, each line with its `\\n`; of a UTF-8 file without the byte order mark.

        Raises:
            DataError: the file cannot be read, is empty, neither plain UTF-8 nor gzip nor zstd, damaged or cut off, or
                a line has more than `MAX_LINE` bytes.
            PrerequisiteError: there is not enough memory for the window.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._blocks(file)
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error

    def _blocks(self, file: BinaryIO) -> Iterator[bytes]:
        rest: list[bytes] = []  # of the line that has not ended yet
        for data in self._contents(file):
            end = data.rfind(b"\n") + 1
            if end:
                block = b"".join((*rest, data[:end]))
                rest = [data[end:]]
                yield block
                self.lines += block.count(b"\n")
            else:
                rest.append(data)
                if sum(map(len, rest)) > MAX_LINE:
                    raise DataError(f"{self.path}:{self.lines + 1}: a line of more than {MAX_LINE:,} bytes")
        last = b"".join(rest)
        if last.strip():
            if not last.rstrip().endswith(b"}"):
                raise DataError(
                    f"{self.path}:{self.lines + 1}: cut off: the file ends within this line, at byte {self.size:,}; "
                    "fetch it again"
                )
            yield last + b"\n"
            self.lines += 1

    def _contents(self, file: BinaryIO) -> Iterator[bytes]:
        """The file's text in pieces as they come, checked at its beginning."""
        first = self._chunk(file, _COMPRESSED)
        if not first:
            if self.may_be_empty:
                return
            raise DataError(f"{self.path}: the file is empty; fetch it again")
        zstd = first.startswith(_ZSTD) or (first[1:4] == b"\x2a\x4d\x18" and first[0] >> 4 == 5)  # or skippable
        if not zstd and self.path.suffix == ".zst":
            raise DataError(f"{self.path}: not zstd, whatever its name says: it begins with {first[:8]!r}")
        read = self._zstd if zstd else self._gzip if first.startswith(_GZIP) else self._plain
        for data in read(first, file):
            if not self.size:
                jsonl.check_plain(self.path, data, "UTF-8, gzip or zstd")
            yield data if self.size else data.removeprefix(jsonl.BOM)
            self.size += len(data)

    def _plain(self, first: bytes, file: BinaryIO) -> Iterator[bytes]:
        yield first
        while data := self._chunk(file, _PLAIN):
            yield data

    def _gzip(self, first: bytes, file: BinaryIO) -> Iterator[bytes]:
        """All members, one after the other; zeros between and behind them are the padding of tapes."""
        member, chunk = zlib.decompressobj(_GZIP_ONLY), first
        while chunk:
            if member.eof and (chunk := chunk.lstrip(b"\0")):
                member = zlib.decompressobj(_GZIP_ONLY)
            if chunk:
                try:
                    data = member.decompress(chunk)
                except zlib.error as error:
                    raise self._damaged(str(error), max(0, self.read - _COMPRESSED)) from error
                chunk = member.unused_data
                if data:
                    yield data
            chunk = chunk or self._chunk(file, _COMPRESSED)
        if not member.eof:
            raise self._cut_off("gzip data end within a member")

    def _zstd(self, first: bytes, file: BinaryIO) -> Iterator[bytes]:
        """All frames, one after the other; zstandard's own stream reader does not notice that a file is cut."""
        from zstandard import ZstdDecompressor, ZstdError

        decompressor = ZstdDecompressor(max_window_size=MAX_WINDOW)
        frame = decompressor.decompressobj()
        chunk, read = first, 0
        while chunk:
            while chunk:
                if frame.eof:
                    frame = decompressor.decompressobj()
                try:
                    data = frame.decompress(chunk)
                except (ZstdError, MemoryError) as error:
                    raise self._damaged(str(error), read) from error
                chunk = frame.unused_data if frame.eof else b""
                if data:
                    yield data
            read = self.read
            chunk = self._chunk(file, _COMPRESSED)
        if not frame.eof:
            raise self._cut_off("zstd data end within a frame")

    def _chunk(self, file: BinaryIO, size: int) -> bytes:
        data = file.read(size)
        self.hash.update(data)
        self.read += len(data)
        return data

    def _cut_off(self, where: str) -> DataError:
        return DataError(
            f"{self.path}: cut off: the {where}, at byte {self.read:,} of the file, after line {self.lines:,}; "
            "fetch it again"
        )

    def _damaged(self, message: str, start: int) -> DataError | PrerequisiteError:
        message = message.removeprefix("zstd decompress error: ")
        if "not enough memory" in message or not message:  # a MemoryError has no message
            return PrerequisiteError(
                f"{self.path}: not enough memory to decompress: its frames may ask for a window of up to 2 GiB"
            )
        if "too much memory" in message:
            return DataError(f"{self.path}: asks for a window of more than 2 GiB, zstd's limit")
        return DataError(
            f"{self.path}: damaged: {message}, between bytes {start:,} and {self.read:,} of the file, "
            f"after line {self.lines:,}; fetch it again"
        )
