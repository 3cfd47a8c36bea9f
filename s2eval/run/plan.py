"""Configuration → units, before any model is loaded.

A unit is one model on one leaf task. Its key is a hash of everything that determines its result: the model's
content, the documents with their prompts and shots, the decoding, the limit. A unit whose folder holds that key
is done; nothing else decides what runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from s2eval import chat_arguments, store
from s2eval.config import ModelEntry, RunConfig
from s2eval.errors import UnknownNameError, UsageError
from s2eval.files.names import check_folder, clashes
from s2eval.models import MODEL_KINDS, ModelSpec, identity, tokenizers
from s2eval.models.loaded import base_id
from s2eval.models.model_kind import S2
from s2eval.plugin import OURS, without_covered
from s2eval.run.stored_plan import PlannedUnit
from s2eval.tasks import benchmark_of, folders

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager

JUDGES = "mtbench"  # a model's folder of judgments
_FORMAT = 1  # raise when the same inputs would give another result


@dataclass(frozen=True, slots=True)
class UnitInputs:
    """What determined a unit's result, written to its `unit.json` under these names. Its key is a hash of the
    inputs; the template is "" where no question is asked."""

    inputs: dict[str, object]
    limit: int | None
    template: str
    template_hash: str


@dataclass(frozen=True, slots=True)
class Unit(PlannedUnit):
    """One model on one task, ready to be evaluated: the model as configured and as parsed, arguments of its backend,
    lm-eval's task with its documents. `bos` = whether the tokenizer may add its BOS; False for the leaderboard,
    which had none."""

    entry: ModelEntry
    spec: ModelSpec
    arguments: Mapping[str, object]
    task: ConfigurableTask
    bos: bool | None
    facts: UnitInputs


def expand(names: Sequence[str]) -> list[str]:
    """Task names, groups, tags and patterns → leaf task names, each once, in the order given. Raises
    UnknownNameError for a name that lm-eval does not have either."""
    index = _manager(names).task_index
    leaves: dict[str, None] = {}

    def add(name: str) -> None:
        config = index[name].cfg or {}
        if index[name].tags and not config:
            members: Iterable[str] = sorted(index[name].tags, key=list(index).index)
        elif "group" in config:
            members = [item if isinstance(item, str) else item.get("task") or item["group"] for item in config["task"]]
        else:
            leaves[name] = None
            return
        for member in members:
            add(member)

    for name in names:
        matches = [other for other in index if fnmatch(other, name)] if any(c in name for c in "*?[") else [name]
        if not matches or (matches == [name] and name not in index):
            raise UnknownNameError("task", name, index, see="s2eval ls tasks")
        for match in without_covered(matches, index):
            add(match)
    return list(leaves)


def _manager(names: Sequence[str], metadata: dict | None = None) -> TaskManager:
    """lm-eval's manager of our tasks, and of its own where a name is not ours (scanning those takes seconds)."""
    from lm_eval.tasks import TaskManager

    include: list[str | Path] = [*folders()]
    own = TaskManager(include_path=include, include_defaults=False, metadata=metadata)
    if all(name in own.task_index or name.startswith(OURS) for name in names):
        return own
    return TaskManager(include_path=include, metadata=metadata)


def plan(config: RunConfig, specs: Sequence[ModelSpec], run: Path) -> list[Unit]:
    """All units of a run, model by model; documents are loaded and checked. In the configured order, except that
    models of one base follow the first of them, so that it is loaded once. Raises UsageError or DataError."""
    names = [name for name in expand(config.tasks) if not benchmark_of(name).judged]
    if (judged := [name for name in config.tasks if benchmark_of(name).judged]) and not config.judges:
        raise UsageError(
            f"{judged[0]}: in a run its judges are named: add `judges: [openai:gpt-4]`, or take it out of tasks"
        )
    if alike := clashes([JUDGES, *names]):
        raise UsageError(f"tasks {', '.join(alike)}: on some systems both are one folder. Evaluate them in two runs")
    if JUDGES in names:
        raise UsageError(f"task {JUDGES}: the folder of that name is for the judges of a run")
    for entry in config.models:
        for folder in (run / entry.name, *(run / entry.name / name for name in names)):
            check_folder(folder)
    units: list[Unit] = []
    shared: dict[str, ConfigurableTask] = {}
    models = list(zip(config.models, specs, strict=True))
    bases = [_base(entry, spec) for entry, spec in models]
    for entry, spec in sorted(models, key=lambda model: bases.index(_base(*model))):
        content = identity(spec)
        units += [_unit(task, entry, spec, content, config, run) for task in _load(names, entry, spec, config, shared)]
    _check_chat_arguments(units, config)
    if config.max_tokens and not any(unit.task.OUTPUT_TYPE == "generate_until" for unit in units):
        raise UsageError("max_tokens would change nothing: no task of this run generates text. Leave it out")
    return units


def _check_chat_arguments(units: Sequence[Unit], config: RunConfig) -> None:
    """Arguments of a chat template are an error where a model is asked no question: nothing would use them."""
    with_questions = {unit.entry.name for unit in units if unit.facts.template}
    for entry in config.models:
        arguments = chat_arguments.collect(entry.args)
        if arguments and not config.judges and entry.name not in with_questions:
            raise UsageError(
                f"model {entry.name}: {', '.join(arguments)} would change nothing: no task of this run uses a chat "
                "template. Leave it out of args"
            )


def _base(entry: ModelEntry, spec: ModelSpec) -> str:
    """Equal where `s2eval.models.loaded` loads once."""
    parts = [base_id(spec), spec.engine, entry.dtype, entry.device, chat_arguments.without(entry.args)]
    return json.dumps(parts, sort_keys=True, default=str)


def _load(
    names: Sequence[str], entry: ModelEntry, spec: ModelSpec, config: RunConfig, shared: dict[str, ConfigurableTask]
) -> list[ConfigurableTask]:
    """The tasks for one model. Those whose documents no prompt template touches are kept in `shared` and serve
    every model, so that twelve models do not hold the leaderboard's documents twelve times."""
    for_prompts = (*chat_arguments.KEYS, *tokenizers.KEYS)
    metadata = {
        **{name: entry.args[name] for name in for_prompts if name in entry.args},
        "pretrained": spec.pretrained,
        "peft": spec.peft,
        "template": entry.template or config.template,
        "add_bos_token": False,
        "bertscore_later": True,
    }
    manager = _manager(names, metadata)
    tasks: list[ConfigurableTask] = []
    for name in names:
        if name in shared:
            tasks.append(shared[name])
            continue
        loaded: dict = manager.load([name])["tasks"]
        tasks.append(loaded[name])
        if not benchmark_of(name).answers:
            shared[name] = loaded[name]
    return tasks


def _unit(
    task: ConfigurableTask, entry: ModelEntry, spec: ModelSpec, content: str, config: RunConfig, run: Path
) -> Unit:
    from s2eval.models.backend.hf import best_device

    task_name = task.task_name
    docs = task.eval_docs
    rows = [docs[number] for number in range(min(len(docs), config.limit or len(docs)))]
    benchmark = benchmark_of(task_name)
    template = rows[0].get("template", "") if benchmark.answers else ""
    if template.startswith(("chat", "fastchat:")):
        from s2eval.tasks.lm_eval import template_for

        chosen = template_for(entry.template or config.template, spec.pretrained, spec.peft, entry.args)
        stops = list(chosen.stop) or task.config.generation_kwargs["until"]
        task.set_config(key="generation_kwargs", value={"until": stops}, update=True)
    if config.max_tokens and task.OUTPUT_TYPE == "generate_until":
        task.set_config(key="generation_kwargs", value={"max_gen_toks": config.max_tokens}, update=True)
    on_cpu = (entry.device or best_device()).startswith("cpu")
    inputs = {
        "format": _FORMAT,
        "model": content,
        # on a GPU `auto` is the checkpoint's own type, and the same type computes other digits
        "arguments": [entry.dtype, entry.args, *([] if on_cpu else ["accelerator"])],
        "task": task_name,
        "version": task.VERSION,
        "documents": _digest(rows),
        "shots": task.config.num_fewshot,
        "decoding": task.config.generation_kwargs,
        "bos": benchmark.bos is not False,
        **({"engine": spec.engine} if spec.engine != S2 else {}),
    }
    if spec.engine != S2 and task.OUTPUT_TYPE != "generate_until" and not MODEL_KINDS[spec.engine].likelihoods:
        raise UsageError(
            f"{entry.name}/{task_name}: {spec.text} is for questions; for log-likelihoods {spec.engine} computes "
            f"every shared prefix again. Name the model without '{spec.engine}:' for this task"
        )
    choices = task.OUTPUT_TYPE == "multiple_choice"
    name = f"{entry.name}/{task_name}"
    return Unit(
        name=name,
        names=(name, entry.name, task_name),
        folder=run / entry.name / task_name,
        key=store.key_of(inputs),
        documents=len(rows),
        requests=sum(len(task.doc_to_choice(row)) for row in rows) if choices else len(rows),
        answers=benchmark.answers,
        entry=entry,
        spec=spec,
        arguments={
            "dtype": entry.dtype,
            "batch_size": entry.batch_size or config.batch_size,
            **({"device": entry.device} if entry.device else {}),
            **chat_arguments.without(entry.args),
        },
        task=task,
        bos=benchmark.bos,
        facts=UnitInputs(inputs, config.limit, template, rows[0].get("template_hash", "") if benchmark.answers else ""),
    )


def _digest(rows: Sequence[object]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False, default=str).encode())
    return digest.hexdigest()[:16]


class Named(Protocol):
    """A part of a run that `--only` may choose by any of its names."""

    @property
    def name(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...


Part = TypeVar("Part", bound=Named)


def select(parts: Sequence[Part], patterns: Sequence[str]) -> list[Part]:
    """The parts of a run that `--only` names: patterns over `model/task`, `model` or `task`. Raises UsageError for a
    pattern that names none."""
    if not patterns:
        return list(parts)
    chosen: set[str] = set()
    for pattern in patterns:
        hits = [part.name for part in parts if any(fnmatch(name, pattern) for name in part.names)]
        if not hits:
            raise UsageError(f"--only {pattern}: names no unit. Units are: {', '.join(part.name for part in parts)}")
        chosen.update(hits)
    return [part for part in parts if part.name in chosen]
