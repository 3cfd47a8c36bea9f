"""Requests that a model cannot compute, found before any of them is computed and named by task and document.

lm-eval's hf stops at them with an empty AssertionError or an IndexError, after everything that came before; the token
trie would score a choice without tokens as certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from s2eval.errors import UsageError
from s2eval.models.backend import HFLM
from s2eval.models.tokenizers import rows_needed

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from transformers import PreTrainedModel

_SHOWN = 60  # characters of a text in a message


def check_choices(
    lm: HFLM,
    requests: Sequence[tuple[tuple[str, str] | None, Sequence[int], Sequence[int]]],
    instances: Sequence[Instance],
) -> None:
    """Check a call for log-likelihoods, as lm-eval encodes it; `instances` are empty where they are not known.
    Raises UsageError for a prompt or choice without tokens, a choice longer than the context, a token without
    embedding."""
    beyond = max(rows_needed(lm.tokenizer), (lm.prefix_token_id or 0) + 1) > rows_of(lm.model)
    for number, (strings, context, choice) in enumerate(requests):
        if context and choice and len(choice) <= lm.max_length and not beyond:
            continue
        where = place(instances[number]) if len(instances) == len(requests) else ""
        prompt, text = strings if strings is not None else ("", "")
        if not context:
            raise UsageError(f"{where}its prompt {_short(prompt)} has no tokens, so that nothing predicts a choice")
        if not choice:
            why = "is empty" if not text else (
                f"has no token of its own: the tokenizer merges it with the end of the prompt, {_short(prompt[-20:])}. "
                "Let choices begin with a space (target_delimiter), or end the prompt at a character that merges "
                "with nothing"
            )  # fmt: skip
            raise UsageError(f"{where}the choice {_short(text)} {why}")
        if len(choice) > lm.max_length:
            raise UsageError(
                f"{where}the choice {_short(text)} has {len(choice):,} tokens, the model's context {lm.max_length:,}"
            )
        check_tokens(lm, [*context, *choice], where)


def check_tokens(lm: HFLM, tokens: Sequence[int], where: str = "") -> None:
    """Raise UsageError, naming the token, if one has no row in the model's embeddings."""
    rows = rows_of(lm.model)
    token = max(tokens, default=0)
    if token >= rows:
        raise UsageError(
            f"{where}the token {lm.tokenizer.convert_ids_to_tokens(token)!r} has the id {token:,}, but the model's "
            f"embeddings have {rows:,} rows: the tokenizer is another model's, or tokens were added to it and the "
            "embeddings not resized. Name the right one: args: {tokenizer: FOLDER}"
        )


def place(request: object) -> str:
    """`task, document 3: ` of an instance of lm-eval, as far as it is known."""
    task, document = getattr(request, "task_name", None), getattr(request, "doc_id", None)
    if task is None:
        return ""
    return f"{task}, document {document}: " if document is not None else f"{task}: "


def rows_of(model: PreTrainedModel) -> int:
    """Rows of a model's embeddings, by its configuration."""
    return getattr(model.config.get_text_config(), "vocab_size", None) or 1 << 62


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
