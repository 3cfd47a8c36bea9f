"""Every sample of a report in columns and chunks: small to search, and read from the page piece by piece.

A set is a task, or the questions of a judge. Its scores are those of the tables.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2eval.report.html import judgments, logs
from s2eval.report.read.items import Scored
from s2eval.tasks import BENCHMARKS
from s2eval.tasks.leaderboard.scores import COUNTED

_CHUNK = 384 * 1024  # bytes of JSON; a chunk is inflated and parsed in some milliseconds
_LEVEL = 4


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """A model's answers to the documents of a set.

    Attributes:
        scored: its scores; of a judge's set those of both turns.
        place: of its items among the documents; shape (items,).
        texts: document → JSON of the answer.
        variants: document → which of the document's questions the model was given.
    """

    scored: Scored
    place: NDArray[np.int64]
    texts: dict[int, bytes] = field(default_factory=dict[int, bytes])
    variants: dict[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True, eq=False, slots=True)
class SampleSet:
    """The samples of a task.

    Attributes:
        name: of the task, with the judge where there is one.
        names: of the documents, unique.
        titles: the documents' questions on one line.
        strata: the parts that the documents belong to; "" = none.
        questions: of each document, JSON of what was asked; several where models were asked differently.
        scores: shape (models, metrics, documents); NaN = none.
    """

    name: str
    names: Sequence[str]
    titles: Sequence[str]
    strata: Sequence[str]
    questions: Sequence[Sequence[bytes]]
    models: Mapping[str, Answers]
    metrics: Sequence[str]
    scores: NDArray[np.float32]

    def about(self) -> dict[str, object]:
        """What the page needs before the set is opened."""
        binary = [bool(np.isin(column[~np.isnan(column)], (0, 1)).all()) for column in np.moveaxis(self.scores, 1, 0)]
        return {
            "name": self.name,
            "documents": len(self.names),
            "models": list(self.models),
            "metrics": list(self.metrics),
            "binary": binary,
        }

    def columns(self) -> bytes:
        """Names, titles and parts of the documents, gzipped JSON."""
        parts = list(dict.fromkeys(self.strata))
        number = {name: at for at, name in enumerate(parts)}
        content = {
            "names": self.names,
            "titles": self.titles,
            "parts": parts,
            "part": [number[name] for name in self.strata] if len(parts) > 1 else [],
        }
        return compressed(logs.to_bytes(content))

    def numbers(self) -> bytes:
        """The scores, gzipped little-endian float32 in C order."""
        return compressed(self.scores.astype("<f4").tobytes())

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """(first document, gzipped JSON of documents that follow each other)."""
        first, held, size = 0, list[bytes](), 0
        for at in range(len(self.names)):
            document = self._document(at)
            if held and size + len(document) > _CHUNK:
                yield first, compressed(b"[" + b",".join(held) + b"]")
                first, held, size = at, [], 0
            held.append(document)
            size += len(document)
        if held:
            yield first, compressed(b"[" + b",".join(held) + b"]")

    def _document(self, at: int) -> bytes:
        """`{p: questions, v: question of each model, a: answers}`."""
        answers = b",".join(model.texts.get(at, b"null") for model in self.models.values())
        numbers = ",".join(
            str(model.variants.get(at, 0 if at in model.texts else -1)) for model in self.models.values()
        )
        return b'{"p":[' + b",".join(self.questions[at]) + b'],"v":[' + numbers.encode() + b'],"a":[' + answers + b"]}"


def compressed(content: bytes) -> bytes:
    """Gzipped; the same bytes at any time."""
    return gzip.compress(content, _LEVEL, mtime=0)


def sample_sets(scored: Sequence[Scored]) -> Iterator[SampleSet]:
    """The sets one after the other, so that the texts of one only are in memory."""
    for task in dict.fromkeys(own.task for own in scored if not own.judge and own.items):
        yield _of_logs(task, [own for own in scored if own.task == task and not own.judge and own.items])
    for task, judge in dict.fromkeys((own.task, own.judge) for own in scored if own.judge and own.items):
        of_judge = [own for own in scored if (own.task, own.judge) == (task, judge)]
        yield _of_judge(f"{task}, judged by {judge}", of_judge)


class _Documents:
    """The documents of a set, in the order of the first model that has them."""

    def __init__(self) -> None:
        self.place: dict[str, int] = {}
        self.names: list[str] = []
        self.titles: list[str] = []
        self.strata: list[str] = []
        self.questions: list[list[bytes]] = []
        self._taken: set[str] = set()

    def add(self, key: str, name: str, stratum: str) -> int:
        """The document's place; a new one at the end."""
        known = self.place.get(key)
        if known is not None:
            return known
        times = 1
        while (unique := name if times == 1 else f"{name}~{times}") in self._taken:
            times += 1
        self._taken.add(unique)
        self.names.append(unique)
        self.titles.append("")
        self.strata.append(stratum)
        self.questions.append([])
        self.place[key] = len(self.names) - 1
        return len(self.names) - 1


def _of_logs(task: str, scored: Sequence[Scored]) -> SampleSet:
    documents = _Documents()
    models = {
        name: Answers(own, np.array([documents.add(item.key, item.name, item.stratum) for item in own.items]))
        for name, own in _named(scored).items()
    }
    prompts: list[dict[str, int]] = [{} for _ in documents.names]  # prompt → its number among the document's questions
    for answers in models.values():
        if answers.scored.log is not None:
            _read(answers.scored.log, answers, documents, prompts)
    metrics = list(dict.fromkeys(name for own in scored for name in own.metrics))
    metrics.sort(key=lambda name: name != _own_metric(task))
    return _sample_set(task, documents, models, metrics)


def _own_metric(task: str) -> str:
    """The metric that a benchmark's table shows; "" where lm-eval's order is kept."""
    benchmark = next((known for known in BENCHMARKS.values() if known.covers(task)), None)
    if benchmark is None:
        return ""
    return benchmark.columns[0].name if benchmark.columns else COUNTED.get(benchmark.name, "")


def _read(path: Path, answers: Answers, documents: _Documents, prompts: Sequence[dict[str, int]]) -> None:
    """The texts of a model's log, each question of a document once."""
    at = {item.name: (int(place), item.prompt) for item, place in zip(answers.scored.items, answers.place, strict=True)}

    def wanted(doc_id: int) -> bool:
        known = at.get(str(doc_id))
        return known is not None and known[1] not in prompts[known[0]]

    for line in logs.read(path, wanted):
        place, prompt = at.get(str(line.doc_id), (-1, ""))
        if place < 0:
            continue
        if line.question is not None and prompt not in prompts[place]:
            prompts[place][prompt] = len(documents.questions[place])
            documents.questions[place].append(line.question)
            documents.titles[place] = documents.titles[place] or line.title
        if place in answers.texts:  # another filter's line
            answers.texts[place] = _joined(answers.texts[place], line.answer)
        else:
            answers.texts[place] = line.answer
        answers.variants[place] = prompts[place].get(prompt, 0)


def _joined(first: bytes, second: bytes) -> bytes:
    """Two answers that are texts as one; of others the first."""
    start = b'{"x":['
    if first == second or not (first.startswith(start) and second.startswith(start)):
        return first
    return first.removesuffix(b"]}") + b"," + second.removeprefix(start)


def _of_judge(name: str, scored: Sequence[Scored]) -> SampleSet:
    """A document a question, with the mean rating of each turn and of both."""
    documents = _Documents()
    turns = {"": "rating", "1": "rating, turn 1", "2": "rating, turn 2"}
    models = {
        model: Answers(own, np.array([documents.add(item.cluster, item.cluster, "") for item in own.items]))
        for model, own in _named(own for own in scored if not own.turn).items()
    }
    for answers in models.values():
        for judged in judgments.read(answers.scored):
            place = documents.place.get(judged.question)
            if place is None:
                continue
            documents.titles[place] = documents.titles[place] or judged.title
            if not documents.questions[place]:
                documents.questions[place].append(judged.prompt)
            answers.texts[place] = judged.answer
    samples = _sample_set(name, documents, models, list(turns.values()))
    by_turn = {(own.source, own.model, own.turn): own for own in scored}
    for row, answers in enumerate(models.values()):
        for column, turn in enumerate(turns):
            own = by_turn.get((answers.scored.source, answers.scored.model, turn))
            if own is not None:
                samples.scores[row, column] = _means(own, documents.place, len(documents.names))
    return samples


def _means(scored: Scored, place: Mapping[str, int], n: int) -> NDArray[np.float32]:
    """Of the items of each question, over those that have a value; shape (n,)."""
    values: dict[int, list[float]] = {}
    for item in scored.items:
        for value in item.values.values():
            if value is not None and math.isfinite(value):
                values.setdefault(place[item.cluster], []).append(value)
    means = np.full(n, np.nan, dtype=np.float32)
    for at, ratings in values.items():
        means[at] = sum(ratings) / len(ratings)
    return means


def _sample_set(name: str, documents: _Documents, models: Mapping[str, Answers], metrics: Sequence[str]) -> SampleSet:
    scores = np.full((len(models), len(metrics), len(documents.names)), np.nan, dtype=np.float32)
    for row, answers in enumerate(models.values()):
        for column, metric in enumerate(metrics):
            if metric in answers.scored.columns.values:
                scores[row, column, answers.place] = answers.scored.columns.values[metric]
    return SampleSet(
        name, documents.names, documents.titles, documents.strata, documents.questions, models, metrics, scores
    )


def _named(scored: Iterable[Scored]) -> dict[str, Scored]:
    """Models by name; a name that several folders have gets the folder in front, but for the first."""
    named: dict[str, Scored] = {}
    for own in scored:
        named[own.model if own.model not in named else f"{own.source}/{own.model}"] = own
    return named
