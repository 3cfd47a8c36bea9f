"""Control tokens of a tokenizer (end-of-text, turn marks): text stays text, and no prompt ends in one.

A tokenizer reads the text of a special token anywhere as that token: `<|im_end|>` in a question would end the user's
turn. A word joiner (U+2060) inside such a text, put there when the text enters a template, hides it from every
tokenizer; `encode` removes the joiner and encodes the text letter by letter, as any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from s2eval.errors import UsageError

JOINER = "\u2060"
Tokenizer: TypeAlias = Any
"""Of transformers, which is not imported here."""


def special(tokenizer: Tokenizer) -> set[str]:
    """Texts of the tokens that the tokenizer calls special."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    return {token.content for token in added if token.special} | set(getattr(tokenizer, "all_special_tokens", ()))


def written_in(tokenizer: Tokenizer, text: str) -> set[str]:
    """Texts of the tokens, special or only added, that stand in a text: those that a template marks turns with."""
    return {token for token in _added(tokenizer) if token in text}


def _added(tokenizer: Tokenizer) -> set[str]:
    return {token.content for token in getattr(tokenizer, "added_tokens_decoder", {}).values()} | special(tokenizer)


def hidden(text: str, tokens: Iterable[str]) -> str:
    """The text, with a joiner in every place where it spells out one of the tokens.

    >>> hidden("a <s> b", ["<s>"]) == "a <" + JOINER + "s> b"
    True
    """
    pattern = _pattern(token for token in tokens if token in text)
    return pattern.sub(lambda match: match[0][0] + JOINER + match[0][1:], text) if pattern else text


def _pattern(tokens: Iterable[str], after_first: str = "") -> re.Pattern[str] | None:
    """One of the tokens, longer ones first; None of none. A token of one character cannot be split."""
    texts = sorted({token for token in tokens if len(token) > 1}, key=len, reverse=True)
    return re.compile("|".join(re.escape(t[0] + after_first + t[1:]) for t in texts)) if texts else None


def encode(tokenizer: Tokenizer, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
    """Texts in tokens; hidden texts as text, and without what the tokenizer appends to every text.

    `add_special_tokens`: whether the tokenizer adds what it puts before a text; None = as it does by itself.
    """
    if not texts:
        return []
    options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
    encoded: list[list[int]] = [list(tokens) for tokens in tokenizer(list(texts), **options)["input_ids"]]
    for number, text in enumerate(texts):
        if JOINER in text and (tokens := _encode_hidden(tokenizer, text, options)) is not None:
            encoded[number] = tokens
    extra = 0 if add_special_tokens is False else len(appended(tokenizer))
    return [tokens[: len(tokens) - extra] for tokens in encoded]


def _encode_hidden(tokenizer: Tokenizer, text: str, options: dict[str, bool]) -> list[int] | None:
    """The tokens of a text in which something is hidden; None where nothing is."""
    added = _added(tokenizer)
    marked = _pattern(added, JOINER)
    if marked is None or not marked.search(text):
        return None
    plain = marked.sub(lambda match: match[0].replace(JOINER, "", 1), text)
    if not any(token in text for token in added):  # no turn is marked by a control token: one call encodes all
        return list(tokenizer([plain], split_special_tokens=True, **options)["input_ids"][0])
    joiners = [match.start() + 1 for match in marked.finditer(text)]
    starts = [0, *(joiner + 1 for joiner in joiners)]
    first, *rest = [text[start:stop] for start, stop in zip(starts, [*joiners, len(text)], strict=True)]
    tokens = list(tokenizer([first], **options)["input_ids"][0])
    extra = [] if options.get("add_special_tokens") is False else appended(tokenizer)
    tokens = tokens[: len(tokens) - len(extra)]
    for part in rest:
        tokens += tokenizer([part], add_special_tokens=False)["input_ids"][0]
    return [*tokens, *extra]


def appended(tokenizer: Tokenizer) -> list[int]:
    """What the tokenizer adds at the end of every text: its end-of-text with `add_eos_token`, else nothing."""
    return _around(tokenizer)[1]


def _around(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    bare, complete = (list(tokenizer(["a"], add_special_tokens=add)["input_ids"][0]) for add in (False, True))
    for start in range(len(complete) - len(bare) + 1):
        if complete[start : start + len(bare)] == bare:
            return complete[:start], complete[start + len(bare) :]
    return [], []


def stop_appending(tokenizer: Tokenizer) -> None:
    """Change a tokenizer so that it adds nothing at the end of a text; UsageError where its kind cannot be changed."""
    before, after = _around(tokenizer)
    if not after:
        return
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        token = tokenizer.convert_ids_to_tokens(after[-1])
        raise UsageError(
            f"the tokenizer ends every text with {token}, and after that no model answers: "
            "set add_eos_token to false in its tokenizer_config.json"
        )
    from tokenizers.processors import TemplateProcessing

    names = [str(tokenizer.convert_ids_to_tokens(number)) for number in before]
    opening = [*names, "$A"]
    if getattr(tokenizer, "_add_eos_token", False):  # or transformers would append it again with the next change
        tokenizer._add_eos_token = False
    backend.post_processor = TemplateProcessing(
        single=opening, pair=[*opening, "$B:1"], special_tokens=list(dict(zip(names, before, strict=True)).items())
    )
