"""What cannot be merged, or does not fit, is told by name, and before anything is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from s2eval.errors import DataError, PrerequisiteError, S2Error, UsageError
from s2train.weights import shards
from tests.s2train.merge import tiny


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    base = tiny.base(folder / "base", shard="100KB")
    return base, tiny.train(tiny.load(base), folder / "adapter", target_modules=["q_proj", "down_proj"])


@pytest.fixture
def base(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(pair[0], tmp_path / "base"))


@pytest.fixture
def adapter(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(pair[1], tmp_path / "adapter"))


def told(base: Path, adapters: Any, *, kind: type[S2Error] = UsageError, **options: Any) -> str:
    """The message with which a merge is refused; nothing must have been written."""
    out = base.parent / "out"
    before = set(base.parent.iterdir())
    with pytest.raises(kind) as caught:
        tiny.merged(base, adapters, out, options.pop("method", "bf16"), **options)
    assert set(base.parent.iterdir()) == before
    return str(caught.value)


# --- adapters that are more than LoRA --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["IA3", "LOHA", "LOKR", "VERA", "ADALORA", "OFT", "PREFIX_TUNING", "TRAINABLE_TOKENS"])
def test_other_methods_of_peft(base: Path, adapter: Path, kind: str) -> None:
    assert f"peft_type {kind} cannot be merged here" in told(base, tiny.edit_config(adapter, peft_type=kind))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target_parameters", ["mlp.experts.gate_up_proj"]),
        ("trainable_token_indices", [5]),
        ("layer_replication", [[0, 1]]),
        ("alora_invocation_tokens", [5]),
        ("use_qalora", True),
        ("megatron_config", {"a": 1}),
        ("arrow_config", {"top_k": 2}),
        ("kasa_config", {"beta": 1e-4}),
        ("ensure_weight_tying", True),
        ("something_of_next_year", True),
    ],
)
def test_settings_that_nobody_here_merges(base: Path, adapter: Path, key: str, value: Any) -> None:
    assert f"sets {key}, which cannot be merged here" in told(base, tiny.edit_config(adapter, **{key: value}))


@pytest.mark.parametrize("initial", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga", "mica"])
def test_first_weights_that_changed_the_base(base: Path, adapter: Path, initial: str) -> None:
    message = told(base, tiny.edit_config(adapter, init_lora_weights=initial))
    assert f"init_lora_weights is '{initial}'" in message
    assert "path_initial_model_for_weight_conversion" in message


@pytest.mark.parametrize("initial", [True, False, "gaussian", "eva", "orthogonal"])
def test_first_weights_that_did_not(base: Path, adapter: Path, initial: Any) -> None:
    tiny.job(base, tiny.edit_config(adapter, init_lora_weights=initial), base.parent / "out")


def test_other_tasks(base: Path, adapter: Path) -> None:
    assert "task_type TOKEN_CLS cannot be merged" in told(base, tiny.edit_config(adapter, task_type="TOKEN_CLS"))


def test_a_bias_of_b_where_the_base_has_none(base: Path, adapter: Path) -> None:
    message = told(base, tiny.edit_config(adapter, lora_bias=True))
    assert "lora_bias is set, but model.layers.0.self_attn.q_proj of the base has no bias" in message


@pytest.mark.parametrize("options", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}])
def test_several_adapters_of_which_one_can_be_merged_alone_only(
    base: Path, adapter: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    other = tiny.train(tiny.load(base), tmp_path / "other", **options)
    assert "merged alone" in told(base, [adapter, other])


def test_several_adapters_for_different_tasks(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = tiny.train(tiny.load(base, classifier=True), tmp_path / "other", task_type="SEQ_CLS")
    assert "different tasks" in told(base, [adapter, other])


def test_weights_without_adapters(base: Path, adapter: Path) -> None:
    assert "1 adapters, but 2 weights" in told(base, adapter, weights=(1.0, 2.0))


# --- adapters that do not fit ----------------------------------------------------------------------------------


def rename(tensors: dict[str, torch.Tensor]) -> None:
    key = next(iter(tensors))
    tensors[key.replace("layers.0", "layers.7")] = tensors.pop(key)


def test_a_tensor_without_a_place(base: Path, adapter: Path) -> None:
    message = told(base, tiny.edit_tensors(adapter, rename))
    assert "1 of its 8 tensors have no place there (base_model.model.model.layers.7." in message
    assert "Is that the base it was trained on?" in message


def test_a_tensor_too_few(base: Path, adapter: Path) -> None:
    message = told(base, tiny.edit_tensors(adapter, lambda tensors: tensors.popitem()))
    assert "its configuration asks for 1 tensors that its file lacks (base_model.model." in message


def test_a_whole_tensor_more(base: Path, adapter: Path) -> None:
    extra = {"base_model.model.model.layers.0.self_attn.z_proj.weight": torch.ones(2, 2)}
    assert "z_proj.weight" in told(base, tiny.edit_tensors(adapter, lambda tensors: tensors.update(extra)))


def test_another_rank_than_the_configuration_says(base: Path, adapter: Path) -> None:
    message = told(base, tiny.edit_config(adapter, r=8))
    assert "lora_A.weight is 4×160, there 8×160" in message


def test_a_base_of_other_sizes(adapter: Path, tmp_path: Path) -> None:
    other = tiny.base(tmp_path / "base", hidden_size=32)
    message = told(other, adapter)
    assert "tensors have another shape there" in message
    assert "Its adapter_config.json names" in message


def test_a_base_of_another_architecture(adapter: Path, tmp_path: Path) -> None:
    message = told(tiny.base(tmp_path / "base", kind="gpt2"), adapter)
    assert "PEFT cannot put it on GPT2LMHeadModel" in message
    assert "Is that the base it was trained on?" in message


def test_other_weights_than_those_of_the_training(base: Path, adapter: Path, tmp_path: Path) -> None:
    right = {"name": "base", "sha256": shards.fingerprint(shards.find(base))}
    (adapter / "s2train.json").write_text(json.dumps({"template": "s2", "base": right}))
    tiny.job(base, adapter, tmp_path / "out")
    shutil.rmtree(base)
    tiny.base(base, seed=1)  # same shapes, other numbers
    assert f"fingerprint {right['sha256'][:12]}" in told(base, adapter)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_adapter_whose_training_diverged(base: Path, adapter: Path, value: float) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        next(iter(tensors.values()))[0, 0] = value

    message = told(base, tiny.edit_tensors(adapter, spoil), kind=PrerequisiteError)
    assert "NaN or infinity stands in base_model.model." in message


def test_an_untrained_adapter_is_noted(base: Path, tmp_path: Path) -> None:
    adapter = tiny.train(tiny.load(base), tmp_path / "untrained", step=0)
    assert any("every B matrix is zero" in note for note in tiny.job(base, adapter, tmp_path / "out").notes)


def test_a_base_of_another_name_is_noted(base: Path, adapter: Path, tmp_path: Path) -> None:
    assert not tiny.job(base, adapter, tmp_path / "out").notes  # the adapter names …/base
    tiny.edit_config(adapter, base_model_name_or_path="org/other")
    assert any("names org/other as its base" in note for note in tiny.job(base, adapter, tmp_path / "out").notes)


# --- broken files ----------------------------------------------------------------------------------------------

BREAKS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "no folder": (lambda base, adapter: shutil.rmtree(base), "no folder"),
    "no config": (lambda base, adapter: (base / "config.json").unlink(), "no config.json"),
    "an unknown architecture": (
        lambda base, adapter: (base / "config.json").write_text('{"model_type": "nothing"}'),
        "transformers cannot make it",
    ),
    "a missing shard": (lambda base, adapter: min(base.glob("*.safetensors")).unlink(), "is missing"),
    "a cut shard": (
        lambda base, adapter: (path := max(base.glob("*.safetensors"))).write_bytes(path.read_bytes()[:-9]),
        "no whole safetensors file",
    ),
    "no adapter weights": (lambda base, adapter: (adapter / tiny.WEIGHTS).unlink(), "neither"),
    "a cut adapter": (
        lambda base, adapter: (path := adapter / tiny.WEIGHTS).write_bytes(path.read_bytes()[:-9]),
        "no whole safetensors file",
    ),
    "no adapter config": (lambda base, adapter: (adapter / "adapter_config.json").unlink(), "adapter's folder"),
    "a broken adapter config": (lambda base, adapter: (adapter / "adapter_config.json").write_text("{"), "broken JSON"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_or_missing_files(base: Path, adapter: Path, name: str) -> None:
    harm, expected = BREAKS[name]
    harm(base, adapter)
    assert expected in told(base, adapter, kind=PrerequisiteError)


def test_a_broken_s2train_json(base: Path, adapter: Path) -> None:
    (adapter / "s2train.json").write_text('{"template": "s2", "tempalte": "s2"}')
    assert "'tempalte'" in told(base, adapter, kind=DataError)


def test_a_base_that_lacks_tensors(base: Path, adapter: Path, tmp_path: Path) -> None:
    tensors = tiny.tensors(base)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    for path in base.glob("*.safetensors*"):
        path.unlink()
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    message = told(base, adapter, kind=PrerequisiteError)
    assert "lack 1 tensors of LlamaForCausalLM (model.layers.1.mlp.up_proj.weight)" in message


OLD_BUFFERS = ("self_attn.rotary_emb.inv_freq", "self_attn.masked_bias", "self_attn.attn.bias")


def rewrite(base: Path, change: Callable[[dict[str, torch.Tensor]], object], *, old: bool = True) -> None:
    """Change a base's tensors, and add the buffers that old releases of transformers stored."""
    tensors = tiny.tensors(base)
    change(tensors)
    for path in base.glob("*.safetensors*"):
        path.unlink()
    buffers = {f"model.layers.0.{name}": torch.ones(8) for name in OLD_BUFFERS} if old else {}
    save_file(tensors | buffers, base / "model.safetensors", {"format": "pt"})


def test_old_buffers_do_not_excuse_missing_tensors(base: Path, adapter: Path) -> None:
    lacking = ("lm_head.weight", "model.norm.weight")
    rewrite(base, lambda tensors: [tensors.pop(name) for name in lacking])
    message = told(base, adapter, kind=PrerequisiteError)
    assert "lack 2 tensors of LlamaForCausalLM (lm_head.weight, model.norm.weight)" in message


def test_old_buffers_alone_do_not_matter(base: Path, adapter: Path, tmp_path: Path) -> None:
    rewrite(base, lambda tensors: None)
    tiny.merged(base, adapter, tmp_path / "ours")
    theirs = tiny.peft(tiny.load(base), adapter, tmp_path / "theirs")
    assert tiny.differences(tiny.tensors(tmp_path / "ours"), theirs) == []


def test_other_names_do_not_excuse_missing_tensors(base: Path, adapter: Path) -> None:
    rewrite(base, lambda tensors: tensors.update({"vision.weight": torch.ones(2), "x": tensors.pop("lm_head.weight")}))
    message = told(base, adapter, kind=PrerequisiteError)
    assert "lack 1 tensors of LlamaForCausalLM (lm_head.weight), and they have 2 others" in message


def test_a_wrappers_prefix_is_named(base: Path, adapter: Path) -> None:
    def wrap(tensors: dict[str, torch.Tensor]) -> None:
        wrapped = {f"module.{name}": tensor for name, tensor in tensors.items()}
        tensors.clear()
        tensors |= wrapped

    rewrite(base, wrap, old=False)
    assert "begin with 'module.', which a wrapper left" in told(base, adapter, kind=PrerequisiteError)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("place", ["base", "adapter"])
def test_json_that_broke_off(base: Path, adapter: Path, name: str, place: str) -> None:
    """A tokenizer would be copied as it is."""
    ((base if place == "base" else adapter) / name).write_text('{"version": "1.0", "truncation": nu')
    assert f"{name} cannot be read: it is truncated or damaged" in told(base, adapter, kind=PrerequisiteError)


@pytest.mark.parametrize("name", ["model.safetensors", "adapter_model.safetensors"])
def test_a_pointer_of_git_lfs(base: Path, adapter: Path, name: str) -> None:
    rewrite(base, lambda tensors: None)
    place = adapter if name.startswith("adapter") else base
    (place / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2336927755\n")
    assert f"{name} is a Git LFS pointer to 2,336,927,755 bytes" in told(base, adapter, kind=PrerequisiteError)


def test_a_quantised_base_is_named(base: Path, adapter: Path) -> None:
    tensors = tiny.tensors(base)
    name = "model.layers.0.self_attn.q_proj.weight"
    tensors[name] = torch.zeros(2048, 1, dtype=torch.uint8)
    for path in base.glob("*.safetensors*"):
        path.unlink()
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    config = json.loads((base / "config.json").read_text())
    about = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": about}))
    assert f"its weights are quantised with bitsandbytes ({name})" in told(base, adapter)


def test_the_hub_is_named_where_a_name_is_no_folder(base: Path, adapter: Path) -> None:
    message = told(base, adapter.parent / "nowhere", kind=PrerequisiteError)
    assert "no folder" in message
    with pytest.raises(PrerequisiteError, match="hf download org/adapter"):
        tiny.job(base, Path("org/adapter"), base.parent / "out")


# --- the place to write to -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_there_is_left_alone(base: Path, adapter: Path, what: str) -> None:
    out = base.parent / "out"
    if what == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    assert "there is something else already" in told(base, adapter)
    assert (out if what == "file" else out / "mine").read_text() == "mine"


def test_the_disk_is_looked_at_before_the_first_byte(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = tiny.job(base, adapter, tmp_path / "out").size
    usage = type("usage", (), {"free": size + (64 << 20) - 1})  # one byte less than weights and 64 MiB of the rest
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(PrerequisiteError, match=r"0\.07 GB are needed there, 0\.07 GB are free"):
        tiny.merged(base, adapter, tmp_path / "out")
    assert not list(tmp_path.rglob("*.part"))
    usage.free += 1
    tiny.merged(base, adapter, tmp_path / "out")


def test_a_folder_that_cannot_be_written(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    job = tiny.job(base, adapter, tmp_path / "out")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PrerequisiteError, match=r"no permission to write.*--out"):
        job.run()
