"""Whether adapters fit a base: every tensor of theirs has a place, every one that is promised is there, shapes agree.

Pure: of heads of files and an outline; no weights are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.weights import is_dead_buffer, some
from s2train.merge.adapters import Adapter
from s2train.merge.outline import Outline, parameter
from s2train.weights.shards import Place, Weights
from s2train.weights.tensors import FLOATS


@dataclass(frozen=True, slots=True)
class Given:
    """A tensor of an adapter's file, as it is or times `scaling`.

    Attributes:
        adapter: which, by its place.
        key: in its file.
        scaling: factor.
        copied: whether it is no trained tensor but the base's own, which PEFT stores along with what it trained on it.
    """

    adapter: int
    key: str
    scaling: float = 1.0
    copied: bool = False


def given(outline: Outline, adapters: Sequence[Adapter]) -> dict[str, Given]:
    """Parameter → the whole tensor that an adapter brings for it.

    Raises:
        UsageError: a tensor has no place, is missing, or has another shape.
    """
    found: dict[str, Given] = {}
    for number, (adapter, keys) in enumerate(zip(adapters, outline.keys, strict=True)):
        _check(adapter, keys, outline)
        factors = {key for target in outline.targets if target.adapter == number for key in target.tensors()}
        whole = [key for key in adapter.entries if key not in factors and not is_spare(key, keys)]
        if whole and (len(adapters) > 1 or adapter.weight != 1):
            raise UsageError(
                f"adapter {adapter.name} brings whole tensors ({some(whole)}): it is merged alone, or not at all"
            )
        found |= {parameter(key): Given(number, key, copied=key not in keys) for key in whole}
    return found


def is_spare(key: str, keys: Mapping[str, object]) -> bool:
    """Whether PEFT stores that tensor twice: of embeddings that were resized and trained whole it also keeps what the
    wrapper around them holds, and does not read it again."""
    plain = key.replace(".modules_to_save.", ".").replace(".original_module.", ".")
    return plain != key and plain in keys


def _check(adapter: Adapter, keys: Mapping[str, tuple[int, ...]], outline: Outline) -> None:
    where = f"adapter {adapter.name} on {outline.architecture}"
    entries = {key: entry for key, entry in adapter.entries.items() if not is_spare(key, keys)}
    named = adapter.config.get("base_model_name_or_path")
    advice = ". Is that the base it was trained on?" + (f" Its adapter_config.json names {named}" if named else "")
    if lost := [key for key in entries if key not in keys and parameter(key) not in outline.shapes]:
        raise UsageError(
            f"{where}: {len(lost)} of its {len(entries)} tensors have no place there ({some(lost)}){advice}"
        )
    if lacking := [key for key in keys if key not in entries]:
        raise UsageError(
            f"{where}: its configuration asks for {len(lacking)} tensors that its file lacks ({some(lacking)})"
        )
    wanted = {key: keys.get(key) or outline.shapes[parameter(key)] for key in entries}
    wrong = [
        f"{key} is {_shape(entry.shape)}, there {_shape(wanted[key])}"
        for key, entry in entries.items()
        if entry.shape != wanted[key]
    ]
    if wrong:
        raise UsageError(f"{where}: {len(wrong)} of its tensors have another shape there ({some(wrong)}){advice}")


@dataclass(frozen=True, slots=True)
class Base:
    """The base's tensors.

    Attributes:
        places: by the names that the model has for them.
        others: by the names in the files, those that the model has no name for.
        dead: of the same, buffers of old releases that are computed now.
    """

    places: Mapping[str, Place]
    others: Mapping[str, Place]
    dead: frozenset[str]


def base(weights: Weights, outline: Outline) -> Base:
    """The base's tensors under the model's names.

    A checkpoint of the trunk alone leaves out the prefix; a head that is tied may stand for the embeddings.
    """
    found: dict[str, Place] = {}
    others: dict[str, Place] = {}
    for name, place in weights.places().items():
        candidates = (name, outline.prefix + name, name.removeprefix(outline.prefix))
        known = next((one for one in candidates if one in outline.shapes), None)
        if known is None or known in found:
            others[name] = place
        else:
            found[known] = place
    for child, parent in outline.tied.items():
        if parent not in found and child in found:
            found[parent] = found.pop(child)
    dead = frozenset(filter(is_dead_buffer, others))
    return Base(found, {name: place for name, place in others.items() if name not in dead}, dead)


def check(weights: Weights, there: Base, outline: Outline, whole: Mapping[str, Given], quantised: bool) -> None:
    """Raise if the base is not what the outline and the adapters ask for.

    Raises:
        UsageError: shapes differ, or its numbers cannot be merged.
        PrerequisiteError: tensors are missing, or one to change is in the files under another name.
    """
    where = f"base {weights.folder.name}"
    changed = {f"{target.module}.weight" for target in outline.targets} | (outline.quantised if quantised else set())
    wrong = [
        f"{name} is {_shape(place.entry.shape)}, not {_shape(outline.shapes[name])}"
        for name, place in there.places.items()
        if place.entry.shape != outline.shapes[name] and name not in whole
    ]
    strange = [place.entry for name, place in there.places.items() if name in changed]
    strange = [entry for entry in strange if entry.dtype not in FLOATS]
    if strange:
        raise UsageError(
            f"{where}: {len(strange)} of the tensors to change are no floating-point numbers ({strange[0].name} is "
            f"{strange[0].dtype}). If it is quantised, merge into the model that it was made of; --method qdq "
            "quantises by itself"
        )
    if wrong:
        raise UsageError(
            f"{where}: {len(wrong)} of its tensors have another shape than its config.json and the adapter ask for "
            f"({some(wrong)})"
        )
    if gaps := outline.gaps.without(whole):
        raise gaps.error(where)
    known = there.places.keys() | whole.keys() | outline.tied.keys()
    missing = [name for name in outline.shapes if name not in known]
    if hidden := sorted(changed & set(missing)):  # in the files under another name, or as parts of it
        raise PrerequisiteError(
            f"{where}: {len(hidden)} of the tensors to change are not in its files under the names that "
            f"{outline.architecture} has for them ({some(hidden)})"
        )


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
