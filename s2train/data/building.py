"""Sets built from inputs by one call: `s2train data` and `s2train.build_data`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval.errors import UsageError
from s2eval.registry import Registry
from s2train.data import layout

if TYPE_CHECKING:
    from s2train.data.build.manifest import Manifest
    from s2train.data.config import DataConfig
    from s2train.data.engine import Engine


@dataclass(frozen=True, slots=True)
class Built:
    """A folder that was built.

    Attributes:
        out: the folder, usable as `S2_DATA_DIR`.
        manifest: what is in its sets, and what was left out and why.
        evaluations: the folder whose evaluation sets were kept out of training.
    """

    out: Path
    manifest: Manifest
    evaluations: Path


@dataclass(frozen=True, slots=True)
class DataSource:
    """A kind of inputs; each is a command of `s2train data`.

    Attributes:
        read: (inputs, folder, configuration, engine) → the folder's candidates.
        default_inputs: what is read where no input is named.
        was_read: whether a folder has what an earlier command read.
        sets: the sets or aspects that are made of it.
    """

    name: str
    help: str
    example: str
    read: Callable[[Sequence[str], Path, DataConfig, Engine], None]
    default_inputs: Callable[[Path], Sequence[str]]
    was_read: Callable[[Path], bool]
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
        settings = config.load(path)
    else:
        earlier = manifest.read(out)
        settings = earlier.configuration if earlier else config.DataConfig()
    split = {name: value for name, value in (("validation_share", share), ("seed", seed)) if value is not None}
    return settings.model_copy(update={"split": settings.split.model_copy(update=split)})


def read_inputs(
    kind: str, inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine, command: str | None = None
) -> None:
    """Read the inputs of a kind into the folder's candidates; without any, those of an earlier command stay.

    Raises:
        UsageError: there are none, and none were read before.
    """
    source = SOURCES.find(kind)
    if inputs := inputs or source.default_inputs(out):
        source.read(inputs, out, settings, engine)
    elif not source.was_read(out):
        raise UsageError(f"no input; name it with --input FILE. See: s2train data {command or kind} --help")


def build_sets(out: Path, settings: DataConfig, engine: Engine, evaluations: Path | None = None) -> Built:
    """Build the sets of a folder from what was read.

    Raises:
        UsageError: the folder of evaluation sets does not exist.
    """
    from s2train.data.build.sets import build
    from s2train.data.dedup.evaluations import read_evaluations

    folder = evaluations or Path(os.environ.get("S2_DATA_DIR") or out)
    if evaluations is not None and not folder.is_dir():
        raise UsageError(f"--evaluations {evaluations}: no such folder")
    sets = read_evaluations(folder if folder.is_dir() else None, without=(*layout.SETS, layout.FULL))
    return Built(out, build(out, settings, engine, sets), folder)


# --- the kinds ---


def _read_eli5(inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine) -> None:
    from s2train.data.build.candidates import read_eli5

    read_eli5(inputs, out, settings, engine)


def _read_wiki(inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine) -> None:
    from s2train.data.build.candidates import read_wiki

    read_wiki(inputs, out, settings, engine)


def _read_preferences(inputs: Sequence[str], out: Path, settings: DataConfig, engine: Engine) -> None:
    from s2train.data.build.candidates import pairs_of
    from s2train.data.preferences import read_preferences
    from s2train.data.questions import written

    by_id = written.read(out) or {}
    articles = pairs_of(out, "wiki") if by_id else ()
    questions = {pair.extra_text("title"): by_id[pair.id].question for pair in articles if pair.id in by_id}
    read_preferences(inputs, out, settings.preferences, engine, questions)


def _aspects() -> Sequence[str]:
    from s2train.data.preferences import ASPECTS

    return ASPECTS


def _joined_dumps(out: Path) -> list[str]:
    path = layout.candidates(out, layout.REDDIT)
    return [str(path)] if path.is_file() else []


SOURCES = Registry(
    "kind of data",
    [
        DataSource(
            "eli5",
            "ELI5: questions with their best-voted answers, from records of the ELI5 schema or Reddit's dumps.",
            "s2train data eli5 --input RC_2019-01.zst RS_2019-01.zst --out data",
            _read_eli5,
            lambda _: [],
            lambda out: layout.candidates(out, "eli5").is_file(),
            lambda: ["eli5"],
        ),
        DataSource(
            "wiki",
            "Simple Wikipedia: leads, from MediaWiki's XML dump, parquet of the hub, or {title, text} records.",
            "s2train data wiki --input simplewiki.xml.bz2 --out data",
            _read_wiki,
            lambda _: [],
            lambda out: layout.candidates(out, "wiki").is_file(),
            lambda: ["wiki"],
        ),
        DataSource(
            "preferences",
            "Preferences, one file an aspect: helpfulness and simplicity from ELI5's votes (by default of the dumps "
            "that `s2train data eli5` has read), simplicity from Simple and regular leads, harmlessness from hh-rlhf's "
            "files.",
            "s2train data preferences --out data",
            _read_preferences,
            _joined_dumps,
            lambda out: any((out / layout.PREFERENCES).glob("*.jsonl")),
            _aspects,
        ),
    ],
    see="s2train data --help",
)
