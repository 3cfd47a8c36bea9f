"""What `import s2train` offers: each command as a function. Merging is in `s2train.merge`, data in `s2train.data`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2train.data.building import Built, build_data

if TYPE_CHECKING:
    from s2train.label.report import Report

__all__ = ["Built", "Trained", "build_data", "label", "train"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A training that ended.

    Attributes:
        out: the checkpoint's folder.
        metrics: name → value, of the last evaluation.
    """

    out: Path
    metrics: Mapping[str, float]


def train(
    stage: str,
    config: str | Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    fresh: bool = False,
    log: Callable[[str], object] = lambda _: None,
) -> Trained:
    """Run a stage of training; called again, it resumes or finds the checkpoint complete.

    Args:
        stage: `sft`, `reward`, `dpo` or `ppo`.
        config: the recipe's YAML.
        overrides: dotted key → value, as `{"out": "runs/sft", "arguments.max_steps": 10}`.
        fresh: start again, and replace what exists.
        log: is given each line of what is to be done.

    Raises:
        UnknownNameError: no such stage.
        ConfigError: with every error of the recipe.
        PrerequisiteError: memory, disk, a model or data are missing.
    """
    from s2eval.errors import UnknownNameError
    from s2train.training.stages import STAGES, load

    if stage not in STAGES:
        raise UnknownNameError("stage", stage, STAGES)
    given = [
        f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in (overrides or {}).items()
    ]
    settings = load(STAGES[stage], Path(config), given)
    chosen = STAGES[stage].of(getattr(settings, "algorithm", None))
    job = chosen.prepare(settings, str(config))
    for line in job.lines():
        log(line)
    metrics = chosen.run(job, fresh)
    return Trained(Path(job.out), metrics)


def label(
    *,
    policy: str,
    rank: str | Sequence[str],
    out: str | Path,
    prompts: str | Path | None = None,
    data: str | Path | None = None,
    set_name: str = "eli5",
    side: str = "train",
    sampling: Mapping[str, Any] | None = None,
    log: Callable[[str], object] = lambda _: None,
    **options: Any,
) -> Report:
    """Sample answers, rank them, and write preferences; called again, it resumes.

    Args:
        policy: MODEL that answers.
        rank: `reward:FOLDER[*WEIGHT][+reward:…]` or `dpo:FOLDER[@REFERENCE]`; the first labels, others are compared.
        out: file of preferences.
        prompts: JSON lines with a field prompt or question; or
        data, set_name, side: a folder of `s2train data`, one of its sets and sides.
        sampling: fields of `s2train.label.sampling.Sampling`.
        log: is given each line of what is to be done.
        options: further fields of `s2train.label.job.Request`, such as `answers`, `limit`, `aspect`.

    Returns:
        How far the rankings agree.
    """
    from s2train.label import job as jobs
    from s2train.label.run import run
    from s2train.label.sampling import Sampling

    job = jobs.prepare(
        jobs.Request(
            prompts=jobs.sources(Path(prompts) if prompts else None, Path(data) if data else None, set_name, side),
            policy=policy,
            rankings=(rank,) if isinstance(rank, str) else tuple(rank),
            out=Path(out).expanduser(),
            how=Sampling(**(sampling or {})),
            **options,
        )
    )
    for line in job.lines():
        log(line)
    return run(job, lambda *_: None)
