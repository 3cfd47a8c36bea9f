"""Supervised fine-tuning: -Σ log π(answer | prompt) over the answers' tokens, by TRL's SFTTrainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2train.data.records import PairLine
from s2train.training import rows
from s2train.training.config import Generations, Pairs, StageConfig
from s2train.training.job import TrlTraining
from s2train.training.preparation import files_of_set
from s2train.training.rows import Encoder, Rows


class Sft(StageConfig):
    """`s2train sft`."""

    data: Pairs
    generations: Generations = Generations.model_validate({})


def _arguments() -> type:
    from trl import SFTConfig  # pyright: ignore[reportPrivateImportUsage]

    return SFTConfig


def _rows(_: Any, encoder: Encoder, lines: Iterable[Any]) -> Rows:
    return rows.answered(encoder, lines)


def _trainer() -> type:
    from s2train.training import trainers

    return trainers.Sft


TRAINING = TrlTraining(
    name="sft",
    summary="supervised fine-tuning: the loss is the mean negative log-likelihood of the answers' tokens",
    config=Sft,
    task="CAUSAL_LM",
    line=PairLine,
    arguments=_arguments,
    defaults={"packing": True, "eval_strategy": "epoch", "logging_steps": 10},
    files=files_of_set,
    rows=_rows,
    trainer=_trainer,
)
