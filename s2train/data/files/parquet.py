"""A set's JSON lines as parquet, for `datasets` and its viewer: the same rows in the same order."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.errors import DataError
from s2eval.files import jsonl
from s2train.data.engine import batched
from s2train.data.files.jsonl import Sink

if TYPE_CHECKING:
    from typing_extensions import Buffer

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
    for lines, _ in files:
        for _, row in jsonl.records(lines):
            for name, value in row.items():
                types.setdefault(name, set()).add(type(value))
    columns = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, columns[_column_type(name, kinds)]) for name, kinds in types.items()])
    for lines, sink in files:
        with pq.ParquetWriter(pa.PythonFile(_Bytes(sink), mode="w"), schema) as writer:
            for group in batched((row for _, row in jsonl.records(lines)), _ROWS):
                try:
                    writer.write_table(pa.Table.from_pylist(group, schema))
                except OverflowError as error:
                    raise DataError("a whole number of more than 64 bits, of which parquet makes no column") from error


def _column_type(name: str, kinds: set[type]) -> type:
    kinds = kinds - {type(None)}
    if not kinds:
        return str
    if kinds == {int, float}:
        return float
    if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(f"field {name!r} has values of {names}, of which parquet makes no column")
    return kinds.pop()


class _Bytes(io.RawIOBase):
    """What pyarrow writes to."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        content = bytes(data)
        self._sink.append(content)
        self._at += len(content)
        return len(content)

    def tell(self) -> int:
        return self._at
