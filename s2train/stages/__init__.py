"""The stages of training: a table of `s2train`'s commands, and `train`, which runs one.

A stage is a file here and a line in `STAGES`. A package adds its own by an entry point whose value is a `Stage`:

    [project.entry-points."s2train.stages"]
    distil = "my_package:DISTIL"        # Stage("distil", "Learn from a teacher.", "my_package.distil:TRAINING")

The command, its help and its `--dry-run` follow. `TRAINING` is a `TrlTraining`, where one of TRL's trainers does the
work, or any other `Training`; it is imported when the stage is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from s2eval.registry import Registry

if TYPE_CHECKING:
    from pydantic import BaseModel

    from s2train.training.job import Training

__all__ = ["STAGES", "Stage", "Trained", "commands", "load", "train", "training_for"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the command line shows of a stage, and where the rest is.

    Attributes:
        name: `kind` in the `s2train.json` that it writes, too.
        help: a sentence.
        reference: `module:NAME` of its `Training`.
        command: of which it is the `algorithm:`; empty where it is a command itself.
    """

    name: str
    help: str
    reference: str
    command: str = ""

    @property
    def training(self) -> Training[Any]:
        """Its configuration, and what is done with it; imported here."""
        return resolve_name(self.reference)


STAGES = Registry(
    "stage",
    [
        Stage(name, text, f"s2train.stages.{name}:TRAINING", command)
        for name, command, text in (
            ("sft", "", "Fine-tune on questions and answers; the same command resumes."),
            ("reward", "", "Train a reward model on pairs of answers, and measure how far to believe it."),
            ("dpo", "", "Optimise preferences directly on pairs of answers."),
            ("ppo", "", "Let a policy answer, reward its answers by reward models, and learn from that."),
            ("rloo", "ppo", "PPO's data and rewards with RLOO."),
            ("grpo", "ppo", "PPO's data and rewards with GRPO."),
        )
    ],
    group="s2train.stages",
    see="s2train --help",
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A training that ended: its checkpoint's folder, and name → value of the last evaluation."""

    out: Path
    metrics: Mapping[str, float]


def commands() -> list[Stage]:
    """The stages that are commands of `s2train`."""
    return [stage for stage in STAGES.values() if not stage.command]


def training_for(stage: Stage, algorithm: object) -> Training[Any]:
    """The training of a command's algorithm; the command's own where it is none of the others."""
    other = STAGES.get(algorithm) if isinstance(algorithm, str) else None
    return (other if other and other.command == stage.name else stage).training


def load(stage: Stage, config: Path | Mapping[str, object], assignments: Iterable[str] = ()) -> BaseModel:
    """Read and check a configuration with its overrides; ConfigError with every error of both, each on a line."""
    from s2eval.files import yamlfile
    from s2eval.files.yamltext import Document
    from s2eval.overrides import override, override_document

    if isinstance(config, Path):
        document, where = yamlfile.read(config, "model:, data: and out:"), str(config)
    else:
        document, where = Document(dict(config), {}), stage.name
    overrides = list(assignments)
    chosen, _ = override(document.value, [text for text in overrides if text.startswith("algorithm=")])
    model = training_for(stage, chosen.get("algorithm")).configuration()
    raw, marks, problems = override_document(document, overrides, model)
    return yamlfile.check(raw, model, where, marks, more=problems)


def train(
    stage: str,
    config: str | Path | Mapping[str, object],
    overrides: Mapping[str, object] | Iterable[str] = (),
    *,
    fresh: bool = False,
    log: Callable[[str], object] = lambda _: None,
) -> Trained:
    """Run a stage; called again, it resumes or finds the checkpoint complete.

    Args:
        stage: a name of `STAGES`.
        config: the recipe's YAML, or what it holds.
        overrides: dotted key → value, or `key=value` as on the command line.
        fresh: start again, and replace what exists.
        log: called with each line of what is to be done.

    Raises:
        UnknownNameError: no such stage.
        ConfigError: with every error of the recipe.
        PrerequisiteError: memory, disk, a model or data are missing.
    """
    chosen = STAGES.find(stage)
    if isinstance(overrides, Mapping):
        overrides = [
            f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in overrides.items()
        ]
    recipe = Path(config) if isinstance(config, str) else config
    settings = load(chosen, recipe, overrides)
    training = training_for(chosen, getattr(settings, "algorithm", None))
    job = training.prepare(settings, str(recipe) if isinstance(recipe, Path) else stage)
    for line in job.lines():
        log(line)
    return Trained(job.out, training.run(job, fresh))
