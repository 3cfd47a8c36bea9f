"""Arguments of a tokenizer's chat template, such as `enable_thinking`: collected, and checked against its source.

lm-eval's names are used: `chat_template_args`, a mapping, and `enable_thinking` by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from s2eval.errors import UsageError, nearest
from s2eval.files import Json

T = TypeVar("T")
MAPPING, THINKING = "chat_template_args", "enable_thinking"
KEYS = (MAPPING, THINKING)
# What rendering sets by itself.
_RENDERING = frozenset({"messages", "add_generation_prompt"})


def collect(options: Mapping[str, object]) -> dict[str, object]:
    """The template's arguments among a model's arguments (`args:` of a run, lm-eval's `--model_args`), by name.

    Raises:
        UsageError: `chat_template_args` is no mapping of names, or contradicts `enable_thinking`.
    """
    mapping = options.get(MAPPING)
    if mapping is not None and not (isinstance(mapping, Mapping) and all(isinstance(key, str) for key in mapping)):
        raise UsageError(f"{MAPPING}: {mapping!r} is no mapping; write for instance {MAPPING}: {{{THINKING}: false}}")
    arguments: dict[str, object] = dict(mapping or {})
    thinking = options.get(THINKING)
    if thinking is None:
        return arguments
    if arguments.get(THINKING, thinking) != thinking:
        raise UsageError(f"{THINKING} is {thinking!r}, and {arguments[THINKING]!r} in {MAPPING}; keep one of them")
    return {**arguments, THINKING: thinking}


def parse(text: str | None) -> dict[str, object]:
    """The argument of `--chat-template-args`, a JSON object (else UsageError); none where it is left out."""
    if text is None:
        return {}
    try:
        value: Json = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UsageError(f"--chat-template-args {text}: expected JSON such as '{{\"{THINKING}\": false}}'")
    return {**value}


def without(options: Mapping[str, T]) -> dict[str, T]:
    """A model's arguments less those of its template: prompts come rendered to the backend, which would refuse
    `enable_thinking` for log-likelihoods, where no template is used."""
    return {name: value for name, value in options.items() if name not in KEYS}


def check(arguments: Mapping[str, object], source: str) -> None:
    """Check that the chat template, `source` in Jinja, reads every argument.

    Raises:
        UsageError: with the first that nothing would read, and the closest variable, or all of them.
    """
    if not arguments:
        return
    known = sorted(_variables(source) - _RENDERING)
    for name in arguments:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else f"its variables are: {', '.join(known) or 'none'}"
            raise UsageError(f"the tokenizer's chat template has no variable {name!r}; {hint}")


def _variables(source: str) -> set[str]:
    """Names that the template reads and does not only set itself; empty where it is not Jinja, as rendering says."""
    from jinja2 import TemplateSyntaxError, meta, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` of transformers, which marks an answer for training."""

        tags = {"generation"}  # noqa: RUF012 (Jinja's own form)

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols", Generation])
    try:
        return meta.find_undeclared_variables(environment.parse(source))
    except (TemplateSyntaxError, RecursionError):
        return set()
