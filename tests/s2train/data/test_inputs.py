"""Whatever form records come in, the same records come out; what is wrong with an input is told by file and row."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from s2eval.errors import DataError
from s2train.data.eli5.pairs import Eli5Record
from s2train.data.files.inputs import first_row, is_parquet, open_input
from s2train.data.wiki.pairs import WikiRecord
from tests.s2train import dumps
from tests.s2train.data.folders import article, contents, lines, plain, post, refused, told
from tests.s2train.data.folders import built as build

POSTS = [post(number) for number in range(25)]


class Row(BaseModel):
    """What is asked of a row."""

    n: int
    text: str


def parquet(path: Path, rows: Iterable[Any], **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path, **options)
    return path


def refusal(text: object, model: type[BaseModel] = Row) -> str:
    with pytest.raises(DataError) as raised:
        list(open_input(str(text), model))
    return str(raised.value)


@pytest.fixture
def forms(tmp_path: Path) -> dict[str, str]:
    """The same posts in every form, under names that say nothing."""
    text = "".join(f"{json.dumps(row)}\n" for row in POSTS).encode()
    plain_file = lines(tmp_path / "a", POSTS)
    (tmp_path / "b").write_bytes(gzip.compress(text[:900]) + gzip.compress(text[900:]))
    dumps.write(tmp_path / "c.zst", text.splitlines(keepends=True)).rename(tmp_path / "c")
    parquet(tmp_path / "d", POSTS, row_group_size=7)
    folder = tmp_path / "posts"
    folder.mkdir()
    lines(folder / "train.jsonl", POSTS)
    return {
        "plain": str(plain_file),
        "gzip": str(tmp_path / "b"),
        "zstd": str(tmp_path / "c"),
        "parquet": str(tmp_path / "d"),
        "hub": f"hub:{folder}",
    }


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd", "parquet", "hub"])
def test_every_form_gives_the_same_records(forms: dict[str, str], form: str) -> None:
    found = open_input(forms[form], Eli5Record)
    assert list(found) == [Eli5Record.model_validate(row) for row in POSTS]
    assert found.rows == 25
    assert found.name == ("hub:posts" if form == "hub" else Path(forms[form]).name)
    if form != "hub":
        assert found.sha256 == hashlib.sha256(Path(forms[form]).read_bytes()).hexdigest()
    assert found.entries() == [{"name": found.name, "sha256": found.sha256, "records": 25}]
    assert first_row(forms[form])["q_id"] == "q0"


def test_every_form_builds_the_same_set(forms: dict[str, str], tmp_path: Path) -> None:
    made: list[dict[str, bytes]] = []
    for form, text in forms.items():
        build("eli5", "--input", text, "--out", tmp_path / form, "--config", plain(tmp_path))
        assert [one["records"] for one in told(tmp_path / form)["sets"]["eli5"]["inputs"]] == [25]
        made.append({name: data for name, data in contents(tmp_path / form).items() if "eli5/" in name})
    assert len(made[0]) == 4  # two sides, two forms
    assert all(one == made[0] for one in made)


def test_an_input_of_two_forms_is_read_as_one(forms: dict[str, str], tmp_path: Path) -> None:
    more = parquet(tmp_path / "more", [post(25), post(0)])  # the second is there already
    build("eli5", "--input", forms["gzip"], more, forms["hub"], "--out", tmp_path / "out", "--config", plain(tmp_path))
    one = told(tmp_path / "out")["sets"]["eli5"]
    assert one["read"] == 25 + 2 + 25
    assert one["funnel"][0]["reasons"] == {"id seen before": 1 + 25}
    assert [source["name"] for source in one["inputs"]] == ["b", "more", "hub:posts"]


# --- parquet ---


def test_parquet_as_the_hub_has_articles(tmp_path: Path) -> None:
    rows = [{"id": str(n), "url": "https://a.org", **article(n)} for n in range(2500)]  # more than are read at once
    path = parquet(tmp_path / "train-00000-of-00001.parquet", rows, compression="zstd")
    assert is_parquet(path)
    assert [one.title for one in open_input(str(path), WikiRecord)] == [row["title"] for row in rows]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"n": 1, "text": "a"}, {"n": 2, "text": None}], "row 2: field 'text': Input should be a valid string"),
        ([{"n": "x", "text": "a"}], "row 1: field 'n': Input should be a valid integer"),
        ([{"n": 1.5, "text": "a"}], "row 1: field 'n': Input should be a valid integer, got a number with a fract"),
        ([{"n": 1}], "row 1: field 'text': Field required"),
    ],
)
def test_a_row_that_is_not_what_is_asked_for(tmp_path: Path, rows: list[Any], message: str) -> None:
    path = parquet(tmp_path / "a.parquet", rows)
    assert refusal(path).startswith(f"{path}: {message}")


def test_a_score_that_is_missing_in_parquet_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a", [post(1), post(2, answers={"text": ["a"], "score": [None]})])
    assert refusal(path, Eli5Record).startswith(f"{path}: row 2: field 'answers.score.0': Input should be a valid int")


@pytest.mark.parametrize("cut", [4, 100, 0.5, -1])
def test_cut_parquet(tmp_path: Path, cut: float) -> None:
    path = parquet(tmp_path / "a.parquet", ({"n": n, "text": f"text {n}"} for n in range(3000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut if isinstance(cut, int) else len(whole) * cut)])
    assert refusal(path).startswith(f"cannot read {path}: ")


def test_damaged_parquet_is_an_error_or_does_not_matter(tmp_path: Path) -> None:
    """Fifty bytes set to 0xFF, in forty places: most are seen; a statistic, or an unused column, may not be."""
    path = parquet(tmp_path / "a.parquet", ({"n": n, "text": f"text {n * 7919 % 1009}"} for n in range(3000)))
    whole = path.read_bytes()
    messages: list[str] = []
    for place in range(4, len(whole) - 60, len(whole) // 40):
        path.write_bytes(whole[:place] + b"\xff" * 50 + whole[place + 50 :])
        try:
            list(open_input(str(path), Row))
        except DataError as error:
            messages.append(str(error))
    assert len(messages) >= 20
    assert all(message.startswith((f"cannot read {path}: ", f"{path}: row ")) for message in messages)
    assert not any("\n" in message for message in messages)


def test_text_that_is_no_utf_8(tmp_path: Path) -> None:
    table = pa.table({"n": [1], "text": pa.array([b"caf\xe9"]).view(pa.string())})
    pq.write_table(table, tmp_path / "a")
    assert refusal(tmp_path / "a").startswith(f"cannot read {tmp_path / 'a'}: 'utf-8' codec can't decode")


# --- the hub ---


def test_all_splits_of_a_data_set_come_one_after_the_other(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}])
    lines(tmp_path / "validation.jsonl", [{"n": 3, "text": "c"}])
    first = open_input(f"hub:{tmp_path}", Row)
    assert [row.n for row in first] == [1, 2, 3]
    again = open_input(f"hub:{tmp_path}", Row)
    assert ([row.n for row in again], again.sha256) == ([1, 2, 3], first.sha256)
    lines(tmp_path / "validation.jsonl", [{"n": 4, "text": "c"}])
    changed = open_input(f"hub:{tmp_path}", Row)
    assert list(changed)[-1].n == 4
    assert changed.sha256 != first.sha256


def test_a_configuration_of_a_data_set(tmp_path: Path) -> None:
    """As Wikipedia's on the hub: a name and the date with the language."""
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: old\n  data_files: a.jsonl\n- config_name: 20231101.simple\n"
        "  data_files: b.jsonl\n---\n"
    )
    lines(tmp_path / "a.jsonl", [{"n": 1, "text": "a"}])
    lines(tmp_path / "b.jsonl", [{"n": 2, "text": "b"}])
    found = open_input(f"hub:{tmp_path}:20231101.simple", Row)
    assert [row.n for row in found] == [2]
    assert found.name == f"hub:{tmp_path.name}:20231101.simple"
    assert "Config name is missing" in refusal(f"hub:{tmp_path}")
    assert "20231101.simpel" in refusal(f"hub:{tmp_path}:20231101.simpel")


def test_data_sets_that_cannot_be_read(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", [{"n": 1, "text": "a"}, {"n": 2}])
    assert refusal(f"hub:{tmp_path}").startswith(f"hub:{tmp_path.name}: train, row 2: field 'text': ")
    (tmp_path / "train.jsonl").write_bytes(b'{"n": 1, "text": "a"}\n{"n": \n')
    assert refusal(f"hub:{tmp_path}").startswith(f"hub:{tmp_path.name}: train cannot be read: ")
    (tmp_path / "train.jsonl").unlink()
    assert refusal(f"hub:{tmp_path}").startswith(f"hub:{tmp_path.name}: cannot be loaded: ")
    assert refusal("hub:nobody/nothing").startswith("hub:nobody/nothing: cannot be loaded: ")


# --- pipes ---


def feed(pipe: Path, data: bytes) -> threading.Thread:
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()
    return writer


def test_records_may_come_through_a_pipe(tmp_path: Path) -> None:
    data = gzip.compress("".join(f"{json.dumps(row)}\n" for row in POSTS).encode())
    writer = feed(tmp_path / "pipe", data)
    build("eli5", "--input", tmp_path / "pipe", "--out", tmp_path / "out", "--config", plain(tmp_path))
    writer.join(timeout=10)
    (source,) = told(tmp_path / "out")["sets"]["eli5"]["inputs"]
    assert source == {"name": "pipe", "sha256": hashlib.sha256(data).hexdigest(), "records": 25}


def test_preferences_are_not_made_of_a_pipe(tmp_path: Path) -> None:
    """What it holds is told by its first record, which would be gone."""
    os.mkfifo(tmp_path / "pipe")
    message = refused("preferences", "--input", tmp_path / "pipe", "--out", tmp_path / "out")
    assert f"{tmp_path / 'pipe'}: a pipe is read only once" in message
    assert not (tmp_path / "out").exists()


def test_the_first_row_of_nothing(tmp_path: Path) -> None:
    empty = lines(tmp_path / "empty", [])
    with pytest.raises(DataError, match="empty: no records"):
        first_row(str(empty))
    with pytest.raises(DataError, match=r"cannot read .*missing: No such file"):
        first_row(str(tmp_path / "missing"))
