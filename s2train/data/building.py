"""Sets built from inputs by one call: `s2train data` and `s2train.build_data`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval.errors import UsageError
from s2eval.registry import Registry
from s2train.data import layout

if TYPE_CHECKING:
    from s2train.data.build.manifest import Manifest
    from s2train.data.config import DataConfig
    from s2train.data.engine import Engine


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a folder.

    Attributes:
        out: the folder, usable as `S2_DATA_DIR`.
        manifest: what is in its sets, and what was left out and why.
        evaluations: the folder whose evaluation sets were kept out of training.
    """

    out: Path
    manifest: Manifest
    evaluations: Path


Reader = Callable[[Sequence[str], Path, "DataConfig", "Engine", str], None]


@dataclass(frozen=True, slots=True)
class DataSource:
    """A kind of inputs; each is a command of `s2train data`.

    Attributes:
        name: of the command.
        help, example: of the command.
        read: (inputs, folder, configuration, engine, command) → the folder's candidates.
        sets: the sets or aspects that are made of it.
    """

    name: str
    help: str
    example: str
    read: Reader
    sets: Callable[[], Sequence[str]]


def build_data(
    kind: str,
    inputs: Sequence[str | Path] = (),
    *,
    out: str | Path,
    config: str | Path | None = None,
    validation_share: float | None = None,
    seed: int | None = None,
    evaluations: str | Path | None = None,
    engine: str = "local",
    processes: int | None = None,
) -> Built:
    """Read inputs and build the sets of a folder in the layout of `S2_DATA_DIR`.

    Args:
        kind: a name in `SOURCES`: `eli5`, `wiki` or `preferences`.
        inputs: files; without any the set is built again from what was read before.
        out: the folder.
        config: YAML; by default what the folder was built with last.
        validation_share: of the questions that go to validation.
        seed: another seed draws another split.
        evaluations: folder of sets to keep out of training; by default `S2_DATA_DIR`, or `out`.
        engine: `local`, or `ray` for a cluster.
        processes: on this machine; by default one a CPU.

    Raises:
        UsageError: no input, or no such kind.
        DataError: an input that cannot be read.
    """
    from s2train.data.engine import open_engine

    folder = Path(out)
    settings = settings_of(folder, Path(config) if config else None, validation_share, seed)
    runner = open_engine(engine, processes)
    read_inputs(kind, [str(path) for path in inputs], folder, settings, runner)
    return build_sets(folder, settings, runner, Path(evaluations) if evaluations else None)


def settings_of(out: Path, path: Path | None, share: float | None, seed: int | None) -> DataConfig:
    """The configuration of the file, else of the folder, else the default, with the split's options."""
    from s2train.data import config
    from s2train.data.build import manifest

    if path is not None:
        chosen = config.load(path)
    else:
        earlier = manifest.read(out)
        chosen = earlier.configuration if earlier else config.DataConfig()
    split = {name: value for name, value in (("validation_share", share), ("seed", seed)) if value is not None}
    return chosen.model_copy(update={"split": chosen.split.model_copy(update=split)})


def read_inputs(
    kind: str, inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine, command: str | None = None
) -> None:
    """Read the inputs of a kind into the folder's candidates, where there are any.

    Raises:
        UsageError: there are none, and none were read before.
    """
    SOURCES.find(kind).read(inputs, out, settings, engine, command or kind)


def _read_eli5(inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine, command: str) -> None:
    from s2train.data.build.candidates import read_eli5

    if _given("eli5", inputs, out, command):
        read_eli5(list(inputs), out, settings, engine)


def _read_wiki(inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine, command: str) -> None:
    from s2train.data.build.candidates import read_wiki

    if _given("wiki", inputs, out, command):
        read_wiki(list(inputs), out, settings, engine)


def _read_preferences(inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine, command: str) -> None:
    from s2train.data.build.candidates import pairs_of
    from s2train.data.preferences import read_preferences
    from s2train.data.questions import written

    joined = layout.candidates(out, layout.REDDIT)
    if not inputs and joined.is_file():
        inputs = [str(joined)]
    if not inputs and not list((out / layout.PREFERENCES).glob("*.jsonl")):
        raise UsageError(f"no input; name it with --input FILE. See: s2train data {command} --help")
    if inputs:
        asked: Mapping[str, Any] = written.read(out) or {}
        titles = pairs_of(out, "wiki") if asked else ()
        questions = {pair.extra["title"]: asked[pair.id].question for pair in titles if pair.id in asked}
        read_preferences(list(inputs), out, settings.preferences, engine, questions)


def _given(name: str, inputs: Sequence[str], out: Path, command: str) -> bool:
    if not inputs and not layout.candidates(out, name).is_file():
        raise UsageError(f"no input; name it with --input FILE. See: s2train data {command} --help")
    return bool(inputs)


def _aspects() -> Sequence[str]:
    from s2train.data.preferences import ASPECTS

    return ASPECTS


SOURCES = Registry(
    "kind of data",
    [
        DataSource(
            "eli5",
            "ELI5: questions with their best-voted answers, from records of the ELI5 schema or Reddit's dumps.",
            "s2train data eli5 --input RC_2019-01.zst RS_2019-01.zst --out data",
            _read_eli5,
            lambda: ["eli5"],
        ),
        DataSource(
            "wiki",
            "Simple Wikipedia: leads, from MediaWiki's XML dump, parquet of the hub, or {title, text} records.",
            "s2train data wiki --input simplewiki.xml.bz2 --out data",
            _read_wiki,
            lambda: ["wiki"],
        ),
        DataSource(
            "preferences",
            "Preferences, one file an aspect: helpfulness and simplicity from ELI5's votes (by default of the dumps "
            "that `s2train data eli5` has read), simplicity from Simple and regular leads, harmlessness from hh-rlhf's "
            "files.",
            "s2train data preferences --out data",
            _read_preferences,
            _aspects,
        ),
    ],
    see="s2train data --help",
)


def build_sets(out: Path, settings: DataConfig, engine: Engine, evaluations: Path | None = None) -> Built:
    """Build the sets of a folder from what was read.

    Raises:
        UsageError: the folder of evaluation sets does not exist.
    """
    from s2train.data.build.sets import build
    from s2train.data.dedup import evaluations as sets

    folder = evaluations or Path(os.environ.get("S2_DATA_DIR") or out)
    if not folder.is_dir() and evaluations is not None:
        raise UsageError(f"--evaluations {evaluations}: no such folder")
    kept_out = sets.evaluations(folder if folder.is_dir() else None, without=(*layout.SETS, layout.FULL))
    return Built(out, build(out, settings, engine, kept_out), folder)
