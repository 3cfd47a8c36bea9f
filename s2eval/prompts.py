"""Prompt templates, for training (`s2train`) and evaluation: `s2`, `s2-space`, `chat` or `fastchat:NAME`.

A checkpoint's `s2train.json` names the one it was trained with; evaluation uses the same by default.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from s2eval import chat_arguments, control_tokens
from s2eval.control_tokens import Tokenizer
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
        hash: 16 hex digits over what determines the text, whatever the name; stands in every result.
        stop: texts at which an answer ends (the end-of-sequence token ends it anyway).
        render: dialogue → prompt, ending where the model's answer begins.
        arguments: of the tokenizer's chat template, such as `enable_thinking`; part of the hash.
        end: what follows an answer, up to the control token that ends the turn (`<|im_end|>`); empty where the
            end-of-sequence token does. Without a tokenizer: all that follows.
        as_text: hides the texts of control tokens in a text, as `render` does (`control_tokens`); None: no tokenizer.
    """

    name: str
    hash: str
    stop: tuple[str, ...]
    render: Callable[[Sequence[Turn]], str]
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    end: str = ""
    as_text: Callable[[str], str] | None = None

    @property
    def label(self) -> str:
        """The name with the arguments, as results show it."""
        return label(self.name, self.arguments)


# `s2` is literally what the paper prints: no space before "Assistant:".
_PLAIN = {"s2": f" ###{ASSISTANT}", "s2-space": f" ### {ASSISTANT}"}


def label(name: str, arguments: Mapping[str, object]) -> str:
    """A template's name with its arguments.

    >>> label("chat", {"enable_thinking": False})
    'chat with enable_thinking=false'
    """
    listed = ", ".join(f"{key}={json.dumps(value, default=str)}" for key, value in sorted(arguments.items()))
    return f"{name} with {listed}" if listed else name


def names() -> tuple[str, ...]:
    """The template names that can be typed, `fastchat:NAME` standing for many."""
    return (*_PLAIN, "chat", "fastchat:NAME")


def get(name: str, tokenizer: Tokenizer = None, arguments: Mapping[str, object] | None = None) -> Template:
    """The template of that name; see `names`.

    Args:
        tokenizer: `chat` needs it, the others read questions as text by it.
        arguments: of the tokenizer's chat template, by name.

    Raises:
        UnknownNameError: no such template.
        UsageError: `chat` without a chat template; an argument that the template does not read.
    """
    if name == "chat":
        return for_tokenizer(_chat(tokenizer, arguments or {}), tokenizer)
    if arguments:
        raise UsageError(
            f"template {name!r} takes no arguments ({', '.join(arguments)}): only `chat`, the tokenizer's own, does"
        )
    if name in _PLAIN:
        return for_tokenizer(_plain(name), tokenizer)
    if name.startswith("fastchat:"):
        return for_tokenizer(_fastchat(name), tokenizer)
    raise UnknownNameError("template", name, names(), see="docs/templates.md")


def for_tokenizer(template: Template, tokenizer: Tokenizer) -> Template:
    """The template for one tokenizer: nothing in a question or an answer is read as a control token, and an answer
    ends where the turn does. The same template where there is no tokenizer, or it is one for a tokenizer already."""
    if tokenizer is None or template.as_text is not None:
        return template
    around = template.render(_PROBES[1]).rpartition(_PROBES[1][-1].question)[0]
    tokens = control_tokens.special(tokenizer) | control_tokens.written_in(tokenizer, around + template.end)

    def as_text(text: str) -> str:
        return control_tokens.hidden(text, tokens)

    def render(turns: Sequence[Turn]) -> str:
        return template.render(
            [Turn(as_text(turn.question), None if turn.answer is None else as_text(turn.answer)) for turn in turns]
        )

    mark = re.match(r"\s*(" + "|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) + ")", template.end)
    end = mark[0] if mark and mark[1] else ""
    other = end and end.strip() != getattr(tokenizer, "eos_token", None)
    stop = (*template.stop, end.strip()) if other and end.strip() not in template.stop else template.stop
    return replace(template, stop=stop, render=render, end=end, as_text=as_text)


def resolve(
    name: str | None,
    checkpoint: str | None = None,
    tokenizer: Tokenizer = None,
    arguments: Mapping[str, object] | None = None,
) -> Template:
    """The template to evaluate a model with.

    In this order: `name` if given; what the checkpoint's `s2train.json` says; `chat` where the tokenizer has a
    chat template; `s2`. Hub ids have no `s2train.json`.
    """
    if name is None and checkpoint is not None:
        name = trained_with(Path(checkpoint))
    if name is None:
        name = "chat" if getattr(tokenizer, "chat_template", None) else "s2"
    return get(name, tokenizer, arguments)


def trained_with(checkpoint: Path) -> str | None:
    """The template that `s2train.json` of a checkpoint folder names; None where there is no such file."""
    path = checkpoint / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        template = json.loads(path.read_text(encoding="utf-8"))["template"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # no JSON and no UTF-8 are ValueErrors
        raise DataError(f"{path}: no readable field 'template' ({error!r})") from error
    if not isinstance(template, str):
        raise DataError(f"{path}: field 'template' is {template!r}, not a name")
    return template


_SHOWN = 300  # characters of another's error message
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


def _chat(tokenizer: Tokenizer, arguments: Mapping[str, object]) -> Template:
    if not getattr(tokenizer, "chat_template", None):
        raise UsageError(
            "template 'chat': the tokenizer has no chat template. Choose another one: " + ", ".join(_PLAIN)
        )
    try:
        chat_arguments.check(arguments, tokenizer.get_chat_template())
    except ValueError as error:  # several templates, none of which is the default
        raise UsageError(f"template 'chat': {error}") from error

    def apply(messages: Sequence[Mapping[str, str]], *, prompt: bool) -> str:
        try:
            return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **arguments)
        except UsageError:
            raise
        except Exception as error:  # it is a program of whoever made the tokenizer, and may raise anything
            why = f"{type(error).__name__}: {error}"[:_SHOWN]
            raise UsageError(
                f"template 'chat': the tokenizer's chat template failed ({why}). Correct it, "
                f"or choose another template: {', '.join(_PLAIN)}"
            ) from error

    def render(turns: Sequence[Turn]) -> str:
        messages: list[dict[str, str]] = []
        for turn in turns:
            messages.append({"role": "user", "content": turn.question})
            if turn.answer is not None:
                messages.append({"role": "assistant", "content": turn.answer})
        return apply(messages, prompt=True)

    answered = [{"role": "user", "content": "{question}"}, {"role": "assistant", "content": "{answer}"}]
    closed = apply(answered, prompt=False)
    end = closed.rpartition("{answer}")[2] if "{answer}" in closed else ""
    # its source too: it may treat some texts in ways that the probes do not show
    more = [json.dumps(dict(arguments), sort_keys=True, default=str)] if arguments else []
    digest = _digest(render, str(tokenizer.chat_template), *more)
    return Template("chat", digest, (HUMAN,), render, dict(arguments), end=end)


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

    end = render([Turn("{question}", "{answer}")]).rpartition("{answer}")[2]
    return Template(name, _digest(render), stops, render, end=end)
