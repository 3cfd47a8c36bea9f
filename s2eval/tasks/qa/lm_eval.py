"""Functions that the YAML files of `tasks/qa` name: sampled questions with their prompts, and scores of an answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from typing import NotRequired, TypedDict

import datasets

from s2eval import data
from s2eval.lm_eval_logs.answers import split_text
from s2eval.metrics import require_encoder
from s2eval.metrics.answers import LATIN_ONLY, score
from s2eval.metrics.bertscore import BERTSCORE
from s2eval.tasks import lm_eval
from s2eval.tasks.aggregations import BertPair
from s2eval.tasks.qa.documents import PAIRS, SAMPLE_SEED, SAMPLE_SIZE, document, sample

log = logging.getLogger("s2eval")

ENCODER_VARIABLE = "S2_BERTSCORE_ENCODER"


class PairDoc(TypedDict):
    """What scoring reads of a document."""

    answer: str
    encoder: NotRequired[str]


def pairs(
    *,
    dataset: str,
    demo: bool = False,
    sample_size: int = SAMPLE_SIZE,
    sample_seed: int = SAMPLE_SEED,
    template: str | None = None,
    bertscore_encoder: str | None = None,
    bertscore_later: bool = False,
    pretrained: object = None,
    peft: str | None = None,
    **model: object,
) -> datasets.DatasetDict:
    """Sampled pairs of a validation split, each with its prompt.

    Args:
        dataset: `eli5`, `wiki` or `full`.
        sample_size, sample_seed: from the YAML's metadata, so that `--metadata sample_size=10` works.
        template: name of the prompt's template; by default the one that fits the model (`prompts.resolve`).
        bertscore_encoder: hub id, folder or `minilm`; by default `S2_BERTSCORE_ENCODER`, else roberta-large (the
            demonstration: minilm). Checked now, before any answer is generated.
        bertscore_later: `s2eval run` measures BERTScore itself, after the model was released.
        pretrained, peft, model: the model's arguments.
    """
    # the demonstration's `full` is its two other sets; S2_DATA_DIR holds a file of its own, made by s2train
    names = ("eli5", "wiki") if demo and dataset == "full" else (dataset,)
    root = lm_eval.data_folder(demo)
    rows = [row for name in names for row in data.load(PAIRS[name], "validation", root)]
    chosen = lm_eval.template_for(template, pretrained, peft, model)
    documents: list[dict[str, object]] = [
        {**document(row), **lm_eval.prompt_fields(row.question, chosen, model)}
        for row in sample(rows, sample_size, sample_seed)
    ]
    if bertscore_later:
        return lm_eval.dataset(documents)
    encoder = bertscore_encoder or os.environ.get(ENCODER_VARIABLE) or ("minilm" if demo else "roberta-large")
    require_encoder(encoder)
    return lm_eval.dataset([document | {"encoder": encoder} for document in documents])


def score_answer(doc: PairDoc, results: Sequence[str]) -> dict[str, object]:
    """All metrics of one answer without its reasoning, and the pair that the BERTScore aggregations encode.

    A document without an encoder has no BERTScore: `s2eval run` measures it later.
    """
    answer = split_text(results[0], doc).answer
    values: dict[str, object] = {**score(answer, doc["answer"]), **lm_eval.whole_text(answer)}
    if LATIN_ONLY.difference(values):
        _warn_not_scored()
    if "encoder" in doc:
        values |= dict.fromkeys(BERTSCORE.names, BertPair(answer, doc["answer"], doc["encoder"], None))
    return values


@cache
def _warn_not_scored() -> None:
    log.warning("some answers or references are mostly not in Latin letters: no ROUGE or Flesch of them, in no mean")
