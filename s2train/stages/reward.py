"""Reward models: a base or an SFT checkpoint with a head of one number, by TRL's RewardTrainer.

-log σ(r(x, y_w) - r(x, y_l) - m), and with `arguments.center_rewards_coefficient` c the term c (r_w + r_l)²: Ouyang et
al. 2022 (arXiv 2203.02155), equation 1; Touvron et al. 2023 (arXiv 2307.09288), equation 2; Eisenstein et al. 2023
(arXiv 2312.09244). The score is read at the last token that is no padding.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pydantic import Field

from s2eval import store
from s2train.data.preferences import PreferenceLine
from s2train.training import calibration, rows
from s2train.training.calibration import HELD_OUT, Judged
from s2train.training.config import Preferences, StageConfig
from s2train.training.job import Job, TrlTraining
from s2train.training.preparation import files_of_aspect
from s2train.training.scores import reward_scores

CALIBRATION = "calibration"  # .json, .svg


class Reward(StageConfig):
    """`s2train reward`.

    Attributes:
        margin: the loss demands the rows' margins times this; 0 = none.
        gate: accuracy on held-out pairs from which PPO may use it.
    """

    data: Preferences
    margin: float = Field(0.0, ge=0)
    gate: float = Field(calibration.GATE, ge=0, le=1)


def _measure(job: Job, trainer: Any, folder: Path) -> dict[str, float]:
    side, batch = job.validation, job.arguments.per_device_eval_batch_size
    if not len(side):
        return {}
    halves = [side.columns[name] for name in ("chosen_ids", "rejected_ids")]
    rewards = [reward_scores(trainer.model, half, job.tokenizer.pad_token_id, batch) for half in halves]
    tokens = [[len(sequence) for sequence in half] for half in halves]
    pairs = [Judged(*values) for values in zip(side.prompts, side.sources, *rewards, *tokens, strict=True)]
    with store.write_atomically(folder / HELD_OUT) as file:
        file.writelines(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    bins = calibration.bins(pairs)
    store.write_json(folder / f"{CALIBRATION}.json", calibration.table(bins))
    calibration.draw(bins, folder / f"{CALIBRATION}.svg")
    return calibration.metrics(pairs, job.config.gate)


TRAINING = TrlTraining(
    name="reward",
    summary="a reward model: -log σ(r_chosen - r_rejected) of pairs; it gives a number to a prompt with an answer",
    config=Reward,
    task="SEQ_CLS",
    line=PreferenceLine,
    arguments=partial(resolve_name, "trl:RewardConfig"),
    defaults={"eval_strategy": "epoch", "logging_steps": 10},
    files=files_of_aspect,
    rows=lambda settings, encoder, lines: rows.compared(encoder, lines, settings.margin, settings.data.aspect),
    trainer=partial(resolve_name, "s2train.training.trainers:Reward"),
    on_train_end=_measure,
    sequences_per_row=2,
)
