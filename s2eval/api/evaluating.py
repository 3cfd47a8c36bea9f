"""Models evaluated on tasks: the same engine, folder and resuming as `s2eval run`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2eval.api.run import Run


def evaluate(
    models: str | Path | dict[str, Any] | Sequence[str | dict[str, Any]],
    tasks: str | Sequence[str] | None = None,
    *,
    limit: int | None = None,
    out: str | Path | None = None,
    only: Sequence[str] = (),
    fresh: bool = False,
    keep_going: bool = False,
    quiet: bool = False,
    **config: Any,
) -> Run:
    """Evaluate every model on every task, and report; called again, it resumes.

    Args:
        models: a configuration's path (`run.yaml`), or MODELs as a configuration lists them: `smollm2`, a path or hub
            id, `adapter:PATH@BASE`, or a mapping with `model` and further keys.
        tasks: lm-eval tasks, groups, tags or patterns; a path's configuration has its own.
        limit: documents per task.
        out: run folder; by default the configuration's, else `runs/NAME`.
        only: patterns over `model/task`, model or task.
        fresh: evaluate again what is done.
        keep_going: continue after a unit that failed; `Run.failures` has them.
        quiet: print nothing. What libraries print goes to `.run.log` in the run folder.
        config: further keys of the configuration, such as `template="chat"` or `judges=["smollm2"]`.

    Raises:
        UsageError, PrerequisiteError: before anything is evaluated.
        S2Error: a unit that failed, unless `keep_going`.
    """
    from s2eval.run import engine
    from s2eval.run.log_file import quiet_libraries
    from s2eval.run.progress import Progress
    from s2eval.run.settings import checks, load

    path = Path(models) if isinstance(models, (str, Path)) and Path(models).suffix in (".yaml", ".yml") else None
    listed = [] if path else [models] if isinstance(models, (str, Path, dict)) else list(models)
    parts = [tasks] if isinstance(tasks, str) else tasks or []
    names = [name.strip() for part in parts for name in part.split(",") if name.strip()]
    options = {"tasks": None if tasks is None else names, "limit": limit, **config}
    where = str(path or "evaluate()")
    settings = load(path, [str(m) if isinstance(m, Path) else m for m in listed], options, checks=checks())
    folder = Path(out or settings.out or f"runs/{settings.name}")
    if settings.data_dir is not None:
        os.environ["S2_DATA_DIR"] = settings.data_dir
    planned = engine.plan_run(settings, folder, only, where)
    stream = sys.stderr

    def log(line: str) -> None:
        if not quiet:
            print(line, file=stream, flush=True)

    with quiet_libraries(folder):
        finished = engine.execute(
            planned,
            Progress(planned.chosen, settings, log),
            fresh=fresh,
            keep_going=keep_going,
            resume="the same call of s2eval.evaluate",
        )
    return Run([folder], finished.failures)
