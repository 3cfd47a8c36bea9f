"""Of which texts ROUGE and Flesch are scores, and what becomes of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2eval import scoring
from s2eval.cli import app
from s2eval.metrics import answers as qa
from s2eval.metrics import flesch_applies, is_latin, rouge_applies
from s2eval.metrics.readability import READABILITY
from s2eval.metrics.rouge import ROUGE
from s2eval.metrics.size import MEASURED

CHINESE, RUSSIAN = "天空是蓝色的，因为光会散射。", "Небо синее, потому что свет рассеивается."
ENGLISH, FRENCH = "The sky is blue because light scatters.", "Le ciel est bleu, c'est l'été où la lumière est diffusée."


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        (ENGLISH, True),
        (FRENCH, True),
        ("Trời xanh vì ánh sáng bị tán xạ.", True),
        ("e\u0301te\u0301 Straße İstanbul", True),
        ("It is 5 µm, so α is small.", True),
        ("The word 你好 means hello.", True),
        ("The city of กรุงเทพมหานคร is Bangkok.", True),
        ("你好 hello", True),  # one word each: half
        (CHINESE, False),
        ("我喜欢吃 hamburger 和薯条。", False),  # mostly Chinese, more letters in the one Latin word
        (RUSSIAN, False),
        ("Ο ουρανός είναι γαλάζιος.", False),
        ("السماء زرقاء", False),
        ("आसमान नीला है।", False),
        ("하늘은 파랗다.", False),
        ("空は青い。", False),
        ("ＨＥＬＬＯ", False),  # full width: no letters of the tokenizer's
        ("42", None),
        ("👍 🎉", None),
        ("...", None),
        ("", None),
    ],
)
def test_which_texts_are_latin(text: str, latin: bool | None) -> None:
    assert is_latin(text) is latin
    assert flesch_applies(text) is (latin is True or not text)
    assert rouge_applies(text, ENGLISH) is rouge_applies(ENGLISH, text) is (latin is not False)


def test_an_answer_in_another_script_has_no_value_but_its_size() -> None:
    assert set(qa.score(CHINESE, ENGLISH)) == {"s2_words", "s2_empty"}
    assert qa.counts(CHINESE) is None
    assert set(qa.score(ENGLISH, CHINESE)) == {*qa.PER_ANSWER, *MEASURED}  # of the reference only ROUGE depends
    assert set(qa.score("42", "42")) == {*ROUGE.names, *MEASURED}
    assert qa.score("42", "42")["s2_rouge1"] == 1.0
    assert qa.score("👍", ENGLISH)["s2_rouge1"] == 0.0
    assert set(qa.score("", ENGLISH)) == {*ROUGE.names, *qa.PER_ANSWER, *MEASURED}  # 0 by rule


def test_means_are_over_what_was_measured() -> None:
    rouge = scoring.score_texts("rouge", [CHINESE, ENGLISH, RUSSIAN], [CHINESE, ENGLISH, ENGLISH])
    assert list(rouge) == [*ROUGE.names, *MEASURED]
    assert (rouge["s2_rouge1"].value, rouge["s2_rouge1"].n_valid, rouge["s2_rouge1"].n) == (1.0, 1, 3)
    assert (rouge["s2_empty"].n_valid, rouge["s2_empty"].n) == (3, 3)
    reading = scoring.score_texts("readability", [CHINESE, ENGLISH], ["", ""])
    alone = scoring.score_texts("readability", [ENGLISH], [""])
    for metric in READABILITY.names:
        assert (reading[metric].value, reading[metric].n_valid, reading[metric].n) == (alone[metric].value, 1, 2)


def test_none_at_all_is_told_as_none() -> None:
    for family, metrics in (("rouge", ROUGE.names), ("readability", READABILITY.names)):
        estimates = scoring.score_texts(family, [CHINESE, RUSSIAN], [CHINESE, RUSSIAN])
        for metric in metrics:
            assert (estimates[metric].value, estimates[metric].n_valid, estimates[metric].n) == (None, 0, 2)


@pytest.mark.parametrize("family", ["rouge", "readability"])
def test_the_command_says_why(tmp_path: Path, family: str) -> None:
    path = tmp_path / "texts.jsonl"
    rows = [{"prediction": text, "reference": text} for text in (CHINESE, ENGLISH)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    printed = CliRunner().invoke(app, ["score", family, str(path)]).output
    assert "1/2" in printed
    assert "1 of 2 not scored: mostly not in Latin letters" in printed
    path.write_text(json.dumps(rows[1]) + "\n", encoding="utf-8")
    assert "not scored" not in CliRunner().invoke(app, ["score", family, str(path)]).output
