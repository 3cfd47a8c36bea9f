"""The data configuration, `s2train data … --config FILE.yaml`; every key has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from s2eval.files import yamlfile
from s2train.data.build.split import DEFAULT_SEED, DEFAULT_SHARE
from s2train.data.dedup.duplicates import THRESHOLD
from s2train.data.eli5 import reddit
from s2train.data.filters.config import Filters
from s2train.data.preferences import PreferenceSettings
from s2train.data.questions.writing import QuestionSettings
from s2train.data.wiki.text import Limits


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Split(_Section):
    """Which questions are held out; see `split.side`."""

    validation_share: float = Field(default=DEFAULT_SHARE, ge=0, le=1)
    seed: int = DEFAULT_SEED


class NearDuplicates(_Section):
    """Pairs of one set that repeat an earlier pair: what is compared (`pair`: question and answer as one text; `none`:
    nothing is dropped), and the Jaccard similarity of the texts' shingles from which two are the same."""

    of: Literal["answer", "question", "pair", "none"] = "answer"
    threshold: float = Field(default=THRESHOLD, ge=THRESHOLD, le=1)


class Contamination(_Section):
    """Training pairs that share words in a row with an evaluation set; `drop` false = they are only reported."""

    drop: bool = True


class Reddit(_Section):
    """How Reddit's dumps are read; see `reddit.joined`."""

    subreddits: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], ...] = reddit.SUBREDDITS
    broken_share: float = Field(default=reddit.BROKEN_SHARE, ge=0, le=1)

    @field_validator("subreddits")
    @classmethod
    def _some(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("no subreddit is named")
        return names


class DataConfig(_Section):
    """All that decides, with the inputs, what a folder of sets holds."""

    split: Split = Split()
    filters: Filters = Filters()
    near_duplicates: NearDuplicates = NearDuplicates()
    contamination: Contamination = Contamination()
    reddit: Reddit = Reddit()
    wiki: Limits = Limits()  # of MediaWiki's XML dump
    questions: QuestionSettings = QuestionSettings()
    preferences: PreferenceSettings = PreferenceSettings()


def load(path: Path) -> DataConfig:
    """Read and check a file; raise ConfigError with all that is wrong in it."""
    return yamlfile.load(path, DataConfig, "filters: and split:")
