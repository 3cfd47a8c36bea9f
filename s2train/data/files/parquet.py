"""A set's JSON lines as parquet, for `datasets` and its viewer: the same rows in the same order."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from s2eval.errors import DataError
from s2eval.files import jsonl
from s2train.data.files.jsonl import Sink

_ROWS = 5000  # a row group, and what is in memory


def write_parquet(files: Sequence[tuple[Path, Sink]]) -> None:
    """Write the rows of JSONL files, each to its sink: all with the fields of any of them, null where one is missing.

    Each field has the one type that its values have. The same lines give the same bytes, with one version of pyarrow.

    Raises:
        DataError: a field has values of two types, or a whole number has more than 64 bits.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[str, set[type]] = {}
    for row in chain.from_iterable(_rows(lines) for lines, _ in files):
        for name, value in row.items():
            types.setdefault(name, set()).add(type(value))
    schema = pa.schema([(name, _arrow(name, found, pa)) for name, found in types.items()])
    for lines, sink in files:
        with pq.ParquetWriter(pa.PythonFile(_Bytes(sink), mode="w"), schema) as writer:
            rows = _rows(lines)
            while group := list(islice(rows, _ROWS)):
                try:
                    writer.write_table(pa.Table.from_pylist(group, schema))
                except OverflowError as error:
                    raise DataError("a whole number of more than 64 bits, of which parquet makes no column") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for _, record in jsonl.records(path):
        yield record


def _arrow(name: str, found: set[type], pa: Any) -> Any:
    kinds = found - {type(None)}
    if kinds == {int, float}:
        kinds = {float}
    known = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if not kinds:
        return pa.string()
    if len(kinds) > 1 or not kinds <= known.keys():
        named = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(f"field {name!r} has values of {named}, of which parquet makes no column")
    return known[kinds.pop()]


class _Bytes(io.RawIOBase):
    """What pyarrow writes to."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._sink.append(bytes(data))
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at
