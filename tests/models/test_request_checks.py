"""Requests that cannot be computed are found before any is, and named by task and document."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from s2eval.errors import UsageError
from s2eval.models.cost.meta_model import MetaModel
from s2eval.models.s2 import S2LM

QUESTION = "Question: Why is the sky blue?\nAnswer:"
KINDS: dict[str, dict[str, Any]] = {"trie": {}, "hf's path": {"trie": False}}


def choices(documents: Sequence[tuple[str, Sequence[str]]]) -> list[Instance]:
    return [
        Instance("loglikelihood", {}, (prompt, choice), number, ("colours", document, 1))
        for document, (prompt, several) in enumerate(documents)
        for number, choice in enumerate(several)
    ]


def question(text: str, document: int) -> Instance:
    settings = {"until": ["###"], "max_gen_toks": 4, "do_sample": False}
    return Instance("generate_until", {}, (text, settings), 0, ("colours", document, 1))


def merging(lm: Any) -> tuple[str, str]:
    """A prompt and a choice that are one token together."""
    for word in ("the", "is", "in", "er", "on", "re"):
        if len(lm.tok_encode(word)) == 1 and lm.tok_encode(word) != lm.tok_encode(word[0]):
            return word[0], word[1]
    raise AssertionError("no such word in this vocabulary")


@pytest.fixture(scope="module", params=KINDS)
def lm(request: pytest.FixtureRequest, tiny_model: Path) -> Any:
    return S2LM(pretrained=str(tiny_model), device="cpu", batch_size=2, **KINDS[request.param])


@pytest.fixture(scope="module")
def longer(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model whose tokenizer got a token after its training; nobody resized the embeddings."""
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("longer") / "model"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<think>"])
    tokenizer.save_pretrained(folder)
    return folder


def test_a_choice_that_merges_with_its_prompt(lm: Any) -> None:
    prompt, choice = merging(lm)
    documents = [(QUESTION, (" It is.", " It scatters.")), (prompt, (" x", choice))]
    with pytest.raises(
        UsageError, match=rf"^colours, document 1: the choice '{choice}' has no token of its own: .*'{prompt}'"
    ):
        lm.loglikelihood(choices(documents), disable_tqdm=True)
    assert not lm.stats.computed  # nothing before it either


def test_an_empty_choice(lm: Any) -> None:
    with pytest.raises(UsageError, match=r"^colours, document 0: the choice '' is empty"):
        lm.loglikelihood(choices([(QUESTION, (" It is.", ""))]), disable_tqdm=True)


def test_a_prompt_of_spaces(lm: Any) -> None:
    with pytest.raises(UsageError, match=r"^colours, document 0: its prompt ' ' has no tokens"):
        lm.loglikelihood(choices([(" ", ("a", "b"))]), disable_tqdm=True)


def test_a_choice_longer_than_the_context(tiny_model: Path) -> None:
    lm: Any = S2LM(pretrained=str(tiny_model), device="cpu", max_length=16)
    with pytest.raises(UsageError, match=r"^colours, document 0: the choice ' a a .*' has 20 tokens, .* context 16"):
        lm.loglikelihood(choices([(QUESTION, (" a" * 20,))]), disable_tqdm=True)


def test_the_dry_run_finds_them_too(tiny_model: Path, longer: Path) -> None:
    meta_model: Any = MetaModel(pretrained=str(tiny_model), device="cpu")
    prompt, choice = merging(meta_model)
    with pytest.raises(UsageError, match=r"^colours, document 1: the choice"):
        meta_model.count(choices([(QUESTION, (" a",)), (prompt, (choice,))]))
    meta_model = MetaModel(pretrained=str(longer), device="cpu")
    with pytest.raises(UsageError, match=r"^colours, document 1: the token '<think>' has the id 1,000"):
        meta_model.count([question(QUESTION, 0), question("<think>", 1)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_without_an_embedding(longer: Path, kind: str) -> None:
    lm: Any = S2LM(pretrained=str(longer), device="cpu", **KINDS[kind])
    expected = r"^colours, document 1: the token '<think>' has the id 1,000, but the model's embeddings have 1,000 rows"
    for texts in ((QUESTION, " <think>"), ("<think>" + QUESTION, " a")):
        with pytest.raises(UsageError, match=expected):
            lm.loglikelihood(choices([(QUESTION, (" a", " b")), (texts[0], (texts[1],))]), disable_tqdm=True)
    with pytest.raises(UsageError, match=expected):
        lm.generate_until([question(QUESTION, 0), question("<think>", 1)], disable_tqdm=True)
    rolling = Instance("loglikelihood_rolling", {}, ("A <think> b",), 0, ("colours", 0, 1))
    with pytest.raises(UsageError, match="the token '<think>' has the id 1,000"):
        lm.loglikelihood_rolling([rolling], disable_tqdm=True)
    assert lm.loglikelihood(choices([(QUESTION, (" a", " b"))]), disable_tqdm=True)  # all other requests are fine
    assert lm.generate_until([question(QUESTION, 0)], disable_tqdm=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_padding_token_without_an_embedding(tiny_model: Path, tmp_path: Path, kind: str) -> None:
    """It is masked: any other one pads as well."""
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    requests = [question(QUESTION, 0), question("Hi", 1)]
    answers = [
        S2LM(pretrained=str(place), device="cpu", batch_size=2, **KINDS[kind]).generate_until(
            requests, disable_tqdm=True
        )
        for place in (folder, tiny_model)
    ]
    assert answers[0] == answers[1]
