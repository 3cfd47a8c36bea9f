"""Supervised fine-tuning: -Σ log π(answer | prompt) over the answers' tokens, by TRL's SFTTrainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from s2train.data.records import PairLine
from s2train.training import config, rows
from s2train.training.job import files_of_set
from s2train.training.kind import Kind
from s2train.training.rows import Encoder, Rows


def _arguments() -> type:
    from trl import SFTConfig  # pyright: ignore[reportPrivateImportUsage]

    return SFTConfig


def _rows(_: Any, encoder: Encoder, lines: Iterable[Any]) -> Rows:
    return rows.answered(encoder, lines)


def _trainer() -> type:
    from s2train.training.trainers import Sft

    return Sft


KIND = Kind(
    name="sft",
    config=config.Sft,
    task="CAUSAL_LM",
    line=PairLine,
    arguments=_arguments,
    defaults={"packing": True, "eval_strategy": "epoch", "logging_steps": 10},
    file=files_of_set,
    rows=_rows,
    trainer=_trainer,
)
