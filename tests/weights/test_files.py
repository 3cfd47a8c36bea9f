"""Files that are not what their names say: pointers of Git LFS, halves, shards that are missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from s2eval.errors import PrerequisiteError
from s2eval.models import parse
from s2eval.models.cost.meta_model import MetaModel
from s2eval.models.sources.adapters import attach
from s2eval.weights import check_files, check_pointer, shapes, weight_files
from tests.models.trained import load

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 2336927755\n"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def sharded(model: Path) -> Path:
    load(model).save_pretrained(model, max_shard_size="30KB")
    (model / "model.safetensors").unlink()
    return model


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json"])
def test_a_pointer_in_a_models_folder(model: Path, name: str) -> None:
    (model / name).write_text(POINTER)
    with pytest.raises(PrerequisiteError, match=rf"{name} is a Git LFS pointer to 2,336,927,755 bytes.*git lfs pull"):
        parse(str(model))


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin", "adapter_config.json"])
def test_a_pointer_in_an_adapters_folder(adapter: Path, tiny_model: Path, name: str) -> None:
    if name.endswith(".bin"):
        (adapter / "adapter_model.safetensors").unlink()
    (adapter / name).write_text(POINTER)
    for use in (lambda: parse(f"adapter:{adapter}@{tiny_model}"), lambda: attach(load(tiny_model), str(adapter))):
        with pytest.raises(PrerequisiteError, match=rf"{name} is a Git LFS pointer"):
            use()


def test_a_pointer_in_the_place_of_a_shard(sharded: Path) -> None:
    path = weight_files(sharded, "model")[1]
    path.write_text(POINTER)
    with pytest.raises(PrerequisiteError, match=rf"{path.name} is a Git LFS pointer"):
        check_files(sharded, "model tiny")


def test_a_pointer_in_the_place_of_a_gguf(model: Path) -> None:
    (model / "tiny.gguf").write_text(POINTER)
    with pytest.raises(PrerequisiteError, match=r"tiny\.gguf is a Git LFS pointer"):
        check_files(model, "model tiny", gguf="tiny.gguf")


def test_pointers_to_what_is_not_read(model: Path) -> None:
    for name in ("pytorch_model.bin", "consolidated.safetensors", "tiny.Q8.gguf", "tokenizer.model", "logo.png"):
        (model / name).write_text(POINTER)
    parse(str(model))


def test_what_is_no_pointer(tmp_path: Path) -> None:
    for text in ("", "version 2", POINTER + "x" * 1024, "See version https://git-lfs.github.com/spec/v1"):
        (tmp_path / "file").write_text(text)
        check_pointer(tmp_path / "file")


def test_a_shard_that_is_missing(sharded: Path) -> None:
    path = weight_files(sharded, "model")[1]
    path.unlink()
    with pytest.raises(PrerequisiteError, match=rf"the shard {path.name} is missing, .* expects \d+ tensors in it"):
        parse(str(sharded))


HARM: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "zeros": lambda data: bytes(len(data)),
    "a page of HTML": lambda _: b"<!DOCTYPE html><html>Not found</html>",
}


@pytest.mark.parametrize("name", HARM)
@pytest.mark.parametrize("form", ["model.safetensors", "pytorch_model.bin"])
def test_weights_that_cannot_be_read(model: Path, name: str, form: str) -> None:
    path = model / form
    if form.endswith(".bin"):
        tensors = load_file(model / "model.safetensors")
        (model / "model.safetensors").unlink()
        torch.save(tensors, path)
    path.write_bytes(HARM[name](path.read_bytes()))
    with pytest.raises(PrerequisiteError, match=rf"model tiny: .*{form} cannot be read: it is truncated or damaged"):
        shapes(model, "model tiny")
    with pytest.raises(PrerequisiteError, match="truncated or damaged"):
        MetaModel(pretrained=str(model), device="cpu")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_json_that_broke_off(model: Path, name: str) -> None:
    (model / name).write_bytes((model / name).read_bytes()[:-20])
    with pytest.raises(PrerequisiteError, match=rf"model tiny: .*{name} cannot be read: it is truncated or damaged"):
        check_files(model, "model tiny")


def test_the_shapes_of_a_models_files(sharded: Path) -> None:
    found = shapes(sharded, "model tiny")
    assert found == {name: ("F32", tuple(tensor.shape)) for name, tensor in load(sharded).state_dict().items()}
