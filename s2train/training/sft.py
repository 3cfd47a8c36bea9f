"""Supervised fine-tuning: -Σ log π(answer | prompt) over the answers' tokens, by TRL's SFTTrainer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2train.data.records import PairLine
from s2train.training import config, rows
from s2train.training.job import files_of_set
from s2train.training.kind import Job, Kind
from s2train.training.rows import Encoder, Rows


def _arguments() -> type:
    from trl import SFTConfig  # pyright: ignore[reportPrivateImportUsage]

    return SFTConfig


def _rows(_: Any, encoder: Encoder, lines: Iterable[Any]) -> Rows:
    return rows.answered(encoder, lines)


def answers(job: Job) -> list[Any]:
    """The callback that writes `generations.jsonl`, if answers are asked for and there are questions."""
    from s2train.training.trainers import Answers

    wanted, side = job.config.generations, job.validation
    if not wanted.prompts or not len(side):
        return []
    prompts, references = side.prompts[: wanted.prompts], side.answers[: wanted.prompts]
    return [Answers(job.work, job.tokenizer, prompts, references, wanted.max_tokens, job.template.stop)]


def _trainer(job: Job, model: Any, adapter: Any, sides: Mapping[str, Any], callbacks: Sequence[Any]) -> Any:
    from s2train.training.trainers import Sft

    if not job.arguments.packing:  # rows are cut already; without it TRL would refuse padding_free
        job.arguments.max_length = None
    return Sft(
        model=model,
        args=job.arguments,
        processing_class=job.tokenizer,
        peft_config=adapter,
        callbacks=[*callbacks, *answers(job)],
        **sides,
    )


def _conclude(job: Job, trainer: Any, folder: Path) -> dict[str, float]:  # noqa: ARG001
    return {}


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
    conclude=_conclude,
)
