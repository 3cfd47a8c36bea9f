"""A model's answer, and its reasoning apart from it, in the forms in which servers return them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from s2eval.files import Json, JsonObject
from s2eval.llm.secrets import clean_text
from s2eval.reasoning import split

_REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")  # fields beside `content`
_TEXTS = frozenset({"text", "output_text", "input_text"})
_THOUGHTS = frozenset(
    {"thinking", "reasoning", "reasoning_text", "reasoning.text", "reasoning.summary", "reasoning.encrypted", "thought"}
    | {"redacted_thinking", "summary_text"}
)
_FENCES = ("```", "~~~")


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a message, each "" where there is none: the answer, the reasoning, the words of a refusal."""

    text: str
    reasoning: str = ""
    refusal: str = ""


class FormError(ValueError):
    """A message with something else than text; names the field, and what it is."""


def written(message: JsonObject) -> Written:
    """The parts of `choices[0].message`; raises a FormError where they cannot be read as text."""
    texts, thoughts, refusals = list[str](), list[str](), list[str]()
    for kind, text in _parts(message.get("content")):
        {"text": texts, "thought": thoughts, "refusal": refusals}[kind].append(text)
    for name in _REASONING:
        beside = "\n\n".join(_thoughts(message.get(name)))
        if beside:
            thoughts.insert(0, beside)
            break  # servers give the same under two names
    if isinstance(words := message.get("refusal"), str):
        refusals.append(words)
    # a key that was cut into several parts is complete only after they are joined
    answer, inside, _ = split(clean_text("".join(texts)))
    reasoning = "\n\n".join(part for part in (*map(str.strip, thoughts), inside) if part)
    return Written(answer, reasoning, "".join(refusals))


def json_in(text: str) -> str | None:
    """The JSON that a text consists of, without a byte order mark, a code fence or a line that introduces it.

    None where it is not JSON, or more than one document.
    """
    text = text.strip().removeprefix("\ufeff").strip()
    if _is_json(text):
        return text
    starts = [start for sign in ("{", *_FENCES) if (start := text.find(sign)) >= 0]
    if not starts:
        return None
    introduction, rest = text[: min(starts)], text[min(starts) :]
    if "[" in introduction or (introduction and not introduction.rstrip(" ").endswith((":", "\n"))):
        return None
    fence = rest[:3]
    if fence in _FENCES:
        rest = rest.partition("\n")[2].removesuffix(fence).strip() if rest.endswith(fence) else ""
    return rest if _is_json(rest) else None


def kind_of(value: Json) -> str:
    """The kind of a value in words."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return {dict: "an object", str: "a text"}.get(type(value), "a number")


def _parts(content: Json) -> Iterator[tuple[str, str]]:
    """(`text`, `thought` or `refusal`; its text) of each part of `content`."""
    if content is None:
        return
    if isinstance(content, str | dict):
        content = [content]
    if not isinstance(content, list):
        raise FormError(f"`content` is {kind_of(content)}")
    for number, part in enumerate(content):
        field = f"content[{number}]"
        if isinstance(part, str):
            yield "text", part
            continue
        if not isinstance(part, dict):
            raise FormError(f"`{field}` is {kind_of(part)}")
        kind = part.get("type", "text")
        if kind in _TEXTS:
            text = part.get("text")
            if isinstance(text, dict):  # {"value": …, "annotations": []}
                text = text.get("value")
            if not isinstance(text, str):
                raise FormError(f"`{field}.text` is {kind_of(text)}")
            yield "text", text
        elif kind in _THOUGHTS:
            yield "thought", "\n\n".join(_thoughts(part))
        elif kind == "refusal":
            yield "refusal", str(part.get("refusal") or part.get("text") or "")
        elif kind not in ("tool_use", "tool_call", "function_call"):
            raise FormError(f"`{field}.type` is {kind!r}" if isinstance(kind, str) else f"`{field}` has no type")


def _thoughts(value: Json, depth: int = 0) -> Iterator[str]:
    """The texts of a reasoning field: a text, a part, or a list of parts. What is encrypted has none."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif depth < 4 and isinstance(value, list):
        for part in value:
            yield from _thoughts(part, depth + 1)
    elif depth < 4 and isinstance(value, dict):
        for name in ("text", "thinking", "reasoning", "summary", "content"):
            if value.get(name):
                yield from _thoughts(value[name], depth + 1)
                break


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
