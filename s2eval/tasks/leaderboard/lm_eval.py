"""Functions that the YAML files of `tasks/leaderboard` name: documents with their shots, and scores."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import datasets
from lm_eval.api.samplers import ContextSampler

from s2eval import data, paths, stats
from s2eval.errors import UsageError
from s2eval.records import Estimate
from s2eval.tasks import lm_eval
from s2eval.tasks.aggregations import Aggregation
from s2eval.tasks.leaderboard import documents, scores
from s2eval.tasks.leaderboard.documents import SHOTS, Document
from s2eval.tasks.leaderboard.rows import ARC, HELLASWAG, MMLU, SUBJECTS, TRUTHFULQA, mmlu_subjects
from s2eval.tasks.leaderboard.scores import ScoredDoc

log = logging.getLogger("s2eval")
Results = Sequence[tuple[float, bool]]  # log-likelihood, and whether the choice is the greedy continuation


class MmluDoc(ScoredDoc):
    """With the subject that it counts for."""

    subject: str


class DrawnShots(ContextSampler):
    """Gives a document's own shots, which were drawn with it; lm-eval's sampler would draw others."""

    def sample(
        self, n: int, eval_doc: Mapping[str, list[dict[str, str]]] | None = None, df: object = None, **_: object
    ) -> list[dict[str, str]]:
        """The first `n` shots of `eval_doc`; UsageError for more than the leaderboard drew."""
        assert eval_doc is not None
        shots = eval_doc["shots"]
        if n > len(shots):
            raise UsageError(f"--num_fewshot {n}: this task has {len(shots)} shots, as the leaderboard drew them")
        return shots[:n]


def _dataset(drawn: Sequence[Document], model: Mapping[str, object]) -> datasets.DatasetDict:
    lm_eval.warn_of_bos(**model)
    return lm_eval.dataset([document.as_row() for document in drawn])


def arc_challenge(*, demo: bool = False, **model: object) -> datasets.DatasetDict:
    """ARC, 25-shot."""
    root = lm_eval.data_folder(demo)
    test = data.load(ARC, "test", root)
    items, pool = ([documents.arc_item(row) for row in rows] for rows in (test, data.load(ARC, "train", root)))
    return _dataset(documents.drawn(items, pool, SHOTS["arc_challenge"], [row.id for row in test]), model)


def hellaswag(*, demo: bool = False, **model: object) -> datasets.DatasetDict:
    """HellaSwag, 10-shot."""
    items, pool = (
        [documents.hellaswag_item(row) for row in data.load(HELLASWAG, split, lm_eval.data_folder(demo))]
        for split in ("validation", "train")
    )
    return _dataset(documents.drawn(items, pool, SHOTS["hellaswag"]), model)


def truthfulqa_mc2(*, demo: bool = False, **model: object) -> datasets.DatasetDict:
    """TruthfulQA mc2, after the fixed preamble."""
    rows = data.load(TRUTHFULQA, "validation", lm_eval.data_folder(demo))
    items = [documents.truthfulqa_item(row) for row in rows]
    return _dataset(documents.drawn(items, (), SHOTS["truthfulqa_mc2"]), model)


def mmlu(*, subject: str | None = None, demo: bool = False, **model: object) -> datasets.DatasetDict:
    """MMLU, 5-shot: one subject, or all selected by `S2_MMLU_SUBJECTS`, interleaved."""
    root = lm_eval.data_folder(demo)
    if subject is not None:
        return _dataset(_mmlu_subject(subject, root), model)
    if demo:
        subjects = tuple(name for name in SUBJECTS if (paths.demo_data() / "mmlu" / name).is_dir())
    else:
        subjects = mmlu_subjects(root)
        if len(subjects) < len(SUBJECTS):
            log.warning("MMLU on %d of %d subjects: %s", len(subjects), len(SUBJECTS), ", ".join(subjects))
    return _dataset(documents.interleave([_mmlu_subject(name, root) for name in subjects]), model)


def _mmlu_subject(subject: str, root: Path | None) -> list[Document]:
    source = MMLU.part(subject)
    return documents.mmlu_subject(subject, data.load(source, "test", root), data.load(source, "dev", root))


def _score(dataset: str, doc: ScoredDoc, results: Results) -> dict[str, float]:
    return scores.score(dataset, doc, [loglikelihood for loglikelihood, _ in results])


def score_arc_challenge(doc: ScoredDoc, results: Results) -> dict[str, float]:
    return _score("arc_challenge", doc, results)


def score_hellaswag(doc: ScoredDoc, results: Results) -> dict[str, float]:
    return _score("hellaswag", doc, results)


def score_truthfulqa_mc2(doc: ScoredDoc, results: Results) -> dict[str, float]:
    return _score("truthfulqa_mc2", doc, results)


def score_mmlu_subject(doc: ScoredDoc, results: Results) -> dict[str, float]:
    """For the task of a single subject."""
    return _score("mmlu", doc, results)


def score_mmlu(doc: MmluDoc, results: Results) -> dict[str, tuple[str, float]]:
    """The same with the subject, since all subjects have equal weight."""
    return {name: (doc["subject"], value) for name, value in _score("mmlu", doc, results).items()}


def _mean_over_subjects(items: Sequence[tuple[str, float]]) -> Estimate:
    return stats.stratified_mean([value for _, value in items], [subject for subject, _ in items])


mean_over_subjects = Aggregation("mean_over_subjects", _mean_over_subjects)
