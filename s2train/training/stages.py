"""The stages that can be trained, in one table: name → configuration → what does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, create_model

from s2eval import yamlfile
from s2eval.overrides import override, override_document
from s2train.ppo import forecast as ppo_forecast
from s2train.ppo import job as ppo_job
from s2train.ppo.config import Ppo
from s2train.training import arguments, dpo, forecast, online, reward, run, sft
from s2train.training import job as jobs
from s2train.training.kind import Job, Kind


@dataclass(frozen=True)
class Stage:
    """A command of `s2train`.

    Attributes:
        config: makes its pydantic model; imports what it must.
        prepare: (configuration, name of the file) → a job, checked; loads no weights. It has `lines()`, what is about
            to happen, and the folders `out` and `work`.
        forecast: (job) → lines of the dry run.
        run: (job, fresh) → what was measured.
        algorithms: others of the same command, by what its configuration calls `algorithm:`.
    """

    config: Callable[[], type[BaseModel]]
    prepare: Callable[[Any, str], Any]
    forecast: Callable[[Any], Iterable[str]]
    run: Callable[[Any, bool], Mapping[str, float]]
    algorithms: Mapping[str, Stage] = field(default_factory=dict[str, "Stage"])

    def of(self, algorithm: object) -> Stage:
        """The stage of that algorithm; this one where it is none of the others."""
        return self.algorithms.get(algorithm, self) if isinstance(algorithm, str) else self


def _with_arguments(kind: Kind) -> type[BaseModel]:
    """The kind's configuration with TRL's fields under `arguments`."""
    model = arguments.model_of(kind.arguments())
    name = kind.config.__name__
    return create_model(name, __base__=kind.config, arguments=(model, model.model_validate({})))


def _stage(kind: Kind) -> Stage:
    def prepare(config: Any, where: str) -> Job:
        return jobs.prepare(kind, config, where)

    def train(job: Job, fresh: bool) -> Mapping[str, float]:
        return run.run(job, fresh=fresh)

    return Stage(cache(lambda: _with_arguments(kind)), prepare, forecast.lines, train)


def _online(kind: Kind) -> Stage:
    def train(job: Job, fresh: bool) -> Mapping[str, float]:
        return run.run(job, fresh=fresh)

    return Stage(cache(lambda: _with_arguments(kind)), partial(online.prepare, kind), online.lines, train)


def _ppo(job: Any, fresh: bool) -> Mapping[str, float]:
    from s2train.ppo import run as ppo_run

    return ppo_run.run(job, fresh=fresh)


STAGES: Mapping[str, Stage] = {
    **{kind.name: _stage(kind) for kind in (sft.KIND, reward.KIND, dpo.KIND)},
    "ppo": Stage(
        lambda: Ppo,
        ppo_job.prepare,
        ppo_forecast.lines,
        _ppo,
        {kind.name: _online(kind) for kind in (online.KIND_RLOO, online.KIND_GRPO)},
    ),
}


def load(stage: Stage, path: Path, assignments: Iterable[str] = ()) -> Any:
    """Read and check a configuration with its overrides.

    Raises:
        ConfigError: with every error of the file and of the overrides, each on a line.
    """
    document, given = yamlfile.read(path, "model:, data: and out:"), list(assignments)
    named, _ = override(document.value, [one for one in given if one.startswith("algorithm=")])
    model = stage.of(named.get("algorithm")).config()
    raw, marks, wrong = override_document(document, given, model)
    return yamlfile.check(raw, model, str(path), marks, more=wrong)
