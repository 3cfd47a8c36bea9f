"""What a model scored on a task, item by item: what two models can be compared by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2eval.identity import Identity, key_of, name_like
from s2eval.metrics.answers import WHOLE_TEXT
from s2eval.metrics.bertscore import BERTSCORE
from s2eval.records import Sample, Unit, UnitFacts

TEMPLATE = "template"
"""The condition that says how questions were put; see `ignore_prompt_hash`."""
_AGAIN = ", time "
_SHOWN, _LONGEST = 4, 40  # values in a sentence, and characters of each


@dataclass(frozen=True, slots=True)
class Item:
    """One document or question, as one model answered it.

    Attributes:
        key: the same for the same document, whichever model answered it.
        name: of the document in notes.
        prompt: hash or name; "" where it is not known.
        content: the same for the same question and reference, in any template; "" where they are not known.
        stratum: part of the task over which scores are averaged first.
        cluster: what items that are not independent share.
        counts: words, sentences, syllables of the answer, for the readability of all answers as one text.
    """

    key: str
    name: str
    prompt: str
    values: Mapping[str, float | None]
    content: str = ""
    stratum: str = ""
    cluster: str = ""
    counts: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """The items of a model on a task as columns of shape (n,); NaN where there is no finite value.

    Attributes:
        clusters: an item alone is a cluster of its own; `clustered`: whether any item is not.
        repeated: whether the document occurred before.
        counts: shape (n, 3).
    """

    keys: tuple[str, ...]
    names: NDArray[np.str_]
    prompts: NDArray[np.str_]
    strata: NDArray[np.str_]
    clusters: NDArray[np.str_]
    clustered: bool
    repeated: NDArray[np.bool_]
    values: Mapping[str, NDArray[np.float64]]
    counts: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """One model on one task; `model`, `task`, `judge` and `turn` as in `scores.csv`.

    Attributes:
        items: in the task's order; empty where only averages are stored.
        conditions: what must be equal for two models to be compared: name → value.
        metric_conditions: metric → what must be equal for that metric alone (BERTScore's encoder).
        averages: metrics that are known as an average only.
        source: the folder or file.
        identity: what determined the scores; None where nothing but the names is known.
        unit: None of judgments and other tools' logs.
    """

    model: str
    task: str
    items: tuple[Item, ...]
    judge: str = ""
    turn: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict[str, str])
    metric_conditions: Mapping[str, str] = field(default_factory=dict[str, str])
    averages: tuple[str, ...] = ()
    group: str = ""
    seed: int | None = None
    source: str = ""
    remarks: tuple[str, ...] = ()
    identity: Identity | None = None
    unit: Unit | None = None

    @property
    def recorded(self) -> str:
        """The model's name in its own files."""
        return self.identity.model if self.identity else self.model

    @property
    def log(self) -> Path | None:
        """lm-eval's file of samples; None where there is none."""
        return self.unit.log if self.unit else None

    @cached_property
    def columns(self) -> Columns:
        """The items as columns."""
        items = self.items
        metrics = dict.fromkeys(name for item in items for name in item.values)
        return Columns(
            keys=tuple(item.key for item in items),
            names=np.array([item.name for item in items], dtype=np.str_),
            prompts=np.array([item.prompt for item in items], dtype=np.str_),
            strata=np.array([item.stratum for item in items], dtype=np.str_),
            clusters=np.array([item.cluster or item.key for item in items], dtype=np.str_),
            clustered=any(item.cluster for item in items),
            repeated=np.array([_times(item.key) > 1 for item in items], dtype=np.bool_),
            values={metric: _finite([item.values.get(metric) for item in items]) for metric in metrics},
            counts=np.array([item.counts or (np.nan,) * 3 for item in items], dtype=np.float64).reshape(-1, 3),
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """Of any item, in the order in which they appear."""
        return tuple(self.columns.values)

    def renamed(self, model: str) -> Scored:
        """The same under another name, in its remarks too."""
        if model == self.model:
            return self
        return replace(
            self,
            model=model,
            group=name_like(self.model, model, self.group) if self.group else "",
            remarks=tuple(
                model + text.removeprefix(self.model) if text.startswith(self.model) else text for text in self.remarks
            ),
            unit=self.unit and replace(self.unit, model=model),
        )


@dataclass(frozen=True, slots=True)
class PairwiseResults:
    """Two models' answers shown to a judge beside each other.

    Attributes:
        points: one an answer and turn, both orders together: 1 is a win of `model`, ½ a tie, 0 a win of `against`, None
            no verdict.
        clusters: the question of each.
        identities: of `model` and of `against`.
    """

    model: str
    against: str
    task: str
    judge: str
    points: tuple[float | None, ...]
    clusters: tuple[str, ...]
    source: str = ""
    identities: tuple[Identity, Identity] | None = None


@dataclass(frozen=True, slots=True)
class LogContents:
    """What files or folders hold; remarks are on what did not end or is not used, as sentences."""

    scored: tuple[Scored, ...] = ()
    contests: tuple[PairwiseResults, ...] = ()
    remarks: tuple[str, ...] = ()


def joined(parts: Iterable[LogContents]) -> LogContents:
    """The contents of several files or folders; each remark once."""
    listed = list(parts)
    return LogContents(
        tuple(scored for part in listed for scored in part.scored),
        tuple(contest for part in listed for contest in part.contests),
        tuple(dict.fromkeys(remark for part in listed for remark in part.remarks)),
    )


def recorded_names(scored: Iterable[Scored], contests: Iterable[PairwiseResults] = ()) -> dict[str, str]:
    """Name of each model here → its name in its own files."""
    names = {samples.model: samples.recorded for samples in scored}
    for contest in contests:
        if contest.identities:
            names |= {contest.model: contest.identities[0].model, contest.against: contest.identities[1].model}
    return names


def of_unit(unit: Unit, source: str, identity: Identity, group: str = "", seed: int | None = None) -> Scored:
    """A unit's samples as items. Duplicate documents are told apart by how often they occurred before."""
    encoder = unit.facts.encoder
    by_encoder = dict.fromkeys(BERTSCORE.names, f"{encoder.name} ({encoder.hash})") if encoder else {}
    seen: dict[str, int] = {}
    items: list[Item] = []
    for sample in unit.samples:
        times = seen[sample.doc_hash] = seen.get(sample.doc_hash, 0) + 1
        items.append(_item(sample, times))
    known = {name for sample in unit.samples for name in sample.values}
    known |= {*WHOLE_TEXT} if any(sample.counts for sample in unit.samples) else set()
    return Scored(
        model=unit.model,
        task=unit.task,
        items=tuple(items),
        conditions=_conditions(unit.facts),
        metric_conditions=by_encoder,
        averages=tuple(name for name in unit.aggregates if name not in known),
        group=group,
        seed=seed,
        source=source,
        remarks=tuple(invalid_values(unit)),
        identity=identity,
        unit=unit,
    )


def _conditions(facts: UnitFacts) -> dict[str, str]:
    """Prompts are compared document by document; the template says why they differ."""
    known = {
        "task version": facts.version,
        "shots": facts.shots,
        TEMPLATE: facts.template,
        "decoding": facts.decoding,
    }
    return {name: value for name, value in known.items() if value}


def invalid_values(unit: Unit) -> Iterator[str]:
    """A sentence for each metric of which some values are no numbers."""
    for metric, values in unit.facts.invalid.items():
        yield invalid_sentence(f"{unit.model}, {unit.task}", metric, values, len(unit.samples))
    for metric, value in unit.facts.invalid_aggregates.items():
        if metric not in unit.facts.invalid:
            yield f"{unit.model}, {unit.task}: {metric} is no number in lm-eval's results ({value!r})"


def invalid_sentence(what: str, metric: str, values: Mapping[str, int], n: int) -> str:
    """`m, quiz: 3 of 40 values of acc are no numbers and not counted ('maybe' 2 times, 'null')`."""
    listed = [f"{value[:_LONGEST]!r}{f' {times} times' if times > 1 else ''}" for value, times in values.items()]
    shown = ", ".join([*listed[:_SHOWN], *(["…"] if len(listed) > _SHOWN else [])])
    number = sum(values.values())
    are = "is no number" if number == 1 else "are no numbers"
    return f"{what}: {number} of {n} values of {metric} {are} and not counted ({shown})"


def ignore_prompt_hash(scored: Scored) -> Scored:
    """The same, to be joined by question and reference: for models that have a template each."""
    items = tuple(
        replace(item, key=_repeated(item.content, _times(item.key)), prompt="") if item.content else item
        for item in scored.items
    )
    conditions = {name: value for name, value in scored.conditions.items() if name != TEMPLATE}
    template = scored.conditions.get(TEMPLATE)
    remarks = (f"{scored.model} was asked with template {template}",) if template else ()
    return replace(scored, items=items, conditions=conditions, remarks=(*scored.remarks, *remarks))


def _item(sample: Sample, times: int) -> Item:
    answered = sample.reference is not None and sample.question
    return Item(
        key=_repeated(sample.doc_hash, times),
        name=str(sample.doc_id),
        prompt=sample.prompt_hash,
        values=sample.values,
        content=key_of({"question": sample.question, "reference": sample.reference}) if answered else "",
        stratum=sample.stratum,
        counts=sample.counts,
    )


def _repeated(key: str, times: int) -> str:
    return key if times == 1 else f"{key}{_AGAIN}{times}"


def _times(key: str) -> int:
    return int(key.partition(_AGAIN)[2] or 1)


def _finite(values: Sequence[float | None]) -> NDArray[np.float64]:
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.where(np.isfinite(column), column, np.nan)
