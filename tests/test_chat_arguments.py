"""Arguments of a chat template: spelt as in lm-eval, rendered, part of the hash, refused where nothing reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2eval import chat_arguments, prompts
from s2eval.errors import ConfigError, UsageError
from s2eval.prompts import Turn

# As Qwen3's: without thinking, the answer begins after closed thoughts.
THINKING = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}{% endif %}"
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    loaded = PreTrainedTokenizerFast.from_pretrained(tiny_model)
    loaded.chat_template = THINKING
    return loaded


@pytest.mark.parametrize(
    ("options", "collected"),
    [
        ({}, {}),
        ({"dtype": "float32", "enable_thinking": None}, {}),
        ({"enable_thinking": False}, {"enable_thinking": False}),
        ({"chat_template_args": {"date": "today"}}, {"date": "today"}),
        (
            {"chat_template_args": {"date": "today"}, "enable_thinking": True},
            {"date": "today", "enable_thinking": True},
        ),
        (
            {"chat_template_args": {"enable_thinking": True}, "enable_thinking": True},
            {"enable_thinking": True},
        ),
    ],
)
def test_arguments_are_collected_as_lm_eval_spells_them(options: dict[str, Any], collected: dict[str, Any]) -> None:
    assert chat_arguments.collect(options) == collected
    assert chat_arguments.collect(chat_arguments.without(options)) == {}


def test_arguments_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="keep one of them"):
        chat_arguments.collect({"chat_template_args": {"enable_thinking": True}, "enable_thinking": False})


@pytest.mark.parametrize("value", ["enable_thinking=false", ["enable_thinking"], {1: 2}])
def test_arguments_that_are_no_mapping_are_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="no mapping"):
        chat_arguments.collect({"chat_template_args": value})


def test_an_argument_changes_the_prompt_the_hash_and_the_label(tokenizer: Any) -> None:
    plain = prompts.get("chat", tokenizer)
    silent = prompts.resolve(None, None, tokenizer, {"enable_thinking": False})
    aloud = prompts.get("chat", tokenizer, {"enable_thinking": True})
    assert plain.render([Turn("Why?")]) == "<user>Why?<assistant>"
    assert silent.render([Turn("Why?")]) == "<user>Why?<assistant><think></think>"
    assert len({plain.hash, silent.hash, aloud.hash}) == 3
    assert plain.hash == prompts.get("chat", tokenizer, {}).hash
    assert (plain.label, silent.label) == ("chat", "chat with enable_thinking=false")


@pytest.mark.parametrize("name", ["enable_thinkin", "reasoning_effort", "message", "messages", "add_generation_prompt"])
def test_an_argument_that_the_template_does_not_read_is_refused(tokenizer: Any, name: str) -> None:
    with pytest.raises(UsageError, match=f"no variable '{name}'") as refused:
        prompts.get("chat", tokenizer, {name: True})
    assert "enable_thinking" in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "{%- set enable_thinking = enable_thinking if enable_thinking is defined else true %}{{ enable_thinking }}",
        "{% generation %}{{ enable_thinking }}{% endgeneration %}",
        "{% for message in messages %}{% if enable_thinking %}{% break %}{% endif %}{% endfor %}",
        "{% macro close() %}{{ enable_thinking }}{% endmacro %}{{ close() }}",
    ],
)
def test_variables_of_the_forms_that_templates_have(source: str) -> None:
    chat_arguments.check({"enable_thinking": False}, source)


@pytest.mark.parametrize("name", ["s2", "s2-space", "fastchat:vicuna_v1.1"])
def test_only_the_tokenizers_template_takes_arguments(name: str) -> None:
    with pytest.raises(UsageError, match="takes no arguments"):
        prompts.get(name, arguments={"enable_thinking": False})


def test_the_options_text_is_a_json_object() -> None:
    assert chat_arguments.parse(None) == {}
    assert chat_arguments.parse(json.dumps({"enable_thinking": False})) == {"enable_thinking": False}
    for text in ("enable_thinking=false", "[]", "{"):
        with pytest.raises(UsageError, match="expected JSON"):
            chat_arguments.parse(text)


def test_a_configuration_with_no_mapping_is_refused(tmp_path: Path) -> None:
    from s2eval import config

    path = tmp_path / "run.yaml"
    path.write_text("models: [{model: m, args: {chat_template_args: thinking}}]\ntasks: [t]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no mapping"):
        config.load(path)
