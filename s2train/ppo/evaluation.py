"""How the policy answers questions that it is not trained on: rewards, readability, length, KL from the reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from s2eval.metrics import flesch_applies, readability
from s2eval.reasoning import opens_reasoning, split
from s2train import losses
from s2train.ppo.experience import by_answer
from s2train.ppo.job import Job
from s2train.ppo.processes import Processes
from s2train.ppo.roles import POLICY, REFERENCE, REWARD, Roles
from s2train.ppo.rollouts import sample
from s2train.training.rows import answer_text

Record = Mapping[str, Any]
MEANS = ("reward", "kl", "words", "fkg", "fre", "tokens", "ended")


@torch.no_grad()
def evaluate(roles: Roles, job: Job, processes: Processes) -> list[Record]:
    """A record of each of the first validation prompts, the same in all processes, which share the work.

    A record has `prompt`, `answer`, `rewards` by name as the models gave them, `reward`, which is their weighted sum
    without penalties, `kl` in nats, `words`, `fkg`, `fre`, `tokens`, `ended`; `fkg` and `fre` are None of an answer
    that is mostly not in Latin letters. Reasoning before the answer is in none of the three measures of text, but in
    `reasoning`.
    """
    places = list(range(processes.rank, min(job.config.evaluate.prompts, len(job.validation)), processes.count))
    own = _records(roles, job, places) if places else []
    if processes.count == 1:
        return own
    from accelerate.utils import gather_object

    records = gather_object(list(zip(places, own, strict=True)))
    return [record for _, record in sorted(records, key=lambda pair: pair[0])]


def _records(roles: Roles, job: Job, places: Sequence[int]) -> list[Record]:
    settings = job.config.ppo.model_copy(update={
        "max_new_tokens": job.config.evaluate.max_tokens or job.config.ppo.max_new_tokens,
        **({"temperature": 0.0} if job.config.evaluate.greedy else {}),
    })  # fmt: skip
    keys = [f"{settings.seed}:evaluation:{place}" for place in places]
    tokens = [job.validation.tokens[place] for place in places]
    rollouts = sample(roles, tokens, keys, job.ends, settings, job.tokenizer.pad_token_id)
    answers, temperature = rollouts.answers, settings.temperature or 1.0
    policy, reference = (by_answer(roles, role, answers, settings.micro, temperature) for role in (POLICY, REFERENCE))
    scores = {name: by_answer(roles, REWARD + name, answers, settings.micro) for name in job.judges}
    total = losses.combine(list(scores.values()), [judge.weight for judge in job.judges.values()])
    records: list[Record] = []
    for row, place in enumerate(places):
        ids = answers.answers[row][answers.present[row].bool()].tolist()
        opened = opens_reasoning(job.tokenizer.decode(tokens[row][-16:]))
        text, reasoning, _ = split(answer_text(job.tokenizer, job.template, ids), opened=opened)
        flesch = readability(text) if flesch_applies(text) else None
        records.append({
            "prompt": job.validation.texts[place], "answer": text, **({"reasoning": reasoning} if reasoning else {}),
            "rewards": {name: float(score[row]) for name, score in scores.items()}, "reward": float(total[row]),
            "kl": float(policy[row] - reference[row]), "words": len(text.split()),
            "fkg": flesch and flesch.fkg, "fre": flesch and flesch.fre, "tokens": len(ids),
            "ended": bool(rollouts.ended[row]),
        })  # fmt: skip
    return records


def means(records: Sequence[Record]) -> dict[str, float]:
    """Of an evaluation, as they are logged; of those records that have the number, NaN where none has."""
    figures: dict[str, float] = {}
    for name in MEANS:
        values = [float(record[name]) for record in records if record[name] is not None]
        figures[f"eval_{name}"] = sum(values) / len(values) if values else math.nan
    if unread := sum(record["fre"] is None for record in records):
        figures["eval_not_latin"] = float(unread)
    for name in records[0]["rewards"]:
        figures[f"eval_reward/{name}"] = sum(record["rewards"][name] for record in records) / len(records)
    return figures
