"""A YAML file as a pydantic model: every error of the file at once, each with the nearest right name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from s2eval.errors import ConfigError, nearest
from s2eval.files import yamltext
from s2eval.files.key_names import suggestion
from s2eval.files.yamltext import Document, Mark, Place

Model = TypeVar("Model", bound=BaseModel)
_MOST_PROBLEMS = 40  # that one message holds
_HELD_BY: Mapping[type, tuple[type, ...]] = {  # kind of value → types of fields that take it
    dict: (BaseModel, Mapping),
    list: (list, tuple, set, frozenset),
    str: (str, PurePath),
    int: (int, float),
}
_OF_TEXT = ("string_type", "literal_error", "enum", "invalid_key", "model_type", "model_attributes_type")
_SHOWN = 80  # characters of a value in a message


def load(
    path: Path,
    model: type[Model],
    keys: str,
    *,
    defaults: Mapping[str, Any] | None = None,
    context: Any = None,
) -> Model:
    """Read and check a file.

    Args:
        path: the file.
        model: what it must look like.
        keys: some that are expected, for the message where it holds no mapping.
        defaults: top-level keys that the file may leave out.
        context: for the model's validators.

    Raises:
        ConfigError: with every error of the file, each on a line.
    """
    document = read(path, keys)
    return check({**(defaults or {}), **document.value}, model, str(path), document.marks, context=context)


def check(
    raw: Mapping[Any, Any],
    model: type[Model],
    where: str,
    marks: Mapping[Place, Mark] | None = None,
    *,
    context: Any = None,
    more: list[str] | None = None,
) -> Model:
    """A mapping as the model.

    Args:
        raw: what was read.
        where: the file's name, for messages.
        marks: where its parts stand in the file.
        context: for the model's validators.
        more: problems that were found before.

    Raises:
        ConfigError: with every error, each on a line.
    """
    flags = {
        place: f"{_dotted(place)}: {_written(place, value, marks)} is no number{_line(place, marks)}"
        for place, value in _flags(raw, model, ())
    }
    found, made = list(more or []), None
    try:
        made = model.model_validate(raw, context=context)
    except ValidationError as error:
        found += problems(error, model, marks, known=flags)
    found += [text for text in flags.values() if text not in found]
    if made is None or found:
        kept = found[:_MOST_PROBLEMS]
        raise ConfigError(
            where, [*kept, *([f"… and {len(found) - len(kept):,} more"] if found[_MOST_PROBLEMS:] else [])]
        )
    return made


def read(path: Path, keys: str | None = None) -> Document:
    """What a YAML file holds, unchecked, with the lines of its parts.

    Args:
        keys: some that are expected, where it must be a mapping.

    Raises:
        ConfigError: it cannot be read, is no YAML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [error.strerror or str(error)]) from error
    except ValueError as error:  # no UTF-8
        raise ConfigError(str(path), [f"not YAML: {' '.join(str(error).split())}"]) from error
    document = yamltext.parse(text, str(path))
    if keys and not isinstance(document.value, dict):
        raise ConfigError(str(path), [f"expected keys such as {keys}"])
    return document


def problems(
    error: ValidationError,
    model: type[BaseModel],
    marks: Mapping[Place, Mark] | None = None,
    *,
    known: Mapping[Place, str] | None = None,
) -> list[str]:
    """Each error of pydantic's as `key.path: what is wrong`, with the nearest key or value where one is close.

    Args:
        marks: where the parts of the file stand.
        known: what is wrong at a place, where that was found before.
    """
    lines: list[str] = []
    for item in error.errors(include_url=False):
        place, value, kind = item["loc"], item["input"], item["type"]
        if kind == "invalid_key":  # of which pydantic gives no usable place
            place = (*place[:-1], value, "[key]")
            where = _dotted((*place[:-2], _written(place, value, marks)))
        if known and place in known:
            lines.append(known[place])
            continue
        where, ours = _dotted(place), kind in _OF_TEXT
        if kind == "extra_forbidden":
            named = suggestion(str(place[-1]), _keys(model, place[:-1]), _sections(model))
            lines.append(f"{where}: unknown key{named}")
        elif ours and isinstance(value, bool | int | float | date):
            written = _written(place, value, marks)
            read_as = (
                str(value).lower() if isinstance(value, bool) else "a date" if isinstance(value, date) else "a number"
            )
            what = "the key " if place[-1:] == ("[key]",) else ""
            lines.append(
                f"{where}: {what}{written} is {read_as} to YAML, and a text is expected: put it in quotes, "
                f'"{written}"{_line(place, marks)}'
            )
        elif kind == "literal_error":
            expected = str(item.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
            close = _nearest(value, expected) if isinstance(value, str) else f"; known: {', '.join(expected)}"
            lines.append(f"{where}: unknown name {_short(repr(value))}{close}")
        elif kind == "missing":
            lines.append(f"{where}: missing")
        else:
            lines.append((f"{where}: " if where else "") + item["msg"].removeprefix("Value error, "))
    return lines


def _dotted(place: Place) -> str:
    return ".".join(str(step) for step in place if step != "[key]")


def _mark(place: Place, marks: Mapping[Place, Mark] | None) -> Mark | None:
    """Of the value there; pydantic's places also name the member of a union that was tried, which no file does."""
    found: Place = ()
    for step in place:
        found = (*found, step) if marks and (*found, step) in marks else found
    return marks.get(found) if marks and found else None


def _line(place: Place, marks: Mapping[Place, Mark] | None) -> str:
    mark = _mark(place, marks)
    return f" (line {mark.line})" if mark and mark.line else ""


def _written(place: Place, value: Any, marks: Mapping[Place, Mark] | None) -> str:
    """A value as its file has it; as YAML would write it where that is not known."""
    mark = _mark(place, marks)
    return mark.text if mark and mark.text is not None else str(value).lower()


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# --- what a field takes ------------------------------------------------------------------------------------------


def _members(annotation: Any) -> list[Any]:
    """The types of a union, in it and in `Annotated`; of anything else itself."""
    if hasattr(annotation, "__metadata__"):
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _origin(member: Any) -> Any:
    """`list` of `list[int]`; a plain type itself."""
    return get_origin(member) or member


def takes(annotation: Any, kind: type) -> bool:
    """Whether a field of that type may hold a value of exactly that kind: bool, int, float, str, list, dict, None."""
    for member in _members(annotation):
        origin = _origin(member)
        if origin is Any:
            return True
        if origin is Literal:
            holds = kind in map(type, get_args(member))
        else:
            holds = isinstance(origin, type) and issubclass(origin, _HELD_BY.get(kind, (kind,)))
        if holds and (origin is not bool or kind is bool):
            return True
    return False


def _flags(value: Any, annotation: Any, place: Place) -> Iterator[tuple[Place, bool]]:
    """Where true or false stands for a number: pydantic would take it for 1 or 0."""
    if isinstance(value, bool):
        number = takes(annotation, int) or takes(annotation, float)
        if number and not (takes(annotation, bool) or takes(annotation, str)):
            yield place, value
        return
    for member in _members(annotation):
        origin = _origin(member)
        if isinstance(value, dict) and isinstance(origin, type) and issubclass(origin, BaseModel):
            for name, field in origin.model_fields.items():
                if name in value:
                    yield from _flags(value[name], field.annotation, (*place, name))
        elif isinstance(value, dict) and isinstance(origin, type) and issubclass(origin, Mapping):
            for name, item in cast("dict[Any, Any]", value).items():
                yield from _flags(item, (get_args(member) or (Any, Any))[1], (*place, name))
        elif (
            isinstance(value, list) and isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset)
        ):
            for number, item in enumerate(cast("list[Any]", value)):
                inner = [part for part in get_args(member) if part is not Ellipsis] or [Any]
                yield from _flags(item, inner[min(number, len(inner) - 1)], (*place, number))


def annotation_of(model: type[BaseModel], place: Place) -> Any:
    """The type of the field at that place; None where there is none."""
    found: Any = model
    for step in place:
        inner = list(_models(found)) if not isinstance(found, type) or not issubclass(found, BaseModel) else [found]
        fields = [section.model_fields[step] for section in inner if step in section.model_fields]
        values = [get_args(m)[1] for m in _members(found) if len(get_args(m)) == 2 and get_origin(m) in (dict, Mapping)]
        if not fields and not values:
            return None
        found = fields[0].annotation if fields else values[0]
    return found


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at that place."""
    for step in location:
        field = model.model_fields.get(str(step)) if isinstance(step, str) else None
        sections = list(_models(field.annotation)) if field else []
        model = sections[0] if sections else model
    return list(model.model_fields)


def _sections(model: type[BaseModel], prefix: str = "") -> dict[str, list[str]]:
    """Keys by section, dotted; sections in lists and under names of the user's are left out."""
    found = {prefix: list(model.model_fields)}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= _sections(field.annotation, f"{prefix}.{name}".lstrip("."))
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold, itself or in a list, mapping or union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _nearest(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    return f"; did you mean {close!r}?" if close else f"; known: {', '.join(known)}"
