"""A set before its split: candidates, with written questions where there are some, through filters and near-duplicates.

Two passes over the candidates' file: one here, one for each reader of `Draft.pairs`. In memory stay the questions, one
byte a candidate, and while near-duplicates are looked for the texts that are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np

from s2train.data.build import candidates
from s2train.data.config import DataConfig, NearDuplicates
from s2train.data.dedup.duplicates import near_duplicates
from s2train.data.engine import Engine
from s2train.data.filters import Step, Tally, Verdict, judged
from s2train.data.filters.config import chosen
from s2train.data.layout import QUESTIONS
from s2train.data.questions.written import Written
from s2train.data.records import Pair

NOT_WRITTEN = "no question written"
NEAR_DUPLICATES = "near-duplicates"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is left of the candidates of one set.

    Attributes:
        name: of the set.
        reading: what was read.
        steps: what was left out since, step by step, with reasons and examples.
        questions: of the pairs that are left, in their order.
    """

    name: str
    reading: candidates.Reading
    steps: tuple[Step, ...]
    questions: tuple[str, ...]
    _source: _Source
    _kept: bytes

    def pairs(self) -> Iterator[Pair]:
        """The pairs that are left, read again from the disk, in the order of the candidates."""
        return compress(self._source.pairs(), self._kept)


@dataclass(frozen=True, slots=True)
class _Source:
    """Candidates with their written questions; None = there are none, the questions stand as they are."""

    out: Path
    name: str
    written: Mapping[str, Written] | None

    def pairs(self) -> Iterator[Pair]:
        for pair in candidates.pairs_of(self.out, self.name):
            yield self._asked(pair)

    def _asked(self, pair: Pair) -> Pair:
        if self.written is None or (question := self.written.get(pair.id)) is None:
            return pair
        extra = {**pair.extra, "model": question.model, "prompt_hash": question.prompt_hash}
        return replace(pair, question=question.question, extra=extra)


def draft(
    name: str, out: Path, config: DataConfig, engine: Engine, written: Mapping[str, Written] | None = None
) -> Draft:
    """Filter the candidates of one set.

    Args:
        written: id → question, in place of the candidate's own; of what the filters leave, pairs without one are left
            out, and the others filtered again. None = every candidate's own.
    """
    one = _filtered(_Source(out, name, None), config, engine)
    return one if written is None else _asked(one, written, config, engine)


def _filtered(source: _Source, config: DataConfig, engine: Engine) -> Draft:
    reading = candidates.read_back(source.out, source.name)
    filters = chosen(config.filters)
    tally = Tally([one.name for one in filters])
    kept, questions, compared = bytearray(), list[str](), list[str]()
    for pair, verdict in judged(source.pairs(), filters, engine):
        tally.add(pair, verdict)
        kept.append(verdict is None)
        if verdict is None:
            questions.append(pair.question)
            compared.append(_compared(pair, config.near_duplicates))
    steps = tally.funnel().steps
    if config.near_duplicates.of != "none":
        firsts = _firsts(compared, config.near_duplicates, engine)
        steps = (*steps, _near(compress(source.pairs(), kept), firsts, config.near_duplicates))
        questions = list(compress(questions, firsts))
        _narrow(kept, firsts)
    return Draft(source.name, reading, steps, tuple(questions), source, bytes(kept))


def _asked(one: Draft, written: Mapping[str, Written], config: DataConfig, engine: Engine) -> Draft:
    """The draft with written questions: one step more, whose reasons name the filter that refused a question."""
    source = replace(one._source, written=written)
    tally = Tally([QUESTIONS])
    still, verdicts, questions = bytearray(), bytearray(), list[str]()

    def asked() -> Iterator[Pair]:
        for pair in compress(source.pairs(), one._kept):
            still.append(pair.id in written)
            if pair.id in written:
                yield pair
            else:
                tally.add(pair, Verdict(QUESTIONS, NOT_WRITTEN))

    for pair, verdict in judged(asked(), chosen(config.filters), engine):
        tally.add(pair, verdict and Verdict(QUESTIONS, f"{verdict.filter}: {verdict.reason}"))
        verdicts.append(verdict is None)
        if verdict is None:
            questions.append(pair.question)
    _narrow(still, verdicts)
    kept = bytearray(one._kept)
    _narrow(kept, still)
    steps = (*one.steps, *tally.funnel().steps)
    return replace(one, steps=steps, questions=tuple(questions), _source=source, _kept=bytes(kept))


def _narrow(kept: bytearray, still: Iterable[int]) -> None:
    """Of those kept, keep those whose turn in `still` is true."""
    later = iter(still)
    for at, keep in enumerate(kept):
        if keep:
            kept[at] = bool(next(later))


def _compared(pair: Pair, config: NearDuplicates) -> str:
    match config.of:
        case "answer":
            return pair.answer
        case "question":
            return pair.question
        case "pair":
            return f"{pair.question}\n{pair.answer}"
        case "none":
            return ""


def _firsts(texts: list[str], config: NearDuplicates, engine: Engine) -> bytes:
    """For each text whether it is the first of its cluster."""
    labels = near_duplicates(texts, threshold=config.threshold, engine=engine)
    return (labels == np.arange(len(labels))).astype(np.uint8).tobytes()


def _near(pairs: Iterable[Pair], firsts: bytes, config: NearDuplicates) -> Step:
    tally = Tally([NEAR_DUPLICATES])
    verdict = Verdict(NEAR_DUPLICATES, f"{config.of} like an earlier one's")
    for pair, first in zip(pairs, firsts, strict=True):
        tally.add(pair, None if first else verdict)
    (step,) = tally.funnel().steps
    return step
