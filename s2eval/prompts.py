"""The one place where a question becomes a prompt; training (`s2train`) and evaluation both come here.

A template is named as users type it: `s2`, `s2-space`, `chat` or `fastchat:NAME`. Which one a checkpoint was
trained with stands in its `s2train.json`; evaluation then uses the same unless told otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from s2eval.errors import DataError, PrerequisiteError, UnknownNameError, UsageError

HUMAN, ASSISTANT = "### Human:", "Assistant:"
CHECKPOINT_FILE = "s2train.json"


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a dialogue with its answer; the last turn's answer is None."""

    question: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A way to write a dialogue as text.

    Attributes:
        name: as users type it.
        hash: 16 hex digits over what determines the text, whatever the name; stands in every result.
        stop: texts at which an answer ends (the end-of-sequence token ends it anyway).
        render: dialogue → prompt, ending where the model's answer begins.
    """

    name: str
    hash: str
    stop: tuple[str, ...]
    render: Callable[[Sequence[Turn]], str]


# `s2` is literally what the paper prints: no space before "Assistant:".
_PLAIN = {"s2": f" ###{ASSISTANT}", "s2-space": f" ### {ASSISTANT}"}


def names() -> tuple[str, ...]:
    """The template names that can be typed, `fastchat:NAME` standing for many."""
    return (*_PLAIN, "chat", "fastchat:NAME")


def get(name: str, tokenizer: Any = None) -> Template:
    """The template of that name.

    Args:
        name: see `names`.
        tokenizer: a transformers tokenizer; needed by `chat` only.

    Raises:
        UnknownNameError: no such template.
        UsageError: `chat` without a tokenizer, or with one that has no chat template.
    """
    if name in _PLAIN:
        return _plain(name)
    if name == "chat":
        return _chat(tokenizer)
    if name.startswith("fastchat:"):
        return _fastchat(name)
    raise UnknownNameError("template", name, names(), see="docs/templates.md")


def resolve(name: str | None, checkpoint: str | None = None, tokenizer: Any = None) -> Template:
    """The template to evaluate a model with.

    In this order: `name` if given; what the checkpoint's `s2train.json` says; `chat` where the tokenizer has a
    chat template; `s2`.

    Args:
        name: a template name or None.
        checkpoint: folder of the model or adapter; hub ids have no `s2train.json`.
        tokenizer: a transformers tokenizer or None.
    """
    if name is None and checkpoint is not None:
        name = trained_with(Path(checkpoint))
    if name is None:
        name = "chat" if getattr(tokenizer, "chat_template", None) else "s2"
    return get(name, tokenizer)


def trained_with(checkpoint: Path) -> str | None:
    """The template that `s2train.json` of a checkpoint folder names; None where there is no such file."""
    path = checkpoint / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        template = json.loads(path.read_text(encoding="utf-8"))["template"]
    except (ValueError, KeyError, TypeError) as error:  # no JSON and no UTF-8 are ValueErrors
        raise DataError(f"{path}: no readable field 'template' ({error!r})") from error
    if not isinstance(template, str):
        raise DataError(f"{path}: field 'template' is {template!r}, not a name")
    return template


# A question, and one that follows an answer: what they look like is what a template's hash is made of.
_PROBES = ((Turn("{question}"),), (Turn("{question}", "{answer}"), Turn("{question}")))


def _digest(render: Callable[[Sequence[Turn]], str], *more: str) -> str:
    texts = [render(turns) for turns in _PROBES]
    return hashlib.sha256("\0".join([*texts, *more]).encode()).hexdigest()[:16]


def _plain(name: str) -> Template:
    mark = _PLAIN[name]

    def render(turns: Sequence[Turn]) -> str:
        return " ".join(
            f"{HUMAN} {turn.question}{mark}" + ("" if turn.answer is None else f" {turn.answer}") for turn in turns
        )

    return Template(name, _digest(render), (HUMAN,), render)


def _chat(tokenizer: Any) -> Template:
    if not getattr(tokenizer, "chat_template", None):
        raise UsageError(
            "template 'chat': the tokenizer has no chat template. Choose another one: " + ", ".join(_PLAIN)
        )

    def render(turns: Sequence[Turn]) -> str:
        messages: list[dict[str, str]] = []
        for turn in turns:
            messages.append({"role": "user", "content": turn.question})
            if turn.answer is not None:
                messages.append({"role": "assistant", "content": turn.answer})
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    # its source too: it may treat some texts in ways that the probes do not show
    return Template("chat", _digest(render, str(tokenizer.chat_template)), (HUMAN,), render)


def _fastchat(name: str) -> Template:
    try:
        from fastchat import conversation
    except ImportError as error:
        raise PrerequisiteError("templates fastchat:NAME need fschat: pip install fschat==0.2.36") from error

    known = conversation.conv_templates
    key = name.removeprefix("fastchat:")
    if key not in known:
        raise UnknownNameError("template", name, [f"fastchat:{other}" for other in known], see="docs/templates.md")
    stop = known[key].stop_str
    stops = tuple([stop] if isinstance(stop, str) else stop or ())

    def render(turns: Sequence[Turn]) -> str:
        dialogue = known[key].copy()
        human, assistant = cast("tuple[str, str]", dialogue.roles)
        for turn in turns:
            dialogue.append_message(human, turn.question)
            dialogue.append_message(assistant, cast("str", turn.answer))  # None opens the model's turn
        return dialogue.get_prompt()

    return Template(name, _digest(render), stops, render)
