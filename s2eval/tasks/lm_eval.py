"""What tasks share of lm-eval's interface: data sets, prompt templates, and a warning about BOS.

lm-eval calls a YAML's `custom_dataset` with the YAML's `metadata` and `dataset_kwargs`, into which it has merged the
model's arguments (`pretrained=…`) and the command line's `--metadata`. Functions ignore unknown arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import datasets

from s2eval import chat_arguments, data, paths, prompts
from s2eval.lm_eval_logs.answers import OPENED
from s2eval.metrics.answers import WHOLE_TEXT, counts
from s2eval.reasoning import opens_reasoning

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger("s2eval")


def data_folder(demo: bool) -> Path | None:
    """The demonstration's data, or what `S2_DATA_DIR` names; None reads from the hub."""
    return paths.demo_data() if demo else data.directory()


def dataset(rows: Sequence[Mapping[str, object]]) -> datasets.DatasetDict:
    """Documents as lm-eval takes them from a `custom_dataset`, in a split `test`."""
    return datasets.DatasetDict({"test": datasets.Dataset.from_list([dict(row) for row in rows])})


def warn_of_bos(pretrained: object = None, add_bos_token: object = None, tokenizer: object = None, **_: object) -> None:
    """Warn where the tokens would differ from 2023's: the leaderboard put no BOS before a causal model's text.

    Only plain `lm_eval` gets here with a model that adds one; `s2eval run` sets `add_bos_token=False` itself.
    """
    name = tokenizer or pretrained
    if add_bos_token is not None or not isinstance(name, str):
        return
    loaded = tokenizer_of(name, {})
    if loaded is not None and loaded.bos_token_id is not None and loaded.bos_token_id in loaded("a").input_ids[:1]:
        log.warning(
            "%s: its tokenizer adds BOS; the leaderboard of 2023 did not. For the same tokens add "
            "add_bos_token=False to --model_args",
            name,
        )


def tokenizer_of(pretrained: str, options: Mapping[str, object]) -> PreTrainedTokenizerBase | None:
    """A model's tokenizer; None where it cannot be loaded, which the model's own loading will explain."""
    from s2eval.models import tokenizers
    from s2eval.models.sources import embedded

    try:
        return tokenizers.load(str(embedded.resolve(pretrained)), options)
    except (OSError, ValueError):
        return None


def template_for(
    name: str | None, pretrained: object, peft: str | None, options: Mapping[str, object]
) -> prompts.Template:
    """The prompt template that fits a model (`prompts.resolve`), with its arguments among the model's `options`.

    Args:
        name: of the template, if one is requested.
        pretrained, peft: the model's arguments; of a model in memory folder and tokenizer are unknown.

    Raises:
        UsageError: an argument that the template does not take.
    """
    arguments = chat_arguments.collect(options)
    if not isinstance(pretrained, str):
        return prompts.resolve(name, peft, options.get("tokenizer"), arguments)
    return prompts.resolve(name, peft or pretrained, tokenizer_of(pretrained, options), arguments)


def prompt_fields(question: str, template: prompts.Template, options: Mapping[str, object]) -> dict[str, object]:
    """A document's prompt, its template, and whether the prompt opens the reasoning; `options` are the model's."""
    prompt = template.render([prompts.Turn(question)])
    return {
        "prompt": prompt,
        "template": template.label,
        "template_hash": template.hash,
        **opening(prompt, options),
    }


def opening(prompt: str, options: Mapping[str, object]) -> dict[str, bool]:
    """A field of the document where the prompt opens the reasoning, and lm-eval does not remove it."""
    return {OPENED: True} if opens_reasoning(prompt) and options.get("think_end_token") is None else {}


def whole_text(answer: str) -> dict[str, tuple[int, int, int]]:
    """What an answer adds to the readability of all answers as one text; nothing where it cannot be measured."""
    counted = counts(answer)
    return dict.fromkeys(WHOLE_TEXT, astuple(counted)) if counted else {}
