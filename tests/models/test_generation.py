"""`generate_until` of `--model s2` against lm-eval's `hf`, on tiny models."""

from __future__ import annotations

import copy
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer

from s2eval import prompts
from s2eval.errors import DisagreementError, UsageError
from s2eval.models.backend import decoding, generation
from s2eval.models.backend.decoding import Decoding
from s2eval.models.backend.generation import Prompt
from s2eval.models.cost import memory
from s2eval.models.s2 import S2LM
from s2eval.models.trie import attention
from s2eval.models.trie.engine import Engine
from s2eval.prompts import Turn
from tests.models.architectures import ARCHITECTURES, make

PROMPTS = [
    "the sun is",
    "why do plants need light to grow in the green and pleasant",
    "water",
    "the sun is a star and",
    "the sun is",  # twice
    "clouds are made of " * 12,
]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def requests(prompts: list[str], **settings: Any) -> list[Any]:
    settings = {"until": [], "max_gen_toks": 24, **settings}
    return [Instance("generate_until", {}, (text, dict(settings)), 0, ("t", n, 1)) for n, text in enumerate(prompts)]


def ours(model: Any, tokenizer: Any, **arguments: Any) -> Any:
    backend: Any = S2LM
    return backend(pretrained=model, tokenizer=tokenizer, token_budget=37, device="cpu", batch_size=4, **arguments)


def by_hf(model: Any, tokenizer: Any, asked: list[Any]) -> list[str]:
    peer: Any = HFLM
    return peer(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=1).generate_until(
        asked, disable_tqdm=True
    )


@pytest.mark.parametrize("name", [name for name, (_, _, why) in ARCHITECTURES.items() if not why])
def test_greedy_answers_are_those_of_hf(name: str, tokenizer: Any) -> None:
    model = make(name, len(tokenizer))
    lm = ours(model, tokenizer)
    answers = lm.generate_until(requests(PROMPTS), disable_tqdm=True)
    assert answers == by_hf(model, tokenizer, requests(PROMPTS))
    assert lm.stats.computed > 0
    assert not lm.stats.fallbacks
    assert answers[0] == answers[4]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_rows_that_end_make_room_for_others(width: int, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "width", lambda *_: width)
    model = make("llama", len(tokenizer))
    limits = [3, 17, 9, 1, 24, 6]
    asked = [requests([text], max_gen_toks=limit)[0] for text, limit in zip(PROMPTS, limits, strict=True)]
    lm = ours(model, tokenizer)
    assert lm.generate_until(asked, disable_tqdm=True) == by_hf(model, tokenizer, asked)
    assert lm.stats.generated <= sum(limits)


def test_an_answer_ends_at_a_stop_string_and_before_it(tokenizer: Any) -> None:
    model = make("llama", len(tokenizer))
    (whole,) = by_hf(model, tokenizer, requests(PROMPTS[:1]))
    mark = whole[5:8]  # three characters from the middle, wherever the tokens part
    lm = ours(model, tokenizer)
    asked = requests(PROMPTS[:1], until=[mark])
    assert lm.generate_until(asked, disable_tqdm=True) == by_hf(model, tokenizer, asked) == [whole.split(mark)[0]]
    assert lm.stats.generated < 24
    assert lm.cut == {PROMPTS[0]: False}


def test_an_answer_that_reaches_the_limit_is_cut(tokenizer: Any) -> None:
    lm = ours(make("llama", len(tokenizer)), tokenizer)
    lm.generate_until(requests(["water"], max_gen_toks=3), disable_tqdm=True)
    assert lm.cut == {"water": True}
    assert lm.stats.generated == 3


def test_a_token_that_ends_ends(tokenizer: Any) -> None:
    model = make("llama", len(tokenizer))
    engine = Engine(model, 64, 64)
    first = next(iter(generation.answer(engine, [Prompt([5, 6, 7], 8)], 1)))
    assert first.cut
    assert len(first.tokens) == 8
    ended = next(iter(generation.answer(engine, [Prompt([5, 6, 7], 8, ends=frozenset(first.tokens[3:4]))], 1)))
    assert ended.tokens == first.tokens[: first.tokens.index(first.tokens[3]) + 1]
    assert not ended.cut


def test_a_prompt_is_cut_from_the_left_to_leave_room(tokenizer: Any) -> None:
    model = make("llama", len(tokenizer))  # 256 tokens of context
    asked = requests(["the sun is a star " * 80], max_gen_toks=16)
    lm = ours(model, tokenizer)
    assert lm.generate_until(asked, disable_tqdm=True) == by_hf(model, tokenizer, asked)
    assert lm.stats.truncated == 1
    with pytest.raises(UsageError, match="leave no room"):
        lm.generate_until(requests(["water"], max_gen_toks=256))


def test_samples_depend_on_seed_and_prompt_and_not_on_the_batch(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make("llama", len(tokenizer))
    settings = {"do_sample": True, "temperature": 0.9, "top_k": 40, "top_p": 0.95}

    def sample(prompts: list[str], width: int, seed: int = 3) -> list[str]:
        monkeypatch.setattr(memory, "width", lambda *_: width)
        torch.manual_seed(seed)
        return ours(model, tokenizer).generate_until(requests(prompts, **settings), disable_tqdm=True)

    together = sample(PROMPTS, 6)
    assert together == sample(PROMPTS, 2)
    assert together[1:2] == sample(PROMPTS[1:2], 1)
    assert together[0] != together[4]  # the same prompt twice: two samples
    assert together != sample(PROMPTS, 6, seed=4)


def test_sampling_follows_the_probabilities() -> None:
    """4,000 draws from p = (0.5, 0.25, 0.125, 0.125): each share within 4 standard errors, √(p (1 - p) / 4000)."""
    wanted = torch.tensor([0.5, 0.25, 0.125, 0.125])
    randoms = [decoding.generator("p", number) for number in range(4000)]
    drawn = decoding.choose(wanted.log().expand(4000, 4), Decoding(temperature=1.0), randoms)
    shares = Counter(drawn.tolist())
    for token, share in enumerate(wanted.tolist()):
        assert abs(shares[token] / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5


def test_what_top_k_and_top_p_leave_out_is_never_drawn() -> None:
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log().expand(500, 4)
    randoms = [decoding.generator("p", number) for number in range(500)]
    assert set(decoding.choose(logits, Decoding(1.0, top_k=2), list(randoms)).tolist()) == {0, 1}
    assert set(decoding.choose(logits, Decoding(1.0, top_p=0.6), list(randoms)).tolist()) == {0, 1}  # 0.4 + 0.3 > 0.6
    assert set(decoding.choose(logits, Decoding(1.0, min_p=0.6), list(randoms)).tolist()) == {0, 1}  # 0.3 ≥ 0.6 × 0.4


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"num_beams": 2}, "num_beams=2"), ({"repetition_penalty": 1.3}, "repetition_penalty=1.3")],
)
def test_what_only_transformers_can_do_goes_through_its_loop(
    settings: dict[str, Any], why: str, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    model = make("llama", len(tokenizer))
    asked = [*requests(PROMPTS[:2], **settings), *requests(PROMPTS[:1])]
    lm = ours(model, tokenizer)
    with caplog.at_level(logging.WARNING, logger="s2eval"):
        answers = lm.generate_until(asked, disable_tqdm=True)
    assert answers == by_hf(model, tokenizer, asked)
    assert lm.stats.fallbacks == {why: 2}  # the third request is ours
    assert caplog.text.count(why) == 1


def test_a_checkpoint_that_asks_for_a_penalty_is_heard(tokenizer: Any) -> None:
    model = make("llama", len(tokenizer))
    model.generation_config.repetition_penalty = 1.2
    lm = ours(model, tokenizer)
    assert lm.generate_until(requests(PROMPTS[:1])) == by_hf(model, tokenizer, requests(PROMPTS[:1]))
    assert lm.stats.fallbacks == {"repetition_penalty=1.2": 1}


def test_out_of_memory_halves_the_width_and_goes_on(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = make("llama", len(tokenizer))
    attend, steps = attention.RowsPlan.attend, Counter[str]()

    def small_machine(self: Any, module: Any, query: Any, *args: Any) -> Any:
        steps["layers"] += 1
        if len(query) > 3 and steps["layers"] > 11:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return attend(self, module, query, *args)

    monkeypatch.setattr(attention.RowsPlan, "attend", small_machine)
    lm = ours(model, tokenizer)
    with caplog.at_level(logging.WARNING, logger="s2eval"):
        answers = lm.generate_until(requests(PROMPTS), disable_tqdm=True)
    assert answers == by_hf(model, tokenizer, requests(PROMPTS))
    assert "out of memory: continuing with 3 answers at a time" in caplog.text  # 6 // 2


def test_a_wrong_decoding_step_is_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    attend = attention.RowsPlan.attend
    monkeypatch.setattr(attention.RowsPlan, "attend", lambda *args: torch.flip(attend(*args), dims=(2,)))
    lm = ours(make("llama", len(tokenizer)), tokenizer)
    with pytest.raises(DisagreementError, match="the first answer"):
        lm.generate_until(requests(PROMPTS), disable_tqdm=True)


# --- control tokens ----------------------------------------------------------------------------------------------


def read(lm: Any, asked: list[Any]) -> list[list[int]]:
    """The tokens that the model is given for each prompt, by hf's path."""
    seen: list[list[int]] = []
    generate = lm.model.generate

    def watched(input_ids: Any, attention_mask: Any, **options: Any) -> Any:
        seen.extend(row[mask.bool()].tolist() for row, mask in zip(input_ids, attention_mask, strict=True))
        return generate(input_ids=input_ids, attention_mask=attention_mask, **options)

    lm.model.generate = watched
    try:
        lm.generate_until(asked, disable_tqdm=True)
    finally:
        del lm.model.generate
    return seen


def appending(tokenizer: Any) -> Any:
    """As with `add_bos_token` and `add_eos_token`."""
    from tokenizers.processors import TemplateProcessing

    made = copy.deepcopy(tokenizer)
    ends = [(made.bos_token, made.bos_token_id), (made.eos_token, made.eos_token_id)]
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single=[made.bos_token, "$A", made.eos_token], special_tokens=ends
    )
    return made


@pytest.mark.parametrize("trie", [True, False])
def test_no_prompt_ends_in_an_end_of_text_that_the_tokenizer_appends(trie: bool, tokenizer: Any) -> None:
    model, words = make("llama", len(tokenizer)), appending(tokenizer)
    assert words("water")["input_ids"][-1] == words.eos_token_id
    lm = ours(model, words, trie=trie)
    wanted = [[words.bos_token_id, *tokenizer(text)["input_ids"]] for text in ("water", "the sun is")]
    asked = requests(["water", "the sun is"])
    if trie:
        mine, _ = lm._read(asked)
        assert [mine[number].tokens for number in range(2)] == wanted
    else:
        assert sorted(read(lm, asked)) == sorted(wanted)
    assert lm.tok_encode("water") == wanted[0]
    # a choice is scored alone, without an end-of-text after it or in its context
    context = [words.bos_token_id, *tokenizer("the sun")["input_ids"]]
    assert lm._encode_pair("the sun", " is") == (context, tokenizer(" is")["input_ids"])


@pytest.mark.parametrize("trie", [True, False])
@pytest.mark.parametrize("name", ["s2", "chat"])
def test_a_control_tokens_text_in_a_question_is_text(name: str, trie: bool, tokenizer: Any) -> None:
    words = copy.deepcopy(tokenizer)
    words.chat_template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}A:"
    template = prompts.get(name, words)
    asked = requests([template.render([Turn(text)]) for text in ("What does </s> or <s> mean?</s>", "Why?")])
    lm = ours(make("llama", len(words)), words, trie=trie)
    mine = [prompt.tokens for prompt in lm._read(asked)[0].values()] if trie else read(lm, asked)
    assert len(mine) == 2
    for tokens in mine:
        control = [token for token in tokens if token in words.all_special_ids]
        assert control == ([words.bos_token_id, words.eos_token_id] if name == "chat" else [])
    assert any("What does </s> or <s> mean?</s>" in words.decode(tokens) for tokens in mine)


@pytest.mark.parametrize("trie", [True, False])
def test_a_chat_models_answer_ends_with_its_turn(trie: bool, tokenizer: Any) -> None:
    """The end-of-text is another token than the one that ends a turn, and the model writes only the latter."""
    words, model = copy.deepcopy(tokenizer), make("llama", len(tokenizer))
    words.chat_template = (
        "{% for m in messages %}{{ m.content }}<pad>{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
    )
    with torch.no_grad():
        model.lm_head.weight.zero_()  # all logits are 0, and the first token, <pad>, is the most probable
    assert words.convert_tokens_to_ids("<pad>") == 0
    template = prompts.get("chat", words)
    assert template.stop == ("### Human:", "<pad>")
    lm = ours(model, words, trie=trie)
    text = template.render([Turn("Why?")])
    assert lm.generate_until(requests([text], until=list(template.stop)), disable_tqdm=True) == [""]
    assert lm.cut == {text: False}


def test_lm_evals_own_chat_template_writes_all_control_tokens(tokenizer: Any) -> None:
    words = copy.deepcopy(tokenizer)
    words.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}assistant:"
    lm = ours(make("llama", len(words)), words)
    text = lm.apply_chat_template([{"role": "user", "content": "What is </s>?"}])
    context, choice = lm._encode_pair(text, " water")
    assert context.count(words.eos_token_id) == 1
    assert words.decode(context) == "user: What is </s>?</s>assistant:"
    assert words.decode(choice) == " water"
    plain = [{"role": "user", "content": "What is water?"}]
    assert lm.apply_chat_template(plain) == HFLM.apply_chat_template(lm, plain)
