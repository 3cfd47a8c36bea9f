"""Pages that are made when the documentation is built: the commands' help, the keys of configurations, the tables.

mkdocs calls `on_files` (`hooks:` in mkdocs.yml). What the program itself reads makes a page, so it cannot be old.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    for name, text in (("commands.md", commands()), ("configuration.md", configuration())):
        files.append(File.generated(config, name, content=text))
    return files


# -- commands


def commands() -> str:
    """Every command of both programs: usage, help, options."""
    import typer.main

    from s2eval.cli import app as s2eval
    from s2train.cli import app as s2train

    lines = ["# Commands", "", "Made from the programs' own help: `s2eval COMMAND --help` prints the same.", ""]
    for name, app in (("s2eval", s2eval), ("s2train", s2train)):
        lines += [f"## {name}", ""]
        for path, command in sorted(_leaves(typer.main.get_command(app), name)):
            lines += [f"### {path}", "", *_described(path, command), ""]
    return "\n".join(lines)


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children: Mapping[str, Any] = getattr(command, "commands", {})
    if not children or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, child in children.items():
        if not child.hidden:
            yield from _leaves(child, f"{path} {name}")


def _described(path: str, command: Any) -> Iterator[str]:
    import typer._click as click

    context = click.Context(command, info_name=path)
    yield f"```\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```\n"
    yield _paragraphs(command.help or "")
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    if rows:
        yield "\n| option | meaning |\n|---|---|"
        yield from (f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in rows)


def _paragraphs(text: str) -> str:
    """Help as Markdown: what typer prints as it stands (after \\b) becomes a code block."""
    parts = inspect.cleandoc(text).replace("\f", "").split("\n\n")
    shown = (f"```\n{part.removeprefix(chr(8)).strip()}\n```" if part.startswith("\b") else part for part in parts)
    return "\n\n".join(shown)


# -- configurations


def configuration() -> str:
    """Every key of every YAML file that a command takes."""
    from s2eval.config import RunConfig
    from s2train.stages import commands

    lines = ["# Configuration", "", "Made from the models that check the files. An unknown key is an error.", ""]
    lines += ["## s2eval run", "", _HEADER, *_keys(RunConfig), ""]
    stages = {stage.name: list(_keys(stage.training.configuration())) for stage in commands()}
    shared = [row for row in next(iter(stages.values())) if sum(row in rows for rows in stages.values()) > 1]
    lines += ["## s2train: keys of several stages", "", _HEADER, *shared, ""]
    for name, rows in stages.items():
        lines += [f"## s2train {name}", "", _HEADER, *(row for row in rows if row not in shared), ""]
    return "\n".join(lines)


_HEADER = "| key | type | default | meaning |\n|---|---|---|---|"


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for path, field, meaning in _fields(model, ""):
        default = "" if field.is_required() else _default(field)
        yield f"| `{path}` | {_cell(_type(field.annotation))} | {_cell(default)} | {_cell(meaning)} |"


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo, str]]:
    described = _attributes(model)
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        if nested is None or nested.__name__ == "arguments" or len(nested.model_fields) > 60:
            yield f"{prefix}{name}", field, field.description or described.get(name, "")
        else:
            many = "[]" if get_origin(field.annotation) in (list, tuple) else ""
            yield from _fields(nested, f"{prefix}{name}{many}.")


def _nested(kind: Any) -> type[BaseModel] | None:
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return kind
    found = [nested for part in get_args(kind) if (nested := _nested(part))]
    return found[0] if len(found) == 1 and get_origin(kind) is not dict else None


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and of those it stands on say of attributes."""
    described: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base is BaseModel or not issubclass(base, BaseModel):
            continue
        _, _, block = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        for match in re.finditer(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", block, re.MULTILINE):
            for name in match[1].split(", "):
                described[name] = re.sub(r"\s+", " ", match[2])
    return described


def _type(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(map(str, parts))
    if origin is Annotated:
        return _type(parts[0])
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in parts if part is not NoneType)
    if origin in (list, tuple):
        return f"list of {_type(parts[0])}"
    names = {str: "text", int: "integer", float: "number", bool: "true, false"}
    return names.get(kind, "mapping" if origin is dict or inspect.isclass(kind) else str(kind))


def _default(field: FieldInfo) -> str:
    value = field.default_factory() if field.default_factory else field.default  # pyright: ignore[reportCallIssue]
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").replace("<", "&lt;").replace("[", "&#91;")
