"""Proximal policy optimisation, by `s2train.ppo`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from s2train.ppo import forecast
from s2train.ppo.config import Ppo
from s2train.ppo.job import Job, prepare


class PpoTraining:
    """See `Training`."""

    def configuration(self) -> type[Ppo]:
        return Ppo

    def prepare(self, config: Ppo, where: str) -> Job:
        return prepare(config, where)

    def forecast(self, job: Job) -> Iterable[str]:
        return forecast.lines(job)

    def run(self, job: Job, fresh: bool) -> Mapping[str, float]:
        from s2train.ppo.run import run

        return run(job, fresh=fresh)


TRAINING = PpoTraining()
