"""Whether adapters fit a base: each tensor of theirs has its counterpart, none is missing, and shapes agree.

Only heads of files and the meta model are compared; no weights are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2eval.errors import PrerequisiteError, UsageError
from s2eval.weights import is_dead_buffer, some
from s2train.merge.adapters import Adapter
from s2train.merge.meta_model import MetaModel, Shape, parameter
from s2train.weights.shards import Place, Weights
from s2train.weights.tensors import FLOATS


@dataclass(frozen=True, slots=True)
class AdapterTensor:
    """A tensor that replaces one of the base.

    Attributes:
        adapter: index of the adapter.
        key: in its file.
        copied: whether it is not trained but the base's own, which PEFT stores along with what it trained on it.
    """

    adapter: int
    key: str
    copied: bool = False


def replacements(meta: MetaModel, adapters: Sequence[Adapter]) -> dict[str, AdapterTensor]:
    """Parameter → the tensor that an adapter has in its place; UsageError for tensors that do not fit."""
    replaced: dict[str, AdapterTensor] = {}
    for number, (adapter, keys) in enumerate(zip(adapters, meta.keys, strict=True)):
        _check_adapter(adapter, keys, meta)
        own = [target for target in meta.targets if target.adapter == number]
        factors = {key for target in own for key in (target.a, target.b, target.bias, target.magnitude)}
        replacing = [key for key in adapter.entries if key not in factors and not is_spare(key, keys)]
        if replacing and (len(adapters) > 1 or adapter.weight != 1):
            raise UsageError(
                f"adapter {adapter.name} brings whole tensors ({some(replacing)}): it is merged alone, or not at all"
            )
        replaced |= {parameter(key): AdapterTensor(number, key, copied=key not in keys) for key in replacing}
    return replaced


def is_spare(key: str, keys: Mapping[str, object]) -> bool:
    """Whether PEFT stores that tensor twice: of embeddings that were resized and trained it also keeps what the wrapper
    around them holds, and does not read it again.
    """
    plain = key.replace(".modules_to_save.", ".").replace(".original_module.", ".")
    return plain != key and plain in keys


def _check_adapter(adapter: Adapter, keys: Mapping[str, Shape], meta: MetaModel) -> None:
    label = f"adapter {adapter.name} on {meta.architecture}"
    entries = {key: entry for key, entry in adapter.entries.items() if not is_spare(key, keys)}
    if lost := [key for key in entries if key not in keys and parameter(key) not in meta.shapes]:
        raise UsageError(
            f"{label}: {len(lost)} of its {len(entries)} tensors have no place there ({some(lost)}). "
            f"{adapter.base_hint}"
        )
    if lacking := [key for key in keys if key not in entries]:
        raise UsageError(
            f"{label}: its configuration asks for {len(lacking)} tensors that its file lacks ({some(lacking)})"
        )
    expected = {key: keys.get(key) or meta.shapes[parameter(key)] for key in entries}
    wrong = [
        f"{key} is {_shape(entry.shape)}, there {_shape(expected[key])}"
        for key, entry in entries.items()
        if entry.shape != expected[key]
    ]
    if wrong:
        raise UsageError(
            f"{label}: {len(wrong)} of its tensors have another shape there ({some(wrong)}). {adapter.base_hint}"
        )


@dataclass(frozen=True, slots=True)
class Base:
    """The base's tensors.

    Attributes:
        places: by the model's names.
        others: by the files' names, those that the model has no name for.
        dead: of these, buffers of old releases that are computed now; not among `others`.
    """

    places: Mapping[str, Place]
    others: Mapping[str, Place]
    dead: frozenset[str]


def base_tensors(weights: Weights, meta: MetaModel) -> Base:
    """The base's tensors under the model's names.

    A checkpoint of the trunk alone leaves out the prefix; a head that is tied may stand for the embeddings.
    """
    places: dict[str, Place] = {}
    others: dict[str, Place] = {}
    for name, place in weights.places().items():
        candidates = (name, meta.prefix + name, name.removeprefix(meta.prefix))
        known = next((candidate for candidate in candidates if candidate in meta.shapes), None)
        if known is None or known in places:
            others[name] = place
        else:
            places[known] = place
    for child, parent in meta.tied.items():
        if parent not in places and child in places:
            places[parent] = places.pop(child)
    dead = frozenset(filter(is_dead_buffer, others))
    return Base(places, {name: place for name, place in others.items() if name not in dead}, dead)


def check_base(
    weights: Weights, base: Base, meta: MetaModel, replaced: Mapping[str, AdapterTensor], quantised: bool
) -> None:
    """Raise UsageError or PrerequisiteError if the base lacks what the meta model and the adapters expect."""
    label = f"base {weights.folder.name}"
    changed = {f"{target.module}.weight" for target in meta.targets} | (meta.quantised if quantised else set())
    entries = [place.entry for name, place in base.places.items() if name in changed]
    if packed := [entry for entry in entries if entry.dtype not in FLOATS]:
        raise UsageError(
            f"{label}: {len(packed)} of the tensors to change are no floating-point numbers ({packed[0].name} is "
            f"{packed[0].dtype}). If it is quantised, merge into the model that it was made of; --method qdq "
            "quantises by itself"
        )
    wrong = [
        f"{name} is {_shape(place.entry.shape)}, not {_shape(meta.shapes[name])}"
        for name, place in base.places.items()
        if place.entry.shape != meta.shapes[name] and name not in replaced
    ]
    if wrong:
        raise UsageError(
            f"{label}: {len(wrong)} of its tensors have another shape than its config.json and the adapter ask for "
            f"({some(wrong)})"
        )
    if gaps := meta.gaps.without(replaced):
        raise gaps.error(label)
    available = base.places.keys() | replaced.keys() | meta.tied.keys()
    if hidden := sorted(changed & (meta.shapes.keys() - available)):  # under another name, or as parts of it
        raise PrerequisiteError(
            f"{label}: {len(hidden)} of the tensors to change are not in its files under the names that "
            f"{meta.architecture} has for them ({some(hidden)})"
        )


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
