"""Supervised fine-tuning: -Σ log π(answer | prompt) over the answers' tokens, by TRL's SFTTrainer."""

from __future__ import annotations

from functools import partial
from pkgutil import resolve_name

from s2train.data.records import PairLine
from s2train.training import rows
from s2train.training.config import Generations, Pairs, StageConfig
from s2train.training.job import TrlTraining
from s2train.training.preparation import files_of_set


class Sft(StageConfig):
    """`s2train sft`."""

    data: Pairs
    generations: Generations = Generations.model_validate({})


TRAINING = TrlTraining(
    name="sft",
    summary="supervised fine-tuning: the loss is the mean negative log-likelihood of the answers' tokens",
    config=Sft,
    task="CAUSAL_LM",
    line=PairLine,
    arguments=partial(resolve_name, "trl:SFTConfig"),
    defaults={"packing": True, "eval_strategy": "epoch", "logging_steps": 10},
    files=files_of_set,
    rows=lambda _, encoder, lines: rows.answered(encoder, lines),
    trainer=partial(resolve_name, "s2train.training.trainers:Sft"),
)
