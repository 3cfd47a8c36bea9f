"""A set as parquet has the rows of its JSON lines, in one type a field, and the same bytes every time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2eval.errors import DataError
from s2train.data.files import parquet
from s2train.data.files.jsonl import Sink
from s2train.data.files.parquet import write_parquet
from tests.s2train.data.folders import lines, rows

ROWS = [{"id": str(n), "text": f"é {n}\n", "score": n, "category": None if n % 2 else "Physics"} for n in range(10)]


def written(folder: Path, *files: Sequence[dict[str, Any]]) -> list[bytes]:
    """The parquet files of files with these rows."""
    sinks = [Sink(io.BytesIO()) for _ in files]
    paths = [lines(folder / f"{number}.jsonl", some) for number, some in enumerate(files)]
    write_parquet(list(zip(paths, sinks, strict=True)))
    data = [sink.file.getvalue() for sink in sinks if isinstance(sink.file, io.BytesIO)]
    assert [sink.sha256 for sink in sinks] == [hashlib.sha256(one).hexdigest() for one in data]
    return data


def table(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


def test_the_rows_and_their_order_are_those_of_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROWS", 3)  # a row group
    (data,) = written(tmp_path, ROWS)
    assert table(data).to_pylist() == ROWS == rows(tmp_path / "0.jsonl")
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups == 4  # 3 + 3 + 3 + 1
    types = {field.name: str(field.type) for field in table(data).schema}
    assert types == {"id": "string", "text": "string", "score": "int64", "category": "string"}


def test_a_field_that_some_rows_lack_is_null_there(tmp_path: Path) -> None:
    (data,) = written(tmp_path, [{"id": "a", "title": "A"}, {"id": "b", "score": 1}])
    assert table(data).to_pylist() == [
        {"id": "a", "title": "A", "score": None},
        {"id": "b", "title": None, "score": 1},
    ]


def test_both_sides_have_the_same_fields_even_one_without_a_row(tmp_path: Path) -> None:
    """`datasets` asks for that: it takes the fields of the first side for those of all."""
    train, validation, empty = written(tmp_path, [{"id": "a", "score": 1}], [{"id": "b", "title": "B"}], [])
    assert table(train).schema == table(validation).schema == table(empty).schema
    assert table(train).to_pylist() == [{"id": "a", "score": 1, "title": None}]
    assert table(validation).to_pylist() == [{"id": "b", "score": None, "title": "B"}]
    assert table(empty).num_rows == 0


def test_whole_and_broken_numbers_are_one_column_and_nothing_but_null_is_text(tmp_path: Path) -> None:
    (data,) = written(tmp_path, [{"n": 1, "no": None, "is": True}, {"n": 0.5, "no": None, "is": None}])
    assert [str(field.type) for field in table(data).schema] == ["double", "string", "bool"]
    assert table(data)["n"].to_pylist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("values", "told"),
    [((1, "a"), "int and str"), ((True, 1), "bool and int"), (([1], None), "list"), (({}, "a"), "dict and str")],
)
def test_a_field_of_two_types_is_refused(tmp_path: Path, values: tuple[Any, Any], told: str) -> None:
    with pytest.raises(DataError, match=f"field 'x' has values of {told}"):
        written(tmp_path, [{"x": value} for value in values])
    with pytest.raises(DataError, match=f"field 'x' has values of {told}"):
        written(tmp_path, *([{"x": value}] for value in values))  # one a side


def test_a_number_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a whole number of more than 64 bits"):
        written(tmp_path, [{"x": 2**63}])


ROW = st.fixed_dictionaries(
    {"id": st.text(alphabet=st.characters(exclude_categories=["Cs"]))},
    optional={"score": st.none() | st.integers(-(2**63), 2**63 - 1), "title": st.none() | st.just("é\n\u2028")},
)


@given(st.lists(ROW, min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_back_is_what_was_written_and_twice_the_same_bytes(tmp_path: Path, some: list[Any]) -> None:
    (data,) = written(tmp_path, some)
    names = dict.fromkeys(name for row in some for name in row)
    assert table(data).to_pylist() == [{name: row.get(name) for name in names} for row in some]
    assert written(tmp_path, some) == [data]
