"""The tokenizer that a model's arguments name: the one that lm-eval's HFLM loads with the same arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPTIONS = {"use_fast_tokenizer": "use_fast"}  # HFLM's argument → AutoTokenizer's, where they differ
KEYS = ("tokenizer", "revision", "trust_remote_code", "subfolder", *_OPTIONS)


def load(pretrained: str, options: Mapping[str, object]) -> Any:
    """A transformers tokenizer, of the folder or hub id `pretrained` unless `options` have a `tokenizer`. Raises
    OSError or ValueError if transformers cannot load it."""
    from transformers import AutoTokenizer

    name = options.get("tokenizer") or pretrained
    if not isinstance(name, str):
        return name
    arguments = {_OPTIONS.get(key, key): options[key] for key in KEYS[1:] if options.get(key) is not None}
    return AutoTokenizer.from_pretrained(name, **arguments)


def rows_needed(tokenizer: Any) -> int:
    """Rows that embeddings must have for every token of a tokenizer: its highest id and one; ids may have gaps."""
    return max(tokenizer.get_vocab().values(), default=-1) + 1
