"""The only writer to lm-eval: what each of its modules is given once it is loaded (see `s2eval_hook`).

Written against lm-eval 0.4.13. A release that discovers entry points itself finds model and metrics by
`pyproject.toml`; the first two functions then do nothing. Where lm-eval no longer has what we attach to, `PluginError`
stops it: better than an evaluation with half of the tasks.
"""

from __future__ import annotations

import functools
import logging
import subprocess
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Protocol

from s2eval.errors import PrerequisiteError
from s2eval.files import Json
from s2eval.tasks.benchmark import FAMILIES

log = logging.getLogger("s2eval")

MODEL = "s2eval.models.s2:S2LM"
OURS = tuple(f"{family}_" for family in FAMILIES)


class PluginError(PrerequisiteError, ImportError):
    """lm-eval has changed where s2eval attaches to it."""

    def __init__(self, module: ModuleType, name: str) -> None:
        from importlib.metadata import version

        super().__init__(
            f"s2eval cannot attach to lm-eval {version('lm-eval')}: {module.__name__}.{name} is gone. "
            "Use lm-eval 0.4.13 (pip install lm-eval==0.4.13), or set S2EVAL_HOOK=0 and pass "
            '--include_path "$(s2eval ls tasks --path)"'
        )


class _TaskIndexEntry(Protocol):
    @property
    def cfg(self) -> Mapping[str, Json] | None: ...
    @property
    def tags(self) -> set[str]: ...


class _TaskManager(Protocol):
    task_index: Mapping[str, _TaskIndexEntry]


class _EvaluatorConfig(Protocol):
    model: str
    model_args: Mapping[str, object] | None
    tasks: list[object]


def _around(path: str, *, optional: bool = False) -> Callable[[Callable[..., object]], Callable[[ModuleType], None]]:
    """A hook that puts a function around one of lm-eval's: `path` is `function` or `Class.method` of the module.

    The decorated function is called with the module, lm-eval's own function, and the arguments. Where lm-eval has no
    such function, `optional` decides whether that is an error.
    """

    def decorate(function: Callable[..., object]) -> Callable[[ModuleType], None]:
        @functools.wraps(function)
        def hook(module: ModuleType) -> None:
            owner: object = module
            *classes, name = path.split(".")
            for class_name in classes:
                owner = getattr(owner, class_name, None)
            original = getattr(owner, name, None)
            if original is None:
                if optional:
                    return
                raise PluginError(module, path)
            wrapped = functools.wraps(original)(lambda *args, **kwargs: function(module, original, *args, **kwargs))
            static = isinstance(vars(owner).get(name), staticmethod)
            setattr(owner, name, staticmethod(wrapped) if static else wrapped)

        return hook

    return decorate


def _discovers_entry_points() -> bool:
    import lm_eval.api.registry as registry

    return hasattr(registry, "import_plugins")


def register_model(models: ModuleType) -> None:
    """`--model s2`. A placeholder: nothing is imported before the model is asked for."""
    if _discovers_entry_points():
        return
    from lm_eval.api import registry

    if not hasattr(registry, "model_registry"):
        raise PluginError(registry, "model_registry")
    registry.model_registry.register("s2", target=MODEL)


def register_metrics(metrics: ModuleType) -> None:
    """`metric: s2_rouge1` … in anybody's YAML; lm-eval's own metrics are registered at this point."""
    if not _discovers_entry_points():
        import s2eval.tasks.lm_eval_metrics  # noqa: F401  (its decorators register)


@_around("TaskIndex.build")
def add_task_folder(
    index: ModuleType, build: Callable[..., object], paths: Iterable[Path], **options: object
) -> object:
    """Scan our task folders after lm-eval's own and before the user's `--include_path`, which wins."""
    from s2eval.tasks import folders

    theirs = Path(index.__file__ or "").parent
    scanned = [Path(path) for path in paths]
    if theirs in scanned:
        after = scanned.index(theirs) + 1
        scanned[after:after] = [own for own in folders() if own not in scanned]
    return build(scanned, **options)


@_around("TaskManager.match_tasks")
def match_each_task_once(
    _: ModuleType, match: Callable[..., list[str]], manager: _TaskManager, task_list: list[str]
) -> list[str]:
    """A pattern such as `s2_*` names a group and its members; run the members once, through the group.

    lm-eval 0.4.13 rejects a task that is named alone and inside a group. It concerns our names only.
    """
    return without_covered(match(manager, task_list), manager.task_index)


def without_covered(names: list[str], index: Mapping[str, _TaskIndexEntry]) -> list[str]:
    """Drop every name of ours (task, group or tag) whose documents the other `names` already bring.

    A group covers what its `task:` lists; a task what its YAML names in `metadata: covers:` (patterns), as `s2_mmlu`
    its subjects; a tag is covered by its members.
    """
    ours = [name for name in names if name.startswith(OURS)]
    patterns: set[str] = set()
    covered: set[str] = set()
    for name in ours:
        config: Mapping[str, Json] = getattr(index.get(name), "cfg", None) or {}
        metadata = config.get("metadata")
        if "group" in config:
            patterns |= _texts(config.get("task"))
        elif not config and index[name].tags <= set(names):
            covered.add(name)
        patterns |= _texts(metadata.get("covers")) if isinstance(metadata, dict) else set()
    covered.update(name for name in ours if any(fnmatchcase(name, pattern) for pattern in patterns))
    return [name for name in names if name not in covered]


def _texts(listed: Json) -> set[str]:
    return {text for text in listed if isinstance(text, str)} if isinstance(listed, list) else set()


@_around("stderr_for_metric")
def use_own_stderr(
    _: ModuleType, stderr_for_metric: Callable[..., object], metric: object, bootstrap_iters: int
) -> object:
    """An aggregation that carries `stderr` (a function of the same items) gives its own standard error.

    lm-eval knows a fixed list of aggregations and prints N/A for all others.
    """
    own = getattr(metric, "stderr", None)
    if own is None:
        return stderr_for_metric(metric=metric, bootstrap_iters=bootstrap_iters)
    return own if bootstrap_iters > 0 else None


@_around("EvaluatorConfig.process_tasks")
def choose_default_model(
    _: ModuleType, process_tasks: Callable[..., object], config: _EvaluatorConfig, *args: object, **kwargs: object
) -> object:
    """`lm_eval --tasks 's2_*'` without any model evaluates the embedded one, and logs that.

    lm-eval's default model, `hf`, cannot start without `pretrained`; only that case is touched, and only
    where every task is ours.
    """
    result = process_tasks(config, *args, **kwargs)
    ours = all(isinstance(task, str) and task.startswith(OURS) for task in config.tasks)
    if config.model == "hf" and not (config.model_args or {}).get("pretrained") and ours:
        log.warning("no model named: evaluating the embedded smollm2 (--model s2)")
        config.model = "s2"
    return result


@_around("get_git_commit_hash", optional=True)
def find_commit_quietly(utils: ModuleType, _: Callable[..., object]) -> str | None:
    """The commit of the working folder, for lm-eval's results, without git's `fatal: not a git repository`."""
    try:
        return subprocess.run(
            ["git", "describe", "--always"], capture_output=True, check=True, text=True
        ).stdout.strip()
    except (subprocess.CalledProcessError, OSError):  # no repository, or no git
        return utils.get_commit_from_path(Path.cwd())
