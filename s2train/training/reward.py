"""Reward models: a base or an SFT checkpoint with a head of one number, by TRL's RewardTrainer.

-log σ(r(x, y_w) - r(x, y_l) - m), and with `arguments.center_rewards_coefficient` c the term c (r_w + r_l)²: Ouyang et
al. 2022 (arXiv 2203.02155), equation 1; Touvron et al. 2023 (arXiv 2307.09288), equation 2; Eisenstein et al. 2023
(arXiv 2312.09244). The score is read at the last token that is no padding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s2eval import store
from s2train.data.preferences import PreferenceLine
from s2train.training import calibration, config, rows
from s2train.training.calibration import HELD_OUT, Judged
from s2train.training.job import files_of_aspect
from s2train.training.kind import Job, Kind
from s2train.training.rows import Encoder, Rows

CALIBRATION = "calibration"  # .json, .svg


def _arguments() -> type:
    from trl import RewardConfig  # pyright: ignore[reportPrivateImportUsage]

    return RewardConfig


def _rows(settings: Any, encoder: Encoder, lines: Iterable[Any]) -> Rows:
    return rows.compared(encoder, lines, settings.margin, settings.data.aspect)


def _trainer() -> type:
    from s2train.training.trainers import Reward

    return Reward


def scores(model: Any, sequences: Sequence[Sequence[int]], padding: int, batch: int) -> list[float]:
    """Rewards of token sequences, in their order; padded on the right, sequences of like length together."""
    import torch

    found = [0.0] * len(sequences)
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    training = model.training
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            width = max(len(sequences[number]) for number in some)
            tokens = torch.full((len(some), width), padding)
            mask = torch.zeros_like(tokens)
            for place, number in enumerate(some):
                length = len(sequences[number])
                tokens[place, :length] = torch.as_tensor(sequences[number])
                mask[place, :length] = 1
            rewards = model(input_ids=tokens.to(model.device), attention_mask=mask.to(model.device)).logits[:, 0]
            for number, reward in zip(some, rewards.float().tolist(), strict=True):
                found[number] = reward
    model.train(training)
    return found


def judged(job: Job, model: Any) -> list[Judged]:
    """The held-out pairs with their rewards."""
    side, batch = job.validation, job.arguments.per_device_eval_batch_size
    padding = job.tokenizer.pad_token_id
    halves = [side.columns[name] for name in ("chosen_ids", "rejected_ids")]
    rewards = [scores(model, half, padding, batch) for half in halves]
    tokens = [[len(sequence) for sequence in half] for half in halves]
    return [Judged(*values) for values in zip(side.prompts, side.sources, *rewards, *tokens, strict=True)]


def _conclude(job: Job, trainer: Any, folder: Path) -> dict[str, float]:
    if not len(job.validation):
        return {}
    pairs = judged(job, trainer.model)
    with store.write_atomically(folder / HELD_OUT) as file:
        file.writelines(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    found = calibration.bins(pairs)
    store.write_json(folder / f"{CALIBRATION}.json", calibration.table(found))
    calibration.draw(found, folder / f"{CALIBRATION}.svg")
    return calibration.metrics(pairs, job.config.gate)


KIND = Kind(
    name="reward",
    config=config.Reward,
    task="SEQ_CLS",
    line=PreferenceLine,
    arguments=_arguments,
    defaults={"eval_strategy": "epoch", "logging_steps": 10},
    file=files_of_aspect,
    rows=_rows,
    trainer=_trainer,
    conclude=_conclude,
    halves=2,
)
