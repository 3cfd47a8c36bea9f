"""The settings of a run: a configuration file, or models and tasks by name, with `key=value` on top."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval import config as configuration
from s2eval.config import Checks, RunConfig
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.files import names

if TYPE_CHECKING:
    from s2eval.models import ModelSpec

_ASSIGNMENT = re.compile(r"[a-z_]+(\.\w+)*=")


def split_arguments(arguments: Sequence[str]) -> tuple[Path | None, list[str], list[str]]:
    """The command line's arguments: a configuration, or models; and the `key=value` overrides. Raises UsageError for
    neither, both, or two configurations.

    >>> split_arguments(["smollm2", "adapter:runs/sft", "limit=8"])
    (None, ['smollm2', 'adapter:runs/sft'], ['limit=8'])
    """
    overrides = [text for text in arguments if _ASSIGNMENT.match(text) and not Path(text).exists()]
    named = [text for text in arguments if text not in overrides]
    files = [text for text in named if Path(text).suffix in (".yaml", ".yml")]
    if not named:
        raise UsageError("nothing to evaluate: name a CONFIG.yaml, or models with --tasks. See: s2eval run --help")
    if len(files) > 1:
        raise UsageError(f"one configuration at a time, got {', '.join(files)}; run them one after the other")
    if files and len(named) > 1:
        others = ", ".join(text for text in named if text not in files)
        raise UsageError(f"{files[0]} names its own models; leave out {others}, or leave out the file")
    return (Path(files[0]) if files else None), ([] if files else named), overrides


def load(
    path: Path | None,
    models: Sequence[str | dict[str, object]],
    options: dict[str, Any],
    overrides: Sequence[str] = (),
    checks: Checks | None = None,
) -> RunConfig:
    """The checked configuration: of the YAML file `path`, else of `models` as a configuration lists them.

    `options` replace values of top-level keys unless None; `overrides`, `key=value`, come last. Without `checks` names
    are not looked up. Raises ConfigError with every error, each on a line; UsageError for models without tasks.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if path is not None:
        return configuration.load(path, checks, given, overrides)
    if not given.get("tasks") and not any(text.startswith("tasks=") for text in overrides):
        raise UsageError("--tasks is missing: on what are the models to be evaluated? See: s2eval ls tasks")
    called = [configuration.default_name(str(model["model"] if isinstance(model, dict) else model)) for model in models]
    parts = [  # `smollm2_and_2_more-s2_qa`: the same models and tasks have the same folder
        items[0] if len(items) == 1 else f"{items[0]}_and_{len(items) - 1}_more"
        for items in (called, given.get("tasks"))
        if items
    ]
    name = names.usable(re.sub(r"[^\w.+-]", "_", "-".join(parts))[:100].lstrip(".")) or "run"
    raw = {"models": list(models), "name": name, **given}
    return configuration.from_mapping(raw, "command line", checks, overrides)


def checks() -> Checks:
    """Checks of the names that a configuration may hold, so that all its errors are reported at once."""
    from s2eval import prompts
    from s2eval.models import EMBEDDED, parse
    from s2eval.report import load_references
    from s2eval.run import plan

    def model(name: str) -> None:
        if name in EMBEDDED:  # converted when all the rest is known to be right
            return
        try:
            parse(name)
        except PrerequisiteError:  # no error of the configuration; `parse_models` reports it
            return

    def template(name: str) -> None:
        if name != "chat":  # that needs a tokenizer
            prompts.get(name)

    def task(name: str) -> None:
        plan.expand([name])

    return {"task": task, "model": model, "template": template, "reference": load_references().check}


def parse_models(settings: RunConfig, where: str) -> list[ModelSpec]:
    """Every MODEL of the configuration, parsed and checked; embedded ones are converted. Raises PrerequisiteError
    with all models that are missing or incomplete."""
    from s2eval.models import parse
    from s2eval.weights import check_files

    specs: list[ModelSpec] = []
    missing: list[str] = []
    for number, entry in enumerate(settings.models):
        try:
            specs.append(spec := parse(entry.model))
            for name, gguf in ((spec.pretrained, entry.args.get("gguf_file")), (spec.peft, None)):
                if name is not None and (folder := Path(name).expanduser()).is_dir():
                    check_files(folder, f"model {spec.text}", gguf)
        except PrerequisiteError as error:
            missing.append(f"\n  models.{number}: {error}")
    if missing:
        raise PrerequisiteError(f"{where}: cannot use{''.join(missing)}")
    return specs
