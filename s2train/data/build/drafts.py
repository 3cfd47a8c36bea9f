"""A set before its split: candidates, with written questions where there are some, through filters and near-duplicates.

Two passes over the candidates' file: one here, one for each reader of `Draft.pairs`. In memory stay the questions, one
byte a candidate, and during the search for near-duplicates the texts that are compared.
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
        steps: what was left out after the reading, step by step, with reasons and examples.
        questions: of the pairs that are left, in their order.
    """

    name: str
    reading: candidates.Reading
    steps: tuple[Step, ...]
    questions: tuple[str, ...]
    _out: Path
    _kept: bytes
    _written: Mapping[str, Written] | None = None

    def pairs(self) -> Iterator[Pair]:
        """The pairs that are left, read again from the disk, in the order of the candidates."""
        return compress(_candidates(self._out, self.name, self._written), self._kept)


def _candidates(out: Path, name: str, written: Mapping[str, Written] | None) -> Iterator[Pair]:
    """Candidates with their written questions, where they have one."""
    for pair in candidates.pairs_of(out, name):
        if written and (line := written.get(pair.id)):
            extra = {**pair.extra, "model": line.model, "prompt_hash": line.prompt_hash}
            yield replace(pair, question=line.question, extra=extra)
        else:
            yield pair


def draft(
    name: str, out: Path, config: DataConfig, engine: Engine, written: Mapping[str, Written] | None = None
) -> Draft:
    """Filter the candidates of one set.

    `written` has questions by id, in place of the candidates' own: of what the filters leave, pairs without one are
    left out, and the others filtered again.
    """
    filters = chosen(config.filters)
    tally = Tally([filter.name for filter in filters])
    kept, questions, compared = bytearray(), list[str](), list[str]()
    for pair, verdict in judged(_candidates(out, name, None), filters, engine):
        tally.add(pair, verdict)
        kept.append(verdict is None)
        if verdict is None:
            questions.append(pair.question)
            compared.append(_compared_text(pair, config.near_duplicates))
    steps = tally.steps()
    if config.near_duplicates.of != "none":
        labels = near_duplicates(compared, threshold=config.near_duplicates.threshold, engine=engine)
        firsts = (labels == np.arange(len(labels))).astype(np.uint8).tobytes()  # of their clusters
        tally = Tally([NEAR_DUPLICATES])
        duplicate = Verdict(NEAR_DUPLICATES, f"{config.near_duplicates.of} like an earlier one's")
        for pair, first in zip(compress(_candidates(out, name, None), kept), firsts, strict=True):
            tally.add(pair, None if first else duplicate)
        steps = (*steps, *tally.steps())
        questions = list(compress(questions, firsts))
        _narrow(kept, firsts)
    own = Draft(name, candidates.read_back(out, name), steps, tuple(questions), out, bytes(kept))
    return own if written is None else _with_questions(own, written, config, engine)


def _with_questions(own: Draft, written: Mapping[str, Written], config: DataConfig, engine: Engine) -> Draft:
    """The draft with written questions: one step more, whose reasons name the filter that refused a question."""
    rewritten = replace(own, _written=written)
    tally = Tally([QUESTIONS])
    has_question, accepted, questions = bytearray(), bytearray(), list[str]()

    def pairs_with_question() -> Iterator[Pair]:
        for pair in rewritten.pairs():
            has_question.append(pair.id in written)
            if pair.id in written:
                yield pair
            else:
                tally.add(pair, Verdict(QUESTIONS, NOT_WRITTEN))

    for pair, verdict in judged(pairs_with_question(), chosen(config.filters), engine):
        tally.add(pair, verdict and Verdict(QUESTIONS, f"{verdict.filter}: {verdict.reason}"))
        accepted.append(verdict is None)
        if verdict is None:
            questions.append(pair.question)
    kept = bytearray(own._kept)
    _narrow(has_question, accepted)
    _narrow(kept, has_question)
    return replace(rewritten, steps=(*own.steps, *tally.steps()), questions=tuple(questions), _kept=bytes(kept))


def _narrow(kept: bytearray, still: Iterable[int]) -> None:
    """Of those kept, keep those whose turn in `still` is true."""
    later = iter(still)
    for position, keep in enumerate(kept):
        if keep:
            kept[position] = bool(next(later))


def _compared_text(pair: Pair, config: NearDuplicates) -> str:
    texts = {"answer": pair.answer, "question": pair.question, "pair": f"{pair.question}\n{pair.answer}", "none": ""}
    return texts[config.of]
