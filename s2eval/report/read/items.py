"""What a model scored, item by item: what two models can be compared by. From units, ours and plain lm-eval's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2eval.identity import Identity, key_of, name_like
from s2eval.metrics.answers import WHOLE_TEXT
from s2eval.metrics.bertscore import BERTSCORE
from s2eval.records import Sample, Unit

TEMPLATE = "template"
"""The condition that says how questions were put; see `whatever_the_prompt`."""


@dataclass(frozen=True, slots=True)
class Item:
    """One document or question, as one model answered it.

    Attributes:
        key: the same for the same document, whichever model answered it.
        content: the same for the same question and reference, however it was put; "" where they are not known.
        name: how a note names it.
        prompt: hash or name of what was asked; "" where it is not known.
        values: metric → value; None = there is none.
        stratum: part of the task over which scores are averaged first; "" = none.
        cluster: what items that are not independent share; "" = the item alone.
        counts: words, sentences, syllables of the answer, of which the readability of the whole text is made.
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
    """The items of a model on a task as columns, each of shape (n,).

    Attributes:
        keys, names, prompts, strata: of the items.
        clusters: an item alone is a cluster of its own.
        clustered: whether any item is not alone.
        repeated: whether the document was there before.
        values: metric → values; NaN where there is none, or none that is finite.
        counts: shape (n, 3); NaN where there are none.
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
    """One model on one task.

    Attributes:
        model, task, judge, turn: names as in `scores.csv`.
        items: in the task's order; empty where only averages were kept.
        conditions: what must be alike for two models to be compared: name → what it was.
        metric_conditions: metric → what must be alike for that metric alone (BERTScore's encoder).
        averages: metrics that are known as an average only.
        group, seed: of the model, where it has them.
        source: the folder or file.
        remarks: what a reader must know of it, such as a run that did not end.
        identity: what determined the scores; None where nothing but the names is known.
        log: lm-eval's file of samples; None where there is none.
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
    log: Path | None = None

    @property
    def recorded(self) -> str:
        """The model's name in its own files."""
        return self.identity.model if self.identity else self.model

    @cached_property
    def columns(self) -> Columns:
        """The items as columns; made once."""
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


@dataclass(frozen=True, slots=True)
class Contests:
    """Two models' answers shown to a judge beside each other.

    Attributes:
        model, against: 1 point is a win of `model`, ½ a tie, 0 a win of `against`.
        points: one an answer and turn, both orders together; None where there is no verdict.
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
class Found:
    """What lies in some folders.

    Attributes:
        scored: every model on every task.
        contests: of two models, as a judge decided them.
        remarks: what did not end or is not used, as sentences.
    """

    scored: tuple[Scored, ...] = ()
    contests: tuple[Contests, ...] = ()
    remarks: tuple[str, ...] = ()


def renamed(scored: Scored, model: str) -> Scored:
    """The same under another name, in its remarks too."""
    if model == scored.model:
        return scored
    old = scored.model
    remarks = tuple(model + text.removeprefix(old) if text.startswith(old) else text for text in scored.remarks)
    group = name_like(old, model, scored.group) if scored.group else ""
    return replace(scored, model=model, group=group, remarks=remarks)


def recorded_names(scored: Iterable[Scored], contests: Iterable[Contests] = ()) -> dict[str, str]:
    """Name of each model here → its name in its own files."""
    found = {one.model: one.recorded for one in scored}
    for one in contests:
        if one.identities:
            found |= {one.model: one.identities[0].model, one.against: one.identities[1].model}
    return found


def of_unit(
    unit: Unit,
    conditions: Mapping[str, str],
    source: str,
    group: str = "",
    seed: int | None = None,
    identity: Identity | None = None,
) -> Scored:
    """A unit's samples as items. Documents that are there twice are told apart by how often they came before."""
    encoder: Any = unit.facts.get("bertscore")
    by_encoder = f"{encoder['encoder']} ({encoder['hash']})" if encoder else ""
    seen: dict[str, int] = {}
    items: list[Item] = []
    for sample in unit.samples:
        times = seen[sample.doc_hash] = seen.get(sample.doc_hash, 0) + 1
        items.append(_item(sample, times))
    known = {name for sample in unit.samples for name in sample.values}
    whole = WHOLE_TEXT if any(sample.counts for sample in unit.samples) else ()
    return Scored(
        model=unit.model,
        task=unit.task,
        items=tuple(items),
        conditions=conditions,
        metric_conditions=dict.fromkeys(BERTSCORE.names, by_encoder) if by_encoder else {},
        averages=tuple(name for name in unit.aggregates if name not in known and name not in whole),
        group=group,
        seed=seed,
        source=source,
        remarks=tuple(invalid_values(unit)),
        identity=identity,
        log=unit.log,
    )


def invalid_values(unit: Unit) -> Iterator[str]:
    """A sentence for each metric of which some values are no numbers."""
    known: Mapping[str, Mapping[str, int]] = unit.facts.get("invalid") or {}
    for metric, values in known.items():
        yield invalid_sentence(f"{unit.model}, {unit.task}", metric, values, len(unit.samples))
    aggregates: Mapping[str, str] = unit.facts.get("invalid_aggregates") or {}
    for metric, value in aggregates.items():
        if metric not in known:
            yield f"{unit.model}, {unit.task}: {metric} is no number in lm-eval's results ({value!r})"


def invalid_sentence(what: str, metric: str, values: Mapping[str, int], n: int) -> str:
    """`m, quiz: 3 of 40 values of acc are no numbers and not counted ('maybe' 2 times, 'null')`."""
    listed = [f"{value[:_LONGEST]!r}{f' {times} times' if times > 1 else ''}" for value, times in values.items()]
    shown = ", ".join([*listed[:_SHOWN], *(["…"] if len(listed) > _SHOWN else [])])
    number = sum(values.values())
    are = "is no number" if number == 1 else "are no numbers"
    return f"{what}: {number} of {n} values of {metric} {are} and not counted ({shown})"


def whatever_the_prompt(scored: Scored) -> Scored:
    """The same, to be joined by question and reference: for models that are each asked in their own template."""
    items = tuple(
        replace(item, key=_repeated(item.content, _times(item.key)), prompt="") if item.content else item
        for item in scored.items
    )
    conditions = {name: value for name, value in scored.conditions.items() if name != TEMPLATE}
    asked = scored.conditions.get(TEMPLATE)
    remarks = (f"{scored.model} was asked with template {asked}",) if asked else ()
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


_AGAIN = ", time "
_SHOWN, _LONGEST = 4, 40  # values in a sentence, and characters of each


def _repeated(key: str, times: int) -> str:
    return key if times == 1 else f"{key}{_AGAIN}{times}"


def _times(key: str) -> int:
    return int(key.partition(_AGAIN)[2] or 1)


def _finite(values: Sequence[float | None]) -> NDArray[np.float64]:
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.where(np.isfinite(column), column, np.nan)
