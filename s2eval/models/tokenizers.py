"""The tokenizer that a model's arguments name: the one that lm-eval's HFLM loads with the same arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# HFLM's argument → AutoTokenizer's.
_OPTIONS = {
    "revision": "revision",
    "trust_remote_code": "trust_remote_code",
    "subfolder": "subfolder",
    "use_fast_tokenizer": "use_fast",
}
KEYS = ("tokenizer", *_OPTIONS)


def load(pretrained: str, options: Mapping[str, Any]) -> Any:
    """A transformers tokenizer.

    Args:
        pretrained: folder or hub id of the model.
        options: the model's arguments; those of `KEYS` matter here. `tokenizer` may be an object.

    Raises:
        OSError, ValueError: transformers cannot load it.
    """
    from transformers import AutoTokenizer

    name = options.get("tokenizer") or pretrained
    if not isinstance(name, str):
        return name
    arguments = {ours: options[theirs] for theirs, ours in _OPTIONS.items() if options.get(theirs) is not None}
    return AutoTokenizer.from_pretrained(name, **arguments)


def rows_needed(tokenizer: Any) -> int:
    """Rows that embeddings must have for every token of a tokenizer: its highest id and one; ids may have gaps."""
    return max(tokenizer.get_vocab().values(), default=-1) + 1
