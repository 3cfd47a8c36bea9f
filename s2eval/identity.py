"""What determines a result: the key over it, and names for models whose results differ in settings only.

Two results of a model, at revisions step1000 and step143000, are two rows of a table and two sides of a comparison.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from s2eval.errors import UsageError

_FOLLOWS = {
    "commit": "revision",
    "recorded revision": "revision",
    "given dtype": "dtype",
    "configured shots": "shots",
}
"""Setting → the setting that it follows from: named only where that one does not tell the results apart."""

T = TypeVar("T")
_Label = tuple[tuple[str, str], ...]  # settings that a name shows, each with how


def key_of(inputs: Mapping[str, object]) -> str:
    """16 hex digits of the SHA-256 over what determines a result; equal inputs give equal keys."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Identity:
    """A model on a task, and what else determined the numbers.

    Attributes:
        part: task, judge, turn.
        settings: of the evaluation: setting → how a name shows it (`step1000`, `limit 10`); without defaults. None
            where they are not known, as of judgments: the model may be the one that other files describe.
        task_settings: of the task: likewise (`25 shots`).
        folder: as the user would write it.
    """

    model: str
    part: tuple[str, ...]
    settings: Mapping[str, str] | None = None
    task_settings: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for repeats: the same model, task and settings in the same folder."""
        settings = None if self.settings is None else tuple(sorted(self.settings.items()))
        return (self.model, self.part, settings, tuple(sorted(self.task_settings.items())), self.folder)


def without_repeats(
    results: Iterable[T], identity: Callable[[T], Identity], rank: Callable[[T], tuple[object, ...]]
) -> tuple[list[T], list[tuple[T, T]]]:
    """The results, of repeats the one of highest rank; and each one left out with the one used in its place."""
    groups: dict[tuple[object, ...], list[T]] = {}
    for result in results:
        groups.setdefault(identity(result).key, []).append(result)
    used = [max(group, key=rank) for group in groups.values()]
    left_out = [(other, best) for group, best in zip(groups.values(), used, strict=True) for other in group]
    return used, [(other, best) for other, best in left_out if other is not best]


def name_models(results: Sequence[Identity]) -> list[str]:
    """A name for the model of each result, different wherever the results are of different models or settings.

    The model's own name where that suffices. Settings that differ between its results follow in brackets; settings
    of tasks only if results of the same task differ in them. The folder comes first where several folders hold the
    same task with the same settings. A result whose settings are not known is of the model of that name, if there is
    only one.
    """
    labels: list[_Label] = [()] * len(results)
    for group in _grouped(range(len(results)), lambda at: results[at].model):
        known = [settings for at in group if (settings := results[at].settings) is not None]
        _label(labels, group, results, _varying(known), "settings")
        several = {labels[at] for at in group if results[at].settings is not None}
        for at in group if len(several) == 1 else ():
            if results[at].settings is None:
                labels[at] = next(iter(several))
        for same in _grouped(group, lambda at: labels[at]):
            parts = _grouped(same, lambda at: results[at].part)
            varying = [name for part in parts for name in _varying([results[at].task_settings for at in part])]
            _label(labels, same, results, list(dict.fromkeys(varying)), "task_settings")
    names = [""] * len(results)
    taken: dict[str, tuple[object, ...]] = {}
    taken_of_part: dict[tuple[str, ...], dict[str, tuple[object, ...]]] = {}
    for same in _grouped(range(len(results)), lambda at: (results[at].model, labels[at])):
        parts = _grouped(same, lambda at: results[at].part)
        several = any(len({results[at].folder for at in part}) > 1 for part in parts)
        for at in same:
            owner = (results[at].model, labels[at], results[at].folder if several else "")
            settings = ", ".join(shown for _, shown in labels[at])
            name = f"{results[at].model} ({settings})" if settings else results[at].model
            folder = results[at].folder.removesuffix(f"/{results[at].model}")
            name = f"{folder}/{name}" if several and folder and folder != results[at].model else name
            names[at] = _unique(name, owner, taken)
    for number, result in enumerate(results):
        names[number] = _unique(names[number], result.key, taken_of_part.setdefault(result.part, {}))
    return names


def name_like(model: str, shown: str, other: str) -> str:
    """A name for `other`, such as the model's group of seeds, made as `shown` was made for the model.

    >>> name_like("m-1", "runs/a/m-1 (v1)", "m")
    'runs/a/m (v1)'
    """
    before, middle, after = shown.rpartition(model)
    return f"{before}{other}{after}" if middle else other


def choose(name: str, shown: Mapping[str, str]) -> str:
    """The model that a user's `name` means: the shown name itself, or the only one that its files call so; else `name`.

    `shown`: name in tables → name in the model's own files.

    Raises:
        UsageError: several models are called so; they are listed.
    """
    if name in shown:
        return name
    meant = [own for own, recorded in shown.items() if recorded == name]
    if len(meant) > 1:
        listed = "".join(f"\n  {own}" for own in meant)
        raise UsageError(f"{name!r} names {len(meant)} models; write one of them in full:{listed}")
    return meant[0] if meant else name


def _grouped(positions: Iterable[int], key: Callable[[int], object]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for at in positions:
        groups.setdefault(key(at), []).append(at)
    return list(groups.values())


def _varying(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """The settings that are not the same in all, in their order."""
    names = dict.fromkeys(name for own in settings for name in own)
    varying = [name for name in names if len({own.get(name) for own in settings}) > 1]

    def follows(name: str) -> bool:
        other = _FOLLOWS.get(name)
        if other is None or other not in varying:
            return False
        pairs = {(own.get(other), own.get(name)) for own in settings}
        return len(pairs) == len({first for first, _ in pairs})

    return [name for name in varying if not follows(name)]


def _label(
    labels: list[_Label], positions: Sequence[int], results: Sequence[Identity], names: Sequence[str], of: str
) -> None:
    for at in positions:
        settings: Mapping[str, str] = getattr(results[at], of) or {}
        labels[at] = (*labels[at], *((f"{of} {name}", settings[name]) for name in names if name in settings))


def _unique(name: str, owner: tuple[object, ...], taken: dict[str, tuple[object, ...]]) -> str:
    """The name, with a number after it where another model has it already."""
    unique, number = name, 1
    while taken.setdefault(unique, owner) != owner:
        number += 1
        unique = f"{name} #{number}"
    return unique
