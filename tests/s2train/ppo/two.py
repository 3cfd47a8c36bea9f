"""Two steps of PPO in however many processes started this; each writes its policy to FOLDER/RANK.pt."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from peft import LoraConfig
from transformers import AutoModelForCausalLM

from s2train.ppo.learning import Learner, Task, weigh
from s2train.ppo.processes import accelerated
from s2train.ppo.roles import Roles, read
from s2train.ppo.settings import PPO


def main(folder: Path, models: Path) -> None:
    """Train what lies in `models` as task.json and settings.json say."""
    task = Task(*json.loads((models / "task.json").read_text()), frozenset({2}), 0)
    settings = PPO.model_validate_json((models / "settings.json").read_text())
    accelerator = Accelerator(cpu=True, kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    torch.manual_seed(0)
    value = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    rewards = {"simplicity": read(models / "simplicity")}
    roles = Roles(AutoModelForCausalLM.from_pretrained(models / "base"), read(models / "sft"), value, rewards, 0)
    weights = weigh(roles, settings)
    wrapped = accelerator.prepare(roles)
    processes = accelerated(accelerator, wrapped)
    learner = Learner(roles, task, settings, forward=wrapped, weights=weights, processes=processes)
    figures = [learner.step(number)[1] for number in range(2)]
    torch.save(
        {"policy": roles.adapter("policy"), "value": roles.adapter("value"), "figures": figures},
        folder / f"{processes.rank}.pt",
    )
    assert processes.count == accelerator.num_processes


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
