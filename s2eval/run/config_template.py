"""A commented configuration, written from the fields of `s2eval.config`, so that it names every key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from s2eval.config import BertscoreOptions, JudgeEntry, ModelEntry, RunConfig
from s2eval.files import yamltext

_HEAD = """\
# A run of s2eval: every model on every task. To evaluate: s2eval run {file}
# Keys that begin with `#` have the value that is shown; take the sign away to change one.
"""


def commented_config(file: str, models: Sequence[str], tasks: Sequence[str]) -> str:
    """The text of a configuration of that file name with every key, those that are not needed commented out."""
    lines = [_HEAD.format(file=file)]
    for name, field in RunConfig.model_fields.items():
        lines.append(f"# {_describe(field, name)}")
        if name == "models":
            lines.append("models:")
            for number, model in enumerate(models):
                lines.append(f"  - model: {_value(model)}")
                lines += _keys(ModelEntry, {"model"}, "    ") if number == 0 else []
        elif name == "tasks":
            lines.append(f"tasks: {_value(list(tasks))}")
        elif name == "judges":
            lines += ["#judges:", "#  - judge: openai:gpt-4"]
            lines += [_comment(line) for line in _keys(JudgeEntry, {"judge"}, "    ")]
        elif name == "bertscore":
            lines += ["#bertscore:", *(_comment(line) for line in _keys(BertscoreOptions, set(), "  "))]
        else:
            lines.append(f"#{name}: {_value(_default(field))}")
        lines.append("")
    return "\n".join(lines)


def _keys(model: type[BaseModel], written: set[str], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name not in written:
            yield f"{indent}# {_describe(field, name)}"
            yield f"{indent}#{name}: {_value(_default(field))}"


def _describe(field: FieldInfo, name: str) -> str:
    return field.description or name.replace("_", " ")


def _default(field: FieldInfo) -> object:
    return None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})


def _value(value: object) -> str:
    """On one line, as YAML takes it."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return yamltext.dump(value).strip().removesuffix("...").strip()


def _comment(line: str) -> str:
    """Of a section that is commented out: without the first `#` of each line it is complete."""
    key = line.lstrip()
    is_key = key.startswith("#") and not key.startswith("# ")
    return f"#{line[: len(line) - len(key)]}{key[1:]}" if is_key else f"#{line}"
