"""The functions that the YAML files of `tasks/` name: documents in, scores out.

lm-eval calls a `custom_dataset` with the YAML's `metadata` and `dataset_kwargs`, into which it has merged the
model's arguments (`pretrained=…`) and the command line's `--metadata`. What a function does not know it ignores.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any

import datasets
from lm_eval.api.samplers import ContextSampler

from s2eval import chat_arguments, data, leaderboard, paths, prompts, qa
from s2eval.errors import UsageError
from s2eval.harness.aggregations import BertPair
from s2eval.leaderboard import SHOTS, SUBJECTS, Document
from s2eval.metrics import require_encoder
from s2eval.reasoning import opens_reasoning
from s2eval.sample_answers import OPENED, split_text

log = logging.getLogger("s2eval")

ENCODER_VARIABLE = "S2_BERTSCORE_ENCODER"


def _root(demo: bool) -> Path | None:
    return paths.demo_data() if demo else data.directory()


def _split(rows: Sequence[dict[str, Any]]) -> datasets.DatasetDict:
    return datasets.DatasetDict({"test": datasets.Dataset.from_list(list(rows))})


# --- the leaderboard ------------------------------------------------------------------------------------------


class DrawnShots(ContextSampler):
    """Gives a document's own shots, which were drawn with it; lm-eval's sampler would draw others."""

    def sample(self, n: int, eval_doc: Any = None, df: Any = None, **_: Any) -> list[dict[str, str]]:
        """The first `n` shots of `eval_doc`.

        Raises:
            UsageError: more shots are asked for (`--num_fewshot`) than the leaderboard drew.
        """
        shots = eval_doc["shots"]
        if n > len(shots):
            raise UsageError(f"--num_fewshot {n}: this task has {len(shots)} shots, as the leaderboard drew them")
        return shots[:n]


def _documents(documents: Sequence[Document], model: dict[str, Any]) -> datasets.DatasetDict:
    warn_of_bos(**model)
    return _split([document.as_row() for document in documents])


def arc_challenge(*, demo: bool = False, **model: Any) -> datasets.DatasetDict:
    """ARC, 25-shot."""
    root = _root(demo)
    test = data.load(data.ARC, "test", root)
    items, pool = ([leaderboard.arc_item(row) for row in rows] for rows in (test, data.load(data.ARC, "train", root)))
    return _documents(leaderboard.drawn(items, pool, SHOTS["arc_challenge"], [row.id for row in test]), model)


def hellaswag(*, demo: bool = False, **model: Any) -> datasets.DatasetDict:
    """HellaSwag, 10-shot."""
    items, pool = (
        [leaderboard.hellaswag_item(row) for row in data.load(data.HELLASWAG, split, _root(demo))]
        for split in ("validation", "train")
    )
    return _documents(leaderboard.drawn(items, pool, SHOTS["hellaswag"]), model)


def truthfulqa_mc2(*, demo: bool = False, **model: Any) -> datasets.DatasetDict:
    """TruthfulQA mc2, after the fixed preamble."""
    items = [leaderboard.truthfulqa_item(row) for row in data.load(data.TRUTHFULQA, "validation", _root(demo))]
    return _documents(leaderboard.drawn(items, (), SHOTS["truthfulqa_mc2"]), model)


def mmlu(*, subject: str | None = None, demo: bool = False, **model: Any) -> datasets.DatasetDict:
    """MMLU, 5-shot: one subject, or all that there are (`S2_MMLU_SUBJECTS`), interleaved."""
    root = _root(demo)
    if subject is not None:
        return _documents(_mmlu_subject(subject, root), model)
    if demo:
        subjects = tuple(name for name in SUBJECTS if (paths.demo_data() / "mmlu" / name).is_dir())
    else:
        subjects = data.mmlu_subjects(root, SUBJECTS)
        if len(subjects) < len(SUBJECTS):
            log.warning("MMLU on %d of %d subjects: %s", len(subjects), len(SUBJECTS), ", ".join(subjects))
    return _documents(leaderboard.interleave([_mmlu_subject(name, root) for name in subjects]), model)


def _mmlu_subject(subject: str, root: Path | None) -> list[Document]:
    source = data.MMLU.part(subject)
    return leaderboard.mmlu_subject(subject, data.load(source, "test", root), data.load(source, "dev", root))


def warn_of_bos(pretrained: Any = None, add_bos_token: Any = None, tokenizer: Any = None, **_: Any) -> None:
    """Say so where the tokens would differ from 2023's: the leaderboard put no BOS before a causal model's text.

    Only plain `lm_eval` comes here with a model that adds one; `s2eval run` sets `add_bos_token=False` itself.
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


def tokenizer_of(pretrained: str, options: Mapping[str, Any]) -> Any:
    """A model's tokenizer; None where it cannot be loaded, which the model's own loading will explain.

    Args:
        pretrained: folder, hub id, or name of an embedded model.
        options: the model's other arguments.
    """
    from s2eval.models import embedded, tokenizers

    try:
        return tokenizers.load(str(embedded.resolve(pretrained)), options)
    except (OSError, ValueError):
        return None


def template_for(name: str | None, pretrained: Any, peft: str | None, options: Mapping[str, Any]) -> prompts.Template:
    """The prompt template that fits a model (`prompts.resolve`), with the arguments that the model is given for it.

    Args:
        name: of the template, where one is asked for.
        pretrained, peft: the model's arguments; a model in memory has no folder and no tokenizer that is known here.
        options: its other arguments.

    Raises:
        UsageError: an argument that the template does not take.
    """
    arguments = chat_arguments.collect(options)
    if not isinstance(pretrained, str):
        return prompts.resolve(name, peft, options.get("tokenizer"), arguments)
    return prompts.resolve(name, peft or pretrained, tokenizer_of(pretrained, options), arguments)


def _score_choices(dataset: str, doc: dict[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    return leaderboard.score(dataset, doc, [loglikelihood for loglikelihood, _ in results])


def score_arc_challenge(doc: dict[str, Any], results: Any) -> dict[str, float]:
    """acc, acc_norm and leaderboard_pct of one ARC document."""
    return _score_choices("arc_challenge", doc, results)


def score_hellaswag(doc: dict[str, Any], results: Any) -> dict[str, float]:
    """acc, acc_norm and leaderboard_pct of one HellaSwag document."""
    return _score_choices("hellaswag", doc, results)


def score_truthfulqa_mc2(doc: dict[str, Any], results: Any) -> dict[str, float]:
    """mc2 and leaderboard_pct of one TruthfulQA document."""
    return _score_choices("truthfulqa_mc2", doc, results)


def score_mmlu_subject(doc: dict[str, Any], results: Any) -> dict[str, float]:
    """acc and leaderboard_pct of one document, for the task of a single subject."""
    return _score_choices("mmlu", doc, results)


def score_mmlu(doc: dict[str, Any], results: Any) -> dict[str, tuple[str, float]]:
    """The same with the subject, so that the aggregation weighs every subject alike."""
    return {name: (doc["subject"], value) for name, value in _score_choices("mmlu", doc, results).items()}


# --- questions and answers ------------------------------------------------------------------------------------


def pairs(
    *,
    dataset: str,
    demo: bool = False,
    sample_size: int = qa.SAMPLE_SIZE,
    sample_seed: int = qa.SAMPLE_SEED,
    template: str | None = None,
    bertscore_encoder: str | None = None,
    bertscore_later: bool = False,
    pretrained: Any = None,
    peft: str | None = None,
    **model: Any,
) -> datasets.DatasetDict:
    """Sampled pairs of a validation split, each with its prompt.

    Args:
        dataset: `eli5`, `wiki` or `full`.
        sample_size, sample_seed: from the YAML's metadata, so that `--metadata sample_size=10` works.
        template: name of the prompt's template; by default the one that fits the model (`prompts.resolve`).
        bertscore_encoder: hub id, folder or `minilm`; by default `S2_BERTSCORE_ENCODER`, else roberta-large (the
            demonstration: minilm). Looked for now, so that it is not missed after all answers are written.
        bertscore_later: `s2eval run` measures BERTScore itself, after the model was released.
        pretrained, peft: the model's arguments.
        model: its other ones; those for its tokenizer and its chat template matter.
    """
    # the demonstration's `full` is its two other sets; S2_DATA_DIR holds a file of its own, made by s2train
    names = ("eli5", "wiki") if demo and dataset == "full" else (dataset,)
    rows = [row for name in names for row in data.load(data.PAIRS[name], "validation", _root(demo))]
    chosen = template_for(template, pretrained, peft, model)
    documents = [
        qa.document(row, chosen) | opening(chosen.render([prompts.Turn(row.question)]), model)
        for row in qa.sample(rows, sample_size, sample_seed)
    ]
    if bertscore_later:
        return _split(documents)
    encoder = bertscore_encoder or os.environ.get(ENCODER_VARIABLE) or ("minilm" if demo else "roberta-large")
    require_encoder(encoder)
    return _split([document | {"encoder": encoder} for document in documents])


def opening(prompt: str, model: Mapping[str, Any]) -> dict[str, bool]:
    """A field of the document where the prompt opens the reasoning, and lm-eval does not take it off."""
    return {OPENED: True} if opens_reasoning(prompt) and model.get("think_end_token") is None else {}


def score_text(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Everything about one answer, its reasoning left out, except BERTScore, which needs a second model."""
    answer = split_text(results[0], doc).answer
    values = {**qa.score(answer, doc["answer"]), **whole_text(answer)}
    if qa.LATIN_ONLY.difference(values):
        _tell_not_scored()
    return values


@cache
def _tell_not_scored() -> None:
    log.warning("some answers or references are mostly not in Latin letters: no ROUGE or Flesch of them, in no mean")


def whole_text(answer: str) -> dict[str, tuple[int, int, int]]:
    """What an answer adds to the readability of all; nothing where it cannot be measured."""
    counts = qa.counts(answer)
    return dict.fromkeys(qa.WHOLE_TEXT, astuple(counts)) if counts else {}


def score_answer(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """`score_text`, and the pair that the BERTScore aggregations encode."""
    pair = BertPair(split_text(results[0], doc).answer, doc["answer"], doc["encoder"], None)
    return {**score_text(doc, results), **dict.fromkeys(qa.BERTSCORE, pair)}
