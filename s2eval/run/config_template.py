"""A commented configuration, written from the fields of `s2eval.config`, so that it names every key that there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from s2eval.config import BertscoreOptions, JudgeEntry, ModelEntry, RunConfig
from s2eval.files import yamltext

_HEAD = """\
# A run of s2eval: every model on every task. To evaluate: s2eval run {file}
# Keys that begin with `#` have the value that is shown; take the sign away to change one.
"""


def commented_config(file: str, models: Sequence[str], tasks: Sequence[str]) -> str:
    """The text of a configuration with every key, those that are not needed commented out.

    Args:
        file: its name, for the text.
        models: MODELs.
        tasks: of lm-eval.
    """
    lines = [_HEAD.format(file=file)]
    for name, field in RunConfig.model_fields.items():
        lines.append(f"# {_describe(field, name)}")
        if name == "models":
            lines.append("models:")
            for number, model in enumerate(models):
                lines += _item(ModelEntry, {"model": model}, keys=number == 0)
        elif name == "tasks":
            lines.append(f"tasks: {_value(list(tasks))}")
        elif name == "judges":
            lines.append("#judges:")
            lines += [_comment(line) for line in _item(JudgeEntry, {"judge": "openai:gpt-4"}, keys=True)]
        elif name == "bertscore":
            lines.append("#bertscore:")
            lines += [_comment(line) for line in _keys(BertscoreOptions, {}, "  ")]
        else:
            lines.append(f"#{name}: {_value(_default(field))}")
        lines.append("")
    return "\n".join(lines)


def _item(model: type[BaseModel], given: Mapping[str, Any], *, keys: bool) -> Iterator[str]:
    """An entry of a list, and its other keys commented out."""
    (first, value), *_ = given.items()
    yield f"  - {first}: {_value(value)}"
    if keys:
        yield from _keys(model, given, "    ")


def _keys(model: type[BaseModel], given: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name not in given:
            yield f"{indent}# {_describe(field, name)}"
            yield f"{indent}#{name}: {_value(_default(field))}"


def _describe(field: FieldInfo, name: str) -> str:
    return field.description or name.replace("_", " ")


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if field.is_required() else value


def _value(value: Any) -> str:
    """On one line, as YAML takes it."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return yamltext.dump(value).strip().removesuffix("...").strip()


def _comment(line: str) -> str:
    """Of a section that is commented out as a whole: without the first `#` of each line it is complete."""
    indent = line[: len(line) - len(line.lstrip())]
    is_key = line.lstrip().startswith("#") and not line.lstrip().startswith("# ")
    return f"#{indent}{line.lstrip()[1:]}" if is_key else f"#{line}"
