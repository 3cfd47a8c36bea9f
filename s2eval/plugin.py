"""The only writer to lm-eval: what each of its modules is given once it is loaded (see `s2eval_hook`).

Written against lm-eval 0.4.13. A release that discovers entry points itself (it has
`lm_eval.api.registry.import_plugins`) finds model and metrics by `pyproject.toml`; the first two functions
then stand aside. The others are about behaviour that no entry point offers. Where lm-eval no longer has what
we attach to, `PluginError` says so: better a loud stop than an evaluation with half of the tasks.
"""

from __future__ import annotations

import functools
import logging
import subprocess
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

from s2eval.errors import PrerequisiteError

log = logging.getLogger("s2eval")

MODEL = "s2eval.models.s2:S2LM"
OURS = ("s2_", "s2demo_")


class PluginError(PrerequisiteError, ImportError):
    """lm-eval has changed where s2eval attaches to it."""

    def __init__(self, module: ModuleType, name: str) -> None:
        from importlib.metadata import version

        super().__init__(
            f"s2eval cannot attach to lm-eval {version('lm-eval')}: {module.__name__}.{name} is gone. "
            "Use lm-eval 0.4.13 (pip install lm-eval==0.4.13), or set S2EVAL_HOOK=0 and pass "
            '--include_path "$(s2eval ls tasks --path)"'
        )


def _wrap(module: ModuleType, place: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put what `wrapper` makes of a function in its place: `function` or `Class.method` of `module`."""
    owner: Any = module
    *classes, name = place.split(".")
    for name_of_class in classes:
        owner = getattr(owner, name_of_class, None)
    original = getattr(owner, name, None)
    if original is None:
        raise PluginError(module, place)
    wrapped = functools.wraps(original)(wrapper(original))
    static = isinstance(vars(owner).get(name), staticmethod)
    setattr(owner, name, staticmethod(wrapped) if static else wrapped)


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


def add_task_folder(index: ModuleType) -> None:
    """Scan our task folders after lm-eval's own and before the user's `--include_path`, which wins."""
    from s2eval.tasks import folders as task_folders

    theirs = Path(index.__file__ or "").parent

    def wrapper(build: Callable[..., Any]) -> Callable[..., Any]:
        def build_with_ours(folders: Iterable[Path], **options: Any) -> Any:
            folders = [Path(folder) for folder in folders]
            if theirs in folders:
                after = folders.index(theirs) + 1
                folders[after:after] = [own for own in task_folders() if own not in folders]
            return build(folders, **options)

        return build_with_ours

    _wrap(index, "TaskIndex.build", wrapper)


def match_each_task_once(manager: ModuleType) -> None:
    """A pattern such as `s2_*` names a group and its members; run the members once, through the group.

    lm-eval 0.4.13 refuses a task that is asked for alone and inside a group. It concerns our names only.
    """

    def wrapper(match: Callable[..., list[str]]) -> Callable[..., list[str]]:
        def match_once(self: Any, task_list: list[str]) -> list[str]:
            return without_covered(match(self, task_list), self.task_index)

        return match_once

    _wrap(manager, "TaskManager.match_tasks", wrapper)


def without_covered(names: list[str], index: Any) -> list[str]:
    """Drop every name of ours whose documents the other `names` already bring.

    Args:
        names: names of tasks, groups and tags.
        index: lm-eval's index, name → entry. A group covers what its `task:` lists; a task what its YAML names in
            `metadata: covers:` (patterns), as `s2_mmlu` its subjects; a tag is covered by its members.
    """
    ours = [name for name in names if name.startswith(OURS)]
    patterns: set[str] = set()
    covered: set[str] = set()
    for name in ours:
        config = getattr(index.get(name), "cfg", None) or {}
        if "group" in config:
            patterns.update(task for task in config.get("task", []) if isinstance(task, str))
        elif not config and index[name].tags <= set(names):
            covered.add(name)
        patterns.update((config.get("metadata") or {}).get("covers", []))
    covered.update(name for name in ours if any(fnmatchcase(name, pattern) for pattern in patterns))
    return [name for name in names if name not in covered]


def use_own_stderr(evaluator_utils: ModuleType) -> None:
    """An aggregation that carries `stderr` (a function of the same items) gives its own standard error.

    lm-eval knows a fixed list of aggregations and prints N/A for all others.
    """

    def wrapper(stderr_for_metric: Callable[..., Any]) -> Callable[..., Any]:
        def own_or_theirs(metric: Any, bootstrap_iters: int) -> Any:
            own = getattr(metric, "stderr", None)
            if own is not None:
                return own if bootstrap_iters > 0 else None
            return stderr_for_metric(metric=metric, bootstrap_iters=bootstrap_iters)

        return own_or_theirs

    _wrap(evaluator_utils, "stderr_for_metric", wrapper)


def choose_default_model(evaluate_config: ModuleType) -> None:
    """`lm_eval --tasks 's2_*'` without any model evaluates the embedded one, and says so.

    lm-eval's default model, `hf`, cannot start without `pretrained`; only that case is touched, and only
    where every task is ours.
    """

    def wrapper(process_tasks: Callable[..., Any]) -> Callable[..., Any]:
        def with_default_model(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = process_tasks(self, *args, **kwargs)
            ours = all(isinstance(task, str) and task.startswith(OURS) for task in self.tasks)
            if self.model == "hf" and not (self.model_args or {}).get("pretrained") and ours:
                log.warning("no model named: evaluating the embedded smollm2 (--model s2)")
                self.model = "s2"
            return result

        return with_default_model

    _wrap(evaluate_config, "EvaluatorConfig.process_tasks", wrapper)


def find_commit_quietly(utils: ModuleType) -> None:
    """The commit of the working folder, for lm-eval's results, without git's `fatal: not a git repository`."""

    def wrapper(_: Callable[..., Any]) -> Callable[..., Any]:
        def get_git_commit_hash() -> str | None:
            command = ["git", "describe", "--always"]
            try:
                return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
            except (subprocess.CalledProcessError, OSError):  # no repository, or no git
                return utils.get_commit_from_path(Path.cwd())

        return get_git_commit_hash

    if hasattr(utils, "get_git_commit_hash"):  # a later lm-eval may do without
        _wrap(utils, "get_git_commit_hash", wrapper)
