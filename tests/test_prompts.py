"""Questions become prompts: literally as the paper prints them, and as the tokenizers and FastChat have them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2eval import prompts
from s2eval.errors import DataError, UnknownNameError, UsageError
from s2eval.prompts import Turn

QUESTION = "Why is the sky blue?"
DIALOGUE = [Turn("Hi {you}?", "Hello."), Turn("Why\n\nso?", "Because."), Turn(QUESTION)]
FASTCHAT = ["vicuna_v1.1", "llama-2", "chatglm3", "one_shot", "zero_shot", "falcon", "raw"]


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> Any:
    from transformers import PreTrainedTokenizerFast  # AutoTokenizer would import torch, which takes seconds

    return PreTrainedTokenizerFast.from_pretrained(smollm2)


# --- the texts -------------------------------------------------------------------------------------------------


def test_s2_is_literally_what_the_paper_prints() -> None:
    # no space between "###" and "Assistant:", none after it
    assert prompts.get("s2").render([Turn(QUESTION)]) == "### Human: Why is the sky blue? ###Assistant:"


def test_s2_space_has_the_space() -> None:
    assert prompts.get("s2-space").render([Turn(QUESTION)]) == "### Human: Why is the sky blue? ### Assistant:"


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_a_question_stands_in_the_prompt_as_it_is(question: str) -> None:
    assert prompts.get("s2").render([Turn(question)]) == "### Human: " + question + " ###Assistant:"


@pytest.mark.parametrize(("name", "mark"), [("s2", "###Assistant:"), ("s2-space", "### Assistant:")])
def test_several_turns_follow_the_same_pattern(name: str, mark: str) -> None:
    assert prompts.get(name).render(DIALOGUE) == (
        f"### Human: Hi {{you}}? {mark} Hello. ### Human: Why\n\nso? {mark} Because. ### Human: {QUESTION} {mark}"
    )


def test_an_answer_ends_where_the_next_question_would_begin() -> None:
    assert prompts.get("s2").stop == prompts.get("s2-space").stop == ("### Human:",)


def test_chat_is_the_tokenizers_own(tokenizer: Any) -> None:
    template = prompts.get("chat", tokenizer)
    one = [{"role": "user", "content": QUESTION}]
    several = [
        {"role": "user", "content": "Hi {you}?"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Why\n\nso?"},
        {"role": "assistant", "content": "Because."},
        *one,
    ]
    for turns, messages in ((DIALOGUE[-1:], one), (DIALOGUE, several)):
        wanted = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert template.render(turns) == wanted
    # SmolLM2's is ChatML, with a system message of its own
    assert template.render([Turn(QUESTION)]).endswith(
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_fastchats_vicuna_golden() -> None:
    # as in FastChat's docs/vicuna_weights_version.md, its line breaks being the spaces of fschat 0.2.36
    system = (
        "A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions. "
    )
    template = prompts.get("fastchat:vicuna_v1.1")
    assert template.render([Turn("Hello!", "Hello!"), Turn("How are you?")]) == (
        system + "USER: Hello! ASSISTANT: Hello!</s>USER: How are you? ASSISTANT:"
    )


@pytest.mark.parametrize("name", FASTCHAT)
def test_fastchat_is_fastchats_own(name: str) -> None:
    from fastchat.conversation import get_conv_template

    conversation = get_conv_template(name)
    human, assistant = conversation.roles
    for turn in DIALOGUE:
        conversation.append_message(human, turn.question)
        conversation.append_message(assistant, turn.answer)
    template = prompts.get(f"fastchat:{name}")
    assert template.render(DIALOGUE) == conversation.get_prompt()
    assert template.render(DIALOGUE) == conversation.get_prompt()  # rendering leaves no turn behind
    assert template.name == f"fastchat:{name}"


@pytest.mark.parametrize(
    ("name", "stop"),  # fschat 0.2.36: none, one text, a list
    [("vicuna_v1.1", ()), ("one_shot", ("###",)), ("falcon", ("\nUser",)), ("aquila-chat", ("###", "</s>", "[UNK]"))],
)
def test_fastchats_stops_are_texts(name: str, stop: tuple[str, ...]) -> None:
    assert prompts.get(f"fastchat:{name}").stop == stop


# --- the hash --------------------------------------------------------------------------------------------------


def test_a_hash_is_16_hex_digits_and_the_same_each_time() -> None:
    for name in ("s2", "s2-space", "fastchat:llama-2"):
        first, second = prompts.get(name).hash, prompts.get(name).hash
        assert first == second
        assert len(first) == 16
        assert int(first, 16) >= 0


def test_other_text_other_hash(tokenizer: Any) -> None:
    names = ["s2", "s2-space", *(f"fastchat:{name}" for name in FASTCHAT)]
    templates = [*(prompts.get(name) for name in names), prompts.get("chat", tokenizer)]
    texts = [(template.render(DIALOGUE), template.render(DIALOGUE[-1:])) for template in templates]
    assert len({template.hash for template in templates}) == len(set(texts)) == len(templates)


def test_a_chat_templates_hash_follows_its_text(tokenizer: Any) -> None:
    original = prompts.get("chat", tokenizer).hash
    other = copy.deepcopy(tokenizer)
    assert prompts.get("chat", other).hash == original
    other.chat_template = tokenizer.chat_template.replace("You are a helpful", "You are a grumpy")
    assert other.chat_template != tokenizer.chat_template
    assert prompts.get("chat", other).hash != original


def test_a_chat_templates_hash_follows_the_tokens_that_it_names(tokenizer: Any) -> None:
    first, second = copy.deepcopy(tokenizer), copy.deepcopy(tokenizer)
    source = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    first.chat_template = second.chat_template = source
    second.bos_token = "<|im_end|>"
    templates = [prompts.get("chat", one) for one in (first, second)]
    assert [template.render([Turn("a")]) for template in templates] == ["<|im_start|>a", "<|im_end|>a"]
    assert templates[0].hash != templates[1].hash


def test_a_fastchat_templates_hash_follows_its_text_in_every_turn() -> None:
    from fastchat.conversation import conv_templates, get_conv_template, register_conv_template

    base = get_conv_template("vicuna_v1.1")
    same, other = base.copy(), base.copy()
    same.name, other.name = "s2eval-same", "s2eval-other"
    other.sep2 = "<end>"  # stands between turns: the first prompt is the same
    try:
        register_conv_template(same)
        register_conv_template(other)
        vicuna, renamed, changed = (
            (template.hash, template.render(DIALOGUE[-1:]), template.render(DIALOGUE))
            for template in map(prompts.get, ("fastchat:vicuna_v1.1", "fastchat:s2eval-same", "fastchat:s2eval-other"))
        )
    finally:
        for name in ("s2eval-same", "s2eval-other"):
            conv_templates.pop(name, None)
    assert renamed == vicuna  # the same text by another name
    assert changed[1] == vicuna[1]
    assert changed[2] != vicuna[2]
    assert changed[0] != vicuna[0]


# --- which one -------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    (tmp_path / "s2train.json").write_text(json.dumps({"template": "s2-space", "recipe": "sft"}))
    return tmp_path


def test_the_given_name_comes_first(trained: Path, tokenizer: Any) -> None:
    assert prompts.resolve("s2", str(trained), tokenizer).name == "s2"


def test_then_what_the_checkpoint_was_trained_with(trained: Path, tokenizer: Any) -> None:
    assert prompts.resolve(None, str(trained), tokenizer).name == "s2-space"


def test_then_the_tokenizers_chat_template(tmp_path: Path, tokenizer: Any) -> None:
    assert prompts.resolve(None, str(tmp_path), tokenizer).name == "chat"
    assert prompts.resolve(None, None, tokenizer).name == "chat"


def test_then_s2(tmp_path: Path, tokenizer: Any) -> None:
    without = copy.deepcopy(tokenizer)
    without.chat_template = None
    for found in (
        prompts.resolve(None, str(tmp_path), without),
        prompts.resolve(None, "org/hub-id", None),
        prompts.resolve(None),
    ):
        assert found.name == "s2"


# --- what is wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"recipe": "sft"}',
        b"[]",
        b'"s2"',
        b'{"template": null}',
        b'{"template": ["s2"]}',
        b'{"template": "\xff"}',
    ],
)
def test_a_broken_checkpoint_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s2train.json").write_bytes(content)
    with pytest.raises(DataError, match="'template'") as caught:
        prompts.resolve(None, str(tmp_path))
    assert str(tmp_path / "s2train.json") in str(caught.value)


def test_a_checkpoint_that_names_no_template_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "s2train.json").write_text('{"template": "s2_space"}')
    with pytest.raises(UnknownNameError, match=r"'s2_space'; did you mean 's2-space'\?"):
        prompts.resolve(None, str(tmp_path))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("S2-Space", "s2-space"), ("chatt", "chat"), ("fastchat:vicuna_v1.2", "fastchat:vicuna_v1.1")],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        prompts.get(name)
    assert f"unknown template {name!r}; did you mean {nearest!r}?" in str(caught.value)


def test_chat_needs_a_tokenizer_that_has_a_template(tokenizer: Any) -> None:
    without = copy.deepcopy(tokenizer)
    without.chat_template = None
    for given_tokenizer in (None, without):
        with pytest.raises(UsageError, match=r"no chat template.*s2, s2-space"):
            prompts.get("chat", given_tokenizer)


def test_every_name_that_can_be_typed_works(tokenizer: Any) -> None:
    for name in prompts.names():
        typed = name.replace("NAME", "vicuna_v1.1")
        assert prompts.get(typed, tokenizer).name == typed


# --- chat templates of others ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ ''.__class__.__mro__ }}", "SecurityError: access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{{ raise_exception('x' * 1000000) }}", "TemplateError: xxx"),
        ("{% for x in range(10**9) %}{% endfor %}", "OverflowError"),
        ("{{ nothing.here }}", "UndefinedError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ lower('x') }}", "'lower' is undefined"),
        ("{{ " + "(" * 500 + ")" * 500 + " }}", "template 'chat'"),
    ],
)
def test_a_chat_template_that_fails_is_told_in_a_sentence(tokenizer: Any, source: str, told: str) -> None:
    hostile = copy.deepcopy(tokenizer)
    hostile.chat_template = source
    with pytest.raises(UsageError) as caught:
        prompts.get("chat", hostile)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 600


def test_one_that_fails_at_a_question_only_is_told_too(tokenizer: Any) -> None:
    hostile = copy.deepcopy(tokenizer)
    hostile.chat_template = (
        "{% if 'secret' in messages[0].content %}{{ messages.append(1) }}{% endif %}{{ messages[0].content }}"
    )
    template = prompts.get("chat", hostile)
    assert template.render([Turn("Why?")]) == "Why?"
    with pytest.raises(UsageError, match="SecurityError"):
        template.render([Turn("a secret")])
