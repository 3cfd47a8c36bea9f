"""`s2eval ls`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from s2eval import paths
from s2eval.terminal import echo_json
from s2eval.terminal.options import JsonOption

EXAMPLES = (
    "s2eval ls tasks",
    "s2eval ls judges --json",
    'lm_eval --include_path "$(s2eval ls tasks --path)" --tasks s2_qa',
)


def ls(
    what: Annotated[
        Literal["tasks", "models", "judges", "tables", "metrics", "formats", "logs"],
        typer.Argument(help="What to list."),
    ],
    path: Annotated[bool, typer.Option("--path", help="Print the folder instead of the names.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what can be named in a configuration or a command, or print the folder that it is in."""
    names, folder = _LISTS[what]
    if as_json:
        echo_json({"path": str(folder()), what: names()})
    else:
        for line in [str(folder())] if path else names():
            typer.echo(line)


def _tasks() -> list[str]:
    from s2eval.tasks import folders

    files = [path for folder in folders() for path in folder.rglob("*.yaml")]
    tags = {tag for path in files for tag in re.findall(r"^tag: *(\S+)", path.read_text("utf-8"), re.MULTILINE)}
    return [*sorted(path.stem for path in files), *sorted(tags)]


def _models() -> list[str]:
    from s2eval.models import MODEL_KINDS

    return [form for kind in MODEL_KINDS.values() for form in kind.forms]


def _judges() -> list[str]:
    from s2eval.judge.suite.definition import load, names

    lines: list[str] = []
    for name in names():
        suite = load(name)
        of = f"version {suite.version}, {suite.hash}, {len(suite.questions)} questions"
        lines += [f"{name} ({of})", *(f"baseline:{baseline}" for baseline in suite.baselines)]
    return lines


def _tables() -> list[str]:
    from s2eval.report.tables.definitions import definitions

    return [
        f"{definition.name}: {f'Table {definition.number}, ' if definition.number else ''}{definition.title}"
        for definition in definitions()
    ]


def _metrics() -> list[str]:
    from s2eval.metrics import METRICS

    columns = [f"{name} ({family.name})" for family in METRICS.values() for name in family.names]
    return [*columns, "s2_bertscore (bertscore, in the YAML of any task)"]


def _formats() -> list[str]:
    from s2eval.report.render import REPORT_FORMATS

    return [f"{entry.name}: {entry.summary}" for entry in REPORT_FORMATS.values()]


def _logs() -> list[str]:
    from s2eval.report.read.formats import LOG_FORMATS

    return [f"{known.name}: {known.description}" for known in LOG_FORMATS.values()]


_LISTS: dict[str, tuple[Callable[[], list[str]], Callable[[], Path]]] = {
    "tasks": (_tasks, paths.tasks),
    "models": (_models, lambda: paths.cache() / "models"),
    "judges": (_judges, paths.judges),
    "tables": (_tables, paths.references),
    "metrics": (_metrics, paths.tasks),
    "formats": (_formats, paths.references),
    "logs": (_logs, paths.references),
}
