"""Heads of safetensors files, shards with an index, and the fingerprint of a model's weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, load_file, save_file

from s2eval.errors import PrerequisiteError, UsageError
from s2train.weights import header, shards, tensors
from s2train.weights.header import Entry

DTYPES = st.sampled_from(["BF16", "F16", "F32", "U8", "I64"])
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)


@given(st.dictionaries(st.text(max_size=8), st.tuples(DTYPES, SHAPES), max_size=6))
def test_a_head_is_what_safetensors_reads(about: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    about.pop("__metadata__", None)
    entries = [Entry(name, dtype, shape) for name, (dtype, shape) in about.items()]
    head, placed = header.placed(entries)
    body = b"\1" * sum(entry.size for entry in entries)
    found = load(head + body)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {one.name: one.shape for one in entries}
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        one.name: tensors.DTYPES[one.dtype] for one in entries
    }
    assert len(head) % 8 == 0
    for entry in placed:  # each where its type may begin
        assert entry.start % header.SIZES[entry.dtype] == 0


def test_a_head_that_safetensors_wrote(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    made = {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": torch.ones(3).bfloat16(),
        "c": torch.tensor(7),
        "d": torch.empty(0),
    }
    save_file(made, path, {"format": "pt"})
    entries = header.read(path)
    assert [entry.start for entry in entries] == sorted(entry.start for entry in entries)
    for entry in entries:
        assert torch.equal(tensors.load(shards.Place(path, entry)), made[entry.name])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def shorten_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def overstate(path: Path) -> None:
    path.write_bytes((10**9).to_bytes(8, "little") + path.read_bytes()[8:])


def garble(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:8] + b"[" + data[9:])


def swap_types(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F99"'))


def widen(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"[2,3]", b"[2,4]"))


@pytest.mark.parametrize("harm", [cut, lengthen, shorten_to_nothing, overstate, garble, swap_types, widen])
def test_a_broken_file_is_told(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(2, 3)}, path)
    harm(path)
    with pytest.raises(PrerequisiteError, match="no whole safetensors file") as caught:
        shards.find(tmp_path)
    assert str(path) in str(caught.value)


def sharded(folder: Path) -> Path:
    folder.mkdir()
    files = {"one.safetensors": {"a": torch.ones(2)}, "two.safetensors": {"b": torch.zeros(2), "c": torch.ones(1)}}
    for name, made in files.items():
        save_file(made, folder / name)
    weight_map = {tensor: name for name, made in files.items() for tensor in made}
    (folder / shards.INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return folder


def test_shards_and_index(tmp_path: Path) -> None:
    found = shards.find(sharded(tmp_path / "model"))
    assert {name: [one.name for one in entries] for name, entries in found.files.items()} == {
        "one.safetensors": ["a"],
        "two.safetensors": ["b", "c"],
    }


def test_a_missing_shard_is_told_with_what_it_holds(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "model")
    (folder / "two.safetensors").unlink()
    with pytest.raises(PrerequisiteError, match=r"shard two.safetensors is missing.*2 tensors"):
        shards.find(folder)


def test_a_shard_of_another_model_is_told(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "model")
    save_file({"b": torch.zeros(2)}, folder / "two.safetensors")  # c is lost
    with pytest.raises(PrerequisiteError, match=r"disagree about 1 tensors \(c\)"):
        shards.find(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": "../one.safetensors"}}'])
def test_a_broken_index_is_told(tmp_path: Path, text: str) -> None:
    folder = sharded(tmp_path / "model")
    (folder / shards.INDEX).write_text(text)
    with pytest.raises(PrerequisiteError, match="weight_map"):
        shards.find(folder)


@pytest.mark.parametrize(("name", "kind"), [("pytorch_model.bin", "pickle"), ("model.Q4.gguf", "GGUF")])
def test_other_formats_are_named(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=rf"weights are {kind} \({name}\).*save_pretrained"):
        shards.find(tmp_path)


def test_no_weights_at_all(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="no weights"):
        shards.find(tmp_path)


# --- the fingerprint -------------------------------------------------------------------------------------------


def test_the_fingerprint_is_of_the_tensors_not_of_the_files(tmp_path: Path) -> None:
    apart = sharded(tmp_path / "apart")
    together = tmp_path / "together"
    together.mkdir()
    made = {name: tensor for path in apart.glob("*.safetensors") for name, tensor in load_file(path).items()}
    save_file(made, together / "model.safetensors", {"format": "pt", "note": "another head"})
    expected = shards.fingerprint(shards.find(apart))
    assert shards.fingerprint(shards.find(together)) == expected
    for changed in (
        {**made, "a": made["a"] + 1},
        {**made, "a": made["a"].reshape(2, 1)},
        {**made, "a": made["a"].bfloat16()},
        {**made, "d": torch.ones(1)},
    ):
        save_file(changed, together / "model.safetensors")
        assert shards.fingerprint(shards.find(together)) != expected


def test_the_fingerprint_sees_any_mebibyte(tmp_path: Path) -> None:
    """3 MiB of zeros: the first 4 KiB of each MiB are looked at."""
    numbers = torch.zeros(3 << 18)
    save_file({"a": numbers}, tmp_path / "model.safetensors")
    seen = {shards.fingerprint(shards.find(tmp_path))}
    for place in (0, 1 << 18, (2 << 18) + 1023):
        changed = numbers.clone()
        changed[place] = 1
        save_file({"a": changed}, tmp_path / "model.safetensors")
        seen.add(shards.fingerprint(shards.find(tmp_path)))
    assert len(seen) == 4  # the plain one and three more
