"""A YAML file as a pydantic model: every error of the file at once, each with the closest valid name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

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


def load(path: Path, model: type[Model], keys: str) -> Model:
    """Read and check a file; `keys` are some that are expected, for the message where it holds no mapping.

    Raises:
        ConfigError: with every error of the file, each on a line.
    """
    document = read(path, keys)
    return check(document.value, model, str(path), document.marks)


def read(path: Path, keys: str | None = None) -> Document:
    """What a YAML file holds, unchecked, with the lines of its parts; with `keys` it must be a mapping.

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


def check(
    raw: Mapping[Any, object],
    model: type[Model],
    where: str,
    marks: Mapping[Place, Mark] | None = None,
    *,
    context: object = None,
    more: Sequence[str] = (),
) -> Model:
    """A mapping as the model.

    Args:
        marks: where its parts stand in the file `where`.
        context: for the model's validators.
        more: problems that were found before.

    Raises:
        ConfigError: with every error, each on a line.
    """
    marks = marks or {}
    flags = {
        place: f"{_dotted(place)}: {_written(place, value, marks)} is no number{_line(place, marks)}"
        for place, value in _flags(raw, model, ())
    }
    problems = list(more)
    try:
        checked = model.model_validate(raw, context=context)
    except ValidationError as error:
        checked = None
        problems += [_problem(item, model, marks, flags) for item in error.errors(include_url=False)]
    problems += [text for text in flags.values() if text not in problems]
    if checked is not None and not problems:
        return checked
    if len(problems) > _MOST_PROBLEMS:
        problems = [*problems[:_MOST_PROBLEMS], f"… and {len(problems) - _MOST_PROBLEMS:,} more"]
    raise ConfigError(where, problems)


def _problem(
    item: ErrorDetails, model: type[BaseModel], marks: Mapping[Place, Mark], flags: Mapping[Place, str]
) -> str:
    """An error of pydantic's as `key.path: what is wrong`, with the closest key or value where there is one."""
    place, value, kind = item["loc"], item["input"], item["type"]
    if kind == "invalid_key":  # of which pydantic gives no usable place
        place = (*place[:-1], value, "[key]")
    if place in flags:
        return flags[place]
    where = _dotted(place)
    if kind == "extra_forbidden":
        return f"{where}: unknown key{suggestion(str(place[-1]), _keys(model, place[:-1]), _sections(model))}"
    if kind in _OF_TEXT and isinstance(value, bool | int | float | date):
        written = _written(place, value, marks)
        read_as = str(value).lower() if isinstance(value, bool) else "a date" if isinstance(value, date) else "a number"
        what = "the key " if place[-1:] == ("[key]",) else ""
        return (
            f"{where}: {what}{written} is {read_as} to YAML, and a text is expected: put it in quotes, "
            f'"{written}"{_line(place, marks)}'
        )
    if kind == "literal_error":
        expected = str(item.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        close = nearest(value, expected) if isinstance(value, str) else None
        hint = f"did you mean {close!r}?" if close else f"known: {', '.join(expected)}"
        shown = repr(value) if len(repr(value)) <= _SHOWN else repr(value)[: _SHOWN - 1] + "…"
        return f"{where}: unknown name {shown}; {hint}"
    if kind == "missing":
        return f"{where}: missing"
    return (f"{where}: " if where else "") + item["msg"].removeprefix("Value error, ")


def _dotted(place: Place) -> str:
    return ".".join(str(step) for step in place if step != "[key]")


def _mark(place: Place, marks: Mapping[Place, Mark]) -> Mark | None:
    """Of the value there; pydantic's places also name the member of a union that was tried, which no file does."""
    known: Place = ()
    for step in place:
        known = (*known, step) if (*known, step) in marks else known
    return marks.get(known) if known else None


def _line(place: Place, marks: Mapping[Place, Mark]) -> str:
    mark = _mark(place, marks)
    return f" (line {mark.line})" if mark and mark.line else ""


def _written(place: Place, value: object, marks: Mapping[Place, Mark]) -> str:
    """A value as its file has it; as YAML would write it where that is not known."""
    mark = _mark(place, marks)
    return mark.text if mark and mark.text is not None else str(value).lower()


# --- what a field takes ------------------------------------------------------------------------------------------


def _members(annotation: object) -> list[object]:
    """The types of a union, in it and in `Annotated`; of anything else itself."""
    if hasattr(annotation, "__metadata__"):
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _is_a(member: object, types: type | tuple[type, ...]) -> bool:
    """Whether a type, or what `list[int]` is an alias of, is one of `types`."""
    origin = get_origin(member) or member
    return isinstance(origin, type) and issubclass(origin, types)


def takes(annotation: object, kind: type) -> bool:
    """Whether a field of that type may hold a value of exactly that kind: bool, int, float, str, list, dict, None."""
    for member in _members(annotation):
        if member is Any:
            return True
        if get_origin(member) is Literal:
            holds = kind in map(type, get_args(member))
        else:
            holds = _is_a(member, _HELD_BY.get(kind, (kind,)))
        if holds and (member is not bool or kind is bool):
            return True
    return False


def _flags(value: object, annotation: object, place: Place) -> Iterator[tuple[Place, bool]]:
    """Where true or false stands for a number: pydantic would take it for 1 or 0."""
    if isinstance(value, bool):
        number = takes(annotation, int) or takes(annotation, float)
        if number and not (takes(annotation, bool) or takes(annotation, str)):
            yield place, value
    elif isinstance(value, dict):
        for member in _members(annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                inner = {name: field.annotation for name, field in member.model_fields.items()}
                items = [(name, value[name], inner[name]) for name in inner if name in value]
            elif _is_a(member, Mapping):
                item_type = (get_args(member) or (Any, Any))[1]
                items = [(name, item, item_type) for name, item in cast("dict[object, object]", value).items()]
            else:
                continue
            for name, item, item_type in items:
                yield from _flags(item, item_type, (*place, name))
    elif isinstance(value, list):
        for member in _members(annotation):
            if _is_a(member, (list, tuple, set, frozenset)):
                types = [part for part in get_args(member) if part is not Ellipsis] or [Any]
                for number, item in enumerate(cast("list[object]", value)):
                    yield from _flags(item, types[min(number, len(types) - 1)], (*place, number))


def annotation_of(model: type[BaseModel], place: Place) -> object:
    """The type of the field at that place; None where there is none."""
    annotation: object = model
    for step in place:
        fields = [field for model in _models(annotation) if (field := model.model_fields.get(str(step)))]
        values = [get_args(m)[1] for m in _members(annotation) if len(get_args(m)) == 2 and _is_a(m, Mapping)]
        if not fields and not values:
            return None
        annotation = fields[0].annotation if fields else values[0]
    return annotation


def _keys(model: type[BaseModel], location: Place) -> list[str]:
    """The keys of the section at that place."""
    for step in location:
        field = model.model_fields.get(step) if isinstance(step, str) else None
        model = next(iter(_models(field.annotation)), model) if field else model
    return list(model.model_fields)


def _sections(model: type[BaseModel], prefix: str = "") -> dict[str, list[str]]:
    """Keys by section, dotted; sections in lists and under names of the user's are left out."""
    sections = {prefix: list(model.model_fields)}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections |= _sections(field.annotation, f"{prefix}.{name}".lstrip("."))
    return sections


def _models(annotation: object) -> list[type[BaseModel]]:
    """The models that a field may hold, itself or in a list, mapping or union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
