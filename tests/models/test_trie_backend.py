"""`--model s2` against lm-eval's `hf`, on tiny models of every architecture that it names."""

from __future__ import annotations

import inspect
import logging
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer

from s2eval.errors import DisagreementError, PrerequisiteError
from s2eval.models.backend import backend_checks
from s2eval.models.s2 import S2LM
from s2eval.models.trie import attention
from tests.models.architectures import ARCHITECTURES, make

SENTENCE = "the sun is a star and plants eat light because they are green water falls from clouds when it gets cold"
WORDS = SENTENCE.split()


def requests(documents: int = 5, choices: int = 4, words: int = 30, task: str = "t") -> list[Any]:
    """Documents that begin alike, with choices that begin alike."""
    source = random.Random(7)
    shared = " ".join(source.choices(WORDS, k=words))
    found: list[Any] = []
    for document in range(documents):
        context = f"{shared} {' '.join(source.choices(WORDS, k=source.randrange(1, 20)))}"
        for number in range(choices):
            continuation = " the " + " ".join(source.choices(WORDS, k=source.randrange(1, 6)))
            found.append(instance(context, continuation, document, number, task))
    return found


def instance(context: str, continuation: str, document: int = 0, number: int = 0, task: str = "t") -> Any:
    return Instance("loglikelihood", {}, (context, continuation), number, (task, document, 1))


def both(model: Any, tokenizer: Any, **arguments: Any) -> tuple[Any, Any]:
    backend: Any = S2LM
    peer: Any = HFLM
    settings = {"tokenizer": tokenizer, "batch_size": 4, "device": "cpu", **arguments}
    return backend(pretrained=model, token_budget=37, **settings), peer(pretrained=model, **settings)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_same_log_likelihoods_as_hf_on_the_path_that_is_named(
    name: str, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ours, hf = both(make(name, len(tokenizer)), tokenizer)
    why = ARCHITECTURES[name][2]
    with caplog.at_level(logging.WARNING, logger="s2eval"):
        measured = ours.loglikelihood(requests(), disable_tqdm=True)
    expected = hf.loglikelihood(requests(), disable_tqdm=True)
    for (total, greedy), (wanted, also) in zip(measured, expected, strict=True):
        assert total == pytest.approx(wanted, abs=2e-4)
        assert greedy == also
    said = [record.getMessage() for record in caplog.records if "hf's path" in record.getMessage()]
    if why:
        assert len(said) == 1
        assert why in said[0]
        assert ours.stats.computed == 0
        assert list(ours.stats.fallbacks.values()) == [20]
    else:
        assert not said
        assert not ours.stats.fallbacks
        assert ours.stats.computed == ours.stats.unique < ours.stats.naive / 2  # each token once


def test_the_weights_of_these_tests_make_context_matter(tokenizer: Any) -> None:
    """Else a wrong attention would go unseen: another first word moves every sum by far more than the tolerance."""
    for name in ARCHITECTURES:
        _, hf = both(make(name, len(tokenizer)), tokenizer)
        one, other = hf.loglikelihood(
            [instance(first + " sun is a star and", " plants eat light") for first in ("the", "green")],
            disable_tqdm=True,
        )
        assert abs(one[0] - other[0]) > 0.01, name


def test_an_empty_context_a_long_one_and_a_repeated_request(tokenizer: Any) -> None:
    model = make("llama", len(tokenizer))
    ours, hf = both(model, tokenizer)
    long = " ".join(WORDS * 30)  # beyond 256 tokens
    asked = [
        instance("", " the sun"),
        instance(long, " the sun", 1),
        instance(long, " plants", 1, 1),
        instance("", " the sun", 2),
    ]
    measured = ours.loglikelihood(asked, disable_tqdm=True)
    for (total, greedy), wanted in zip(measured, hf.loglikelihood(asked, disable_tqdm=True), strict=True):
        assert (total, greedy) == (pytest.approx(wanted[0], abs=2e-4), wanted[1])
    assert ours.stats.truncated == 2
    assert measured[0] == measured[3]


def test_rolling_likelihoods_are_those_of_hf(tokenizer: Any) -> None:
    ours, hf = both(make("llama", len(tokenizer)), tokenizer)
    texts = [" ".join(WORDS * 25), "the sun", "the sun is a star"]
    asked = [Instance("loglikelihood_rolling", {}, (text,), 0, ("t", n, 1)) for n, text in enumerate(texts)]
    assert ours.loglikelihood_rolling(asked) == pytest.approx(hf.loglikelihood_rolling(asked), abs=1e-3)
    assert ours.stats.computed == ours.stats.unique > 0


def test_a_wrong_attention_is_refused_before_anything_is_stored(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, _ = both(make("llama", len(tokenizer)), tokenizer)
    right = attention._additive
    monkeypatch.setattr(
        attention, "_additive", lambda *args: torch.zeros_like(right(*args))
    )  # everything sees everything
    cached = CachingLM(ours, str(tmp_path / "cache.db"))
    with pytest.raises(DisagreementError, match=r"by the token trie and .* by hf's path") as error:
        cached.loglikelihood(requests())
    assert "--model hf" in str(error.value)
    assert len(cached.dbdict) == 0


def test_every_task_of_a_call_is_checked(tokenizer: Any) -> None:
    ours, _ = both(make("llama", len(tokenizer)), tokenizer)
    ours.loglikelihood([*requests(task="a"), *requests(task="b", words=10)], disable_tqdm=True)
    assert ours.stats.checked == 4  # the first and the last choice of each task's first document
    assert ours.stats.difference < 1e-4


def test_out_of_memory_halves_the_budget_and_loses_nothing(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = make("llama", len(tokenizer))
    ours, hf = both(model, tokenizer)
    forward = model.forward

    def small_machine(*args: Any, input_ids: Any = None, **kwargs: Any) -> Any:
        if input_ids is not None and "logits_to_keep" in kwargs and input_ids.numel() > 20:
            forward(*args, input_ids=input_ids, **kwargs)  # all layers ran, then there was no room for the rest
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return forward(*args, input_ids=input_ids, **kwargs) if input_ids is not None else forward(*args, **kwargs)

    small_machine.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(model, "forward", small_machine)
    with caplog.at_level(logging.WARNING, logger="s2eval"):
        measured = ours.loglikelihood(requests(), disable_tqdm=True)
    assert "out of memory: continuing with 18 tokens a forward pass" in caplog.text  # 37 // 2
    for (total, _), (wanted, _) in zip(measured, hf.loglikelihood(requests(), disable_tqdm=True), strict=True):
        assert total == pytest.approx(wanted, abs=2e-4)


def test_a_killed_call_goes_on_where_its_cache_ends(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = both(make("llama", len(tokenizer)), tokenizer)
    whole = ours.loglikelihood(requests(), disable_tqdm=True)
    first, _ = both(make("llama", len(tokenizer)), tokenizer)
    cached = CachingLM(first, str(tmp_path / "cache.db"))
    take = first.cache_hook.add_partial
    kept: list[Any] = []

    def killed(*args: Any) -> None:
        if len(kept) == 9:
            raise KeyboardInterrupt
        kept.append(args)
        take(*args)

    monkeypatch.setattr(first.cache_hook, "add_partial", killed)
    with pytest.raises(KeyboardInterrupt):
        cached.loglikelihood(requests())
    cached.dbdict.close()
    second, _ = both(make("llama", len(tokenizer)), tokenizer)
    again = CachingLM(second, str(tmp_path / "cache.db"))
    assert [total for total, _ in again.loglikelihood(requests())] == pytest.approx([t for t, _ in whole], abs=2e-4)
    assert second.stats.requests == 20 - 9


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_half_precision_close_documents_are_decided_by_hf(dtype: str, tokenizer: Any) -> None:
    model = make("llama", len(tokenizer)).to(getattr(torch, dtype))
    ours, hf = both(model, tokenizer, batch_size=1)
    asked = requests(documents=12)
    # one more document, whose two choices differ in nothing but their number
    asked += [instance("the sun is", " a star", 12, number) for number in range(2)]
    measured, expected = ours.loglikelihood(asked), hf.loglikelihood(asked)
    assert ours.stats.rescored >= 2
    assert measured[-2:] == expected[-2:]  # hf's very numbers
    decisions = [
        [max(range(4), key=lambda n: results[4 * doc + n][0]) for doc in range(12)] for results in (measured, expected)
    ]
    assert decisions[0] == decisions[1]


def test_in_half_precision_what_hf_gave_is_not_asked_of_it_again(tokenizer: Any) -> None:
    ours, _ = both(make("falcon", len(tokenizer)).to(torch.bfloat16), tokenizer)
    ours.loglikelihood([instance("the sun is", " a star", 0, number) for number in range(2)], disable_tqdm=True)
    assert list(ours.stats.fallbacks.values()) == [2]
    assert ours.stats.rescored == 0


def test_what_is_too_close_to_call() -> None:
    asked = [
        instance("c", " ab", 0, 0),
        instance("c", " ab", 0, 1),
        instance("c", " ab", 1, 0),
        instance("c", " ab", 1, 1),
    ]
    results = [(-1.0, False), (-1.3, False), (-1.0, False), (-3.0, False)]
    assert backend_checks.near_ties(asked, results, margin=0.4) == [0, 1]  # 0.3 < 0.4; the other document is 2.0 apart
    assert backend_checks.near_ties(asked, results, margin=0.2) == []
    unequal = [instance("c", "ab", 0, 0), instance("c", "abcdefgh", 0, 1)]
    # sums 3.1 apart; per character -0.5 and -0.51: each sum may move by 0.2, so 0.1 + 0.025 in all
    assert backend_checks.near_ties(unequal, [(-1.0, False), (-4.08, False)], margin=0.4) == [0, 1]


def test_attention_that_the_trie_does_not_know_is_told(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should `support.refusal` let one in: here a soft cap that the configuration does not name."""
    model = make("gemma2", len(tokenizer))
    monkeypatch.setattr(model.config, "attn_logit_softcapping", None)  # each layer has its own copy
    ours, _ = both(model, tokenizer)
    with pytest.raises(PrerequisiteError, match=r"does not know \(softcap\).*trie=False"):
        ours.loglikelihood(requests(), disable_tqdm=True)


def test_ranks_with_a_cache_do_not_wait_for_one_another(tokenizer: Any, tmp_path: Path) -> None:
    """A rank whose results are all cached is never asked; one that is must not look for it."""
    ours, _ = both(make("llama", len(tokenizer)), tokenizer)
    alone = ours.loglikelihood(requests(), disable_tqdm=True)
    ours._world_size = 2  # the other rank is nowhere: a call to it would fail
    CachingLM(ours, str(tmp_path / "cache.db"))
    assert ours.loglikelihood(requests(), disable_tqdm=True) == alone


def test_without_the_trie_it_is_hf(tokenizer: Any) -> None:
    ours, hf = both(make("llama", len(tokenizer)), tokenizer)
    ours._trie = False
    assert ours.loglikelihood(requests(), disable_tqdm=True) == hf.loglikelihood(requests(), disable_tqdm=True)
    assert ours.stats.computed == 0
    assert not ours.stats.fallbacks
