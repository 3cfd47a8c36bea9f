"""lm-eval's rules for `generate_until`: how a request is read, when its answer ends, what remains of it.

They are those of lm-eval's `hf` at batch size 1, for one request at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from s2eval import control_tokens
from s2eval.errors import UsageError
from s2eval.models.backend import HFLM, decoding
from s2eval.models.backend.generation import Prompt
from s2eval.models.trie import support
from s2eval.reasoning import split


class Rules:
    """The rules as they apply to one model."""

    def __init__(self, lm: HFLM) -> None:
        self._lm = lm
        self._eos = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
        self._lengths: dict[tuple[str, ...], int] = {}

    def read(self, text: str, settings: dict[str, Any], repeat: int) -> Prompt | str:
        """What is to be generated for a request whose prompt came `repeat` times before, or why only hf's path can
        do it. Raises UsageError if the new tokens alone fill the context."""
        lm = self._lm
        kwargs: dict[str, Any] = dict(normalize_gen_kwargs(settings, lm.max_gen_toks))
        until = handle_stop_sequences(kwargs.pop("until", None), eos=self._eos)
        limit = kwargs.pop("max_gen_toks")
        chosen = decoding.read(lm.model, kwargs)
        if isinstance(chosen, str):
            return chosen
        if limit >= lm.max_length:
            raise UsageError(f"{limit} new tokens leave no room for a prompt in a context of {lm.max_length}")
        if control_tokens.JOINER in text:
            tokens: list[int] = lm.tok_batch_encode([text])[0][0].tolist()
        else:  # as hf's `tok_batch_encode`, without padding
            special = {} if lm.add_bos_token is None else {"add_special_tokens": lm.add_bos_token}
            if has_bos_prefix(text, getattr(lm.tokenizer, "bos_token", None)):
                special = {"add_special_tokens": False}
            tokens = lm.tokenizer(text, truncation=lm.truncation, **special)["input_ids"]
        fitting = tokens[-(lm.max_length - limit) :]
        why = support.refusal(lm.model, len(fitting) + limit) if fitting else "an empty prompt"
        cut = len(fitting) < len(tokens)
        return why or Prompt(fitting, limit, *chosen, self._stopping(until), decoding.generator(text, repeat), cut)

    def text(self, tokens: list[int], settings: dict[str, Any]) -> str:
        """The answer without the reasoning before it and what follows a stop string."""
        thinking = self._lm.think_end_token
        until = handle_stop_sequences(normalize_gen_kwargs(settings, 1).get("until"), eos=self._eos)
        text = self._lm.tok_decode(tokens[self._reasoning_end(tokens) :])
        if isinstance(thinking, int):
            text = text.lstrip()
        return postprocess_generated_text(text, until, thinking if isinstance(thinking, str) else None)

    def reasoning(self, tokens: list[int]) -> str:
        """What `text` leaves out before the model's `think_end_token`."""
        lm, thinking = self._lm, self._lm.think_end_token
        if isinstance(thinking, int):
            end = self._reasoning_end(tokens)
            return lm.tok_decode(tokens[: end - 1]).strip() if end else ""
        return split(lm.tok_decode(tokens), end=thinking).reasoning if thinking else ""

    def _reasoning_end(self, tokens: list[int]) -> int:
        """The place behind the last token that ends reasoning, where one token does; 0 where it does not occur."""
        thinking = self._lm.think_end_token
        if not isinstance(thinking, int) or thinking not in tokens:
            return 0
        return len(tokens) - tokens[::-1].index(thinking)

    def _stopping(self, until: Sequence[str]) -> Callable[[Sequence[int]], bool]:
        """Whether the last tokens of an answer hold a stop string; two more than it takes to write the longest."""
        marks, tokenizer = tuple(mark for mark in until if mark), self._lm.tokenizer
        if marks not in self._lengths:
            longest = max((len(tokenizer.encode(mark, add_special_tokens=False)) for mark in marks), default=0)
            self._lengths[marks] = longest + 2
        length = self._lengths[marks]

        def stopped(tokens: Sequence[int]) -> bool:
            text = tokenizer.decode(tokens[-length:])
            return any(mark in text for mark in marks)

        return stopped
