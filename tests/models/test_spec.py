"""What may be typed as MODEL, what is refused and how, and what tells one model from another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from s2eval.errors import DataError, PrerequisiteError, UnknownNameError, UsageError
from s2eval.models import ModelSpec, base_of, identity, parse


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be damaged."""
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def adapter(tmp_path: Path, tiny_model: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tiny_model)}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


# --- forms -----------------------------------------------------------------------------------------------------


def test_a_folder(tiny_model: Path) -> None:
    assert parse(str(tiny_model)) == ModelSpec(str(tiny_model), str(tiny_model))


def test_a_folder_below_this_one(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_model.parent)
    assert parse("tiny").pretrained == "tiny"
    assert parse("./tiny").pretrained == "tiny"


@pytest.mark.parametrize("name", ["meta-llama/Llama-2-7b-hf", "gpt2"])
def test_a_hub_id(name: str) -> None:
    assert parse(name) == ModelSpec(name, name)


def test_an_embedded_model(smollm2: Path) -> None:
    assert parse("smollm2") == ModelSpec("smollm2", str(smollm2))


def test_an_adapter_with_its_base(adapter: Path, tiny_model: Path) -> None:
    spec = parse(f"adapter:{adapter}@{tiny_model}")
    assert (spec.pretrained, spec.peft) == (str(tiny_model), str(adapter))
    assert spec.checkpoint == str(adapter)  # where s2train.json lies


def test_an_adapter_whose_configuration_names_the_base(adapter: Path, tiny_model: Path) -> None:
    spec = parse(f"adapter:{adapter}")
    assert (spec.pretrained, spec.peft) == (str(tiny_model), str(adapter))


@pytest.mark.parametrize("name", ["smollm2", "smollm2-nf4"])
def test_an_adapter_on_an_embedded_base(name: str, adapter: Path, smollm2: Path) -> None:
    assert parse(f"adapter:{adapter}@{name}").pretrained == str(smollm2.parent / f"{name}-v1")


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """`cached(repository, commit, config, file)`: as if that file of a hub repository had been downloaded."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def place(repository: str, commit: str, config: dict[str, object], file: str = "adapter_config.json") -> None:
        folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        (folder / "snapshots" / commit).mkdir(parents=True)
        (folder / "snapshots" / commit / file).write_text(json.dumps(config))
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(commit)

    return place


def test_an_adapter_of_the_hub_names_its_base(cached: Callable[..., None], tiny_model: Path) -> None:
    cached("some/adapter", "a" * 40, {"base_model_name_or_path": str(tiny_model)})
    spec = parse("adapter:some/adapter")
    assert (spec.pretrained, spec.peft) == (str(tiny_model), "some/adapter")
    cached("some/other", "a" * 40, {"base_model_name_or_path": "meta-llama/Llama-2-13b-hf"})
    assert parse("adapter:some/other").pretrained == "meta-llama/Llama-2-13b-hf"


# --- refusals --------------------------------------------------------------------------------------------------


def test_models_that_do_not_run_here() -> None:
    with pytest.raises(UsageError, match="openai:gpt-4: models behind an API answer questions only"):
        parse("openai:gpt-4")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is here")
def test_vllm_must_be_installed(tiny_model: Path) -> None:
    with pytest.raises(PrerequisiteError, match=r"vLLM is not installed: pip install -e '?/.*\[vllm\]"):
        parse(f"vllm:{tiny_model}")


@pytest.mark.parametrize(
    ("name", "right"), [("smolm2", "smollm2"), ("smollm2_nf4", "smollm2-nf4"), ("SmolLM2", "smollm2")]
)
def test_a_misspelt_embedded_model(name: str, right: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown model '{name}'; did you mean '{right}'?"):
        parse(name)


@pytest.mark.parametrize("name", ["./no/such", "/no/such/model", "~/no-such-model", "runs/eli5/checkpoint"])
def test_a_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(PrerequisiteError, match=f"model {name}: no folder {Path(name).expanduser()}"):
        parse(name)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"")
    with pytest.raises(PrerequisiteError, match="no folder"):
        parse(str(path))


def test_no_configuration(model: Path) -> None:
    (model / "config.json").unlink()
    with pytest.raises(PrerequisiteError, match=f"{model} has no config.json; is it a Hugging Face model folder"):
        parse(str(model))


def test_no_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(PrerequisiteError, match=rf"{model} has no weights \(\*.safetensors"):
        parse(str(model))


def test_no_tokenizer(model: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    with pytest.raises(PrerequisiteError) as caught:
        parse(str(model))
    assert f"{model} has no tokenizer" in str(caught.value)
    assert "AutoTokenizer.from_pretrained(BASE).save_pretrained(FOLDER)" in str(caught.value)  # the command that mends


def test_a_settings_file_alone_is_no_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()  # tokenizer_config.json stays: names, but no vocabulary
    with pytest.raises(PrerequisiteError, match="has no tokenizer"):
        parse(str(model))


def test_an_adapter_without_name() -> None:
    with pytest.raises(UsageError, match="expected adapter:PATH or adapter:PATH@BASE"):
        parse("adapter:")


def test_an_adapter_that_is_not_there(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(DataError, match=r"adapter_config\.json: cannot be read"):
        parse(f"adapter:{tmp_path / 'none'}")
    with pytest.raises(PrerequisiteError, match=f"no folder {tmp_path / 'none'}"):
        parse(f"adapter:{tmp_path / 'none'}@{tiny_model}")


def test_an_adapter_of_the_hub_that_is_not_here(cached: Callable[..., None], tiny_model: Path) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        parse("adapter:some/adapter")
    assert str(caught.value) == (
        "adapter some/adapter: no folder of that name, and its adapter_config.json cannot be had from the hub: it is "
        "not in the cache and the hub cannot be reached. Check the name, or download it where there is a network: "
        "hf download some/adapter"
    )
    assert parse(f"adapter:some/adapter@{tiny_model}").peft == "some/adapter"  # looked for when it is loaded


@pytest.mark.parametrize("name", ["an adapter", "some/ad apter"])
def test_an_adapter_that_can_be_nowhere(name: str) -> None:
    with pytest.raises(PrerequisiteError, match="that is neither a folder nor a hub id"):
        parse(f"adapter:{name}")


def test_an_adapter_whose_base_is_not_there(adapter: Path, tmp_path: Path) -> None:
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "gone")}))
    with pytest.raises(PrerequisiteError) as caught:
        parse(f"adapter:{adapter}")
    assert str(caught.value) == (
        f"model adapter:{adapter} (base: its adapter_config.json's; for another adapter:{adapter}@BASE): "
        f"no folder {tmp_path / 'gone'}"
    )


def test_an_adapter_without_weights(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(PrerequisiteError, match=f"{adapter} has no weights"):
        parse(f"adapter:{adapter}")


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"base_model_name_or_path": null}'])
def test_an_adapter_that_names_no_base(adapter: Path, content: str) -> None:
    (adapter / "adapter_config.json").write_text(content)
    with pytest.raises(DataError, match=f"names no base model; name it: adapter:{adapter}@BASE"):
        base_of(str(adapter))


# --- identity --------------------------------------------------------------------------------------------------


def of(folder: Path) -> str:
    return identity(parse(str(folder)))


def test_a_copy_is_the_same_model(model: Path, tiny_model: Path) -> None:
    assert of(model) == of(tiny_model)
    assert len(of(model)) == 16


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_is_another_model(model: Path, tiny_model: Path, name: str, where: str) -> None:
    content = bytearray((model / name).read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[where]] ^= 1
    (model / name).write_bytes(content)
    assert of(model) != of(tiny_model)


def test_one_trained_matrix_in_the_middle_of_large_weights_is_another_model(model: Path) -> None:
    """Two merges into one base differ in a few matrices only; size, first and last tensors are the same."""
    path = model / "model.safetensors"
    size = 64 << 20
    with path.open("wb") as file:
        file.truncate(size)
    before = of(model)
    with path.open("r+b") as file:
        file.seek(size // 2 - 3)
        file.write(bytes([1]) * (2 << 20))  # a matrix of 2 MiB
    assert of(model) != before


def test_a_file_more_is_another_model(model: Path, tiny_model: Path) -> None:
    (model / "s2train.json").write_text("{}")
    assert of(model) != of(tiny_model)


def test_hidden_files_do_not_count(model: Path, tiny_model: Path) -> None:
    (model / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert of(model) == of(tiny_model)


def test_an_adapter_is_another_model_than_its_base(adapter: Path, tiny_model: Path) -> None:
    assert identity(parse(f"adapter:{adapter}")) != of(tiny_model)


def test_an_adapter_is_told_by_its_base_too(adapter: Path, model: Path, tiny_model: Path) -> None:
    assert identity(parse(f"adapter:{adapter}@{model}")) == identity(parse(f"adapter:{adapter}@{tiny_model}"))
    (model / "s2train.json").write_text("{}")
    assert identity(parse(f"adapter:{adapter}@{model}")) != identity(parse(f"adapter:{adapter}@{tiny_model}"))


def test_any_byte_of_a_large_adapter_counts(adapter: Path) -> None:
    """Its matrices are smaller than the steps in which a whole model's weights are looked at."""
    path = adapter / "adapter_model.safetensors"
    with path.open("wb") as file:
        file.truncate(20 << 20)
    before = identity(parse(f"adapter:{adapter}"))
    with path.open("r+b") as file:
        file.seek((7 << 20) + 12345)
        file.write(b"\1")
    assert identity(parse(f"adapter:{adapter}")) != before


def test_an_adapter_of_the_hub_is_told_by_its_commit(cached: Callable[..., None]) -> None:
    config = {"base_model_name_or_path": "some/base"}
    found: set[str] = set()
    for commit in ("a" * 40, "b" * 40):
        cached("some/adapter", commit, config)
        found.add(identity(parse("adapter:some/adapter")))
    assert len(found) == 2


def test_a_hub_id_is_told_by_its_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    unknown = identity(ModelSpec("some/model", "some/model"))
    found: set[str] = set()
    for commit in ("a" * 40, "b" * 40):
        snapshot = tmp_path / "models--some--model" / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
        (snapshot.parent.parent / "refs").mkdir(exist_ok=True)
        (snapshot.parent.parent / "refs" / "main").write_text(commit)
        found.add(identity(ModelSpec("some/model", "some/model")))
    assert len(found | {unknown}) == 3
