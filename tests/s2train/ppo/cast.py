"""A tiny base, adapters for every role, and the same PPO with a whole model for each role, written another way."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel

from s2train.ppo.learning import Task
from s2train.ppo.roles import Roles, read
from s2train.ppo.settings import PPO
from tests.s2train.merge import tiny

END, PAD = 2, 0
LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
SETTINGS = PPO(
    steps=3,
    answers=8,
    minibatch=4,
    micro=2,
    epochs=2,
    max_new_tokens=6,
    learning_rate=5e-3,
    value_learning_rate=5e-3,
    seed=3,
)
PROMPTS = [
    [5, 9, 13],
    [7, 7, 30, 41, 8],
    [100, 3],
    [60, 61, 62, 63],
    [9, 200, 17, 80, 81, 5],
    [250, 11],
    [12],
    [90, 91],
]
TASK = Task(PROMPTS, {"simplicity": 1.0}, frozenset({END}), PAD)


def stored(folder: Path, *, aspects: tuple[str, ...] = ("simplicity",)) -> dict[str, Path]:
    """A base in fp32, an SFT adapter, and a reward adapter for each aspect."""
    paths = {"base": tiny.base(folder / "base", torch.float32, pad_token_id=PAD)}
    paths["sft"] = tiny.train(tiny.load(paths["base"]), folder / "sft", seed=5)
    for number, aspect in enumerate(aspects):
        classifier = tiny.load(paths["base"], classifier=True, num_labels=1)
        options = {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}
        paths[aspect] = tiny.train(classifier, folder / aspect, seed=10 + number, **options)
    return paths


def roles(
    paths: dict[str, Path], *, fresh: bool = False, aspects: tuple[str, ...] = ("simplicity",), padding: int = PAD
) -> Roles:
    """All on one base; the value's adapter from a seed of its own."""
    torch.manual_seed(0)
    policy = LoraConfig(**LORA) if fresh else read(paths["sft"])
    rewards = {aspect: read(paths[aspect]) for aspect in aspects}
    return Roles(tiny.load(paths["base"]), policy, LoraConfig(**LORA), rewards, padding)


class Four:
    """PPO with four models. Nothing is shared with what is tested but the settings and where random numbers come from:
    no padding, no cache, an answer at a time, sums in Python.
    """

    def __init__(self, paths: dict[str, Path], first: Roles) -> None:
        self.policy: Any = PeftModel.from_pretrained(tiny.load(paths["base"]), str(paths["sft"]), is_trainable=True)
        self.reference: Any = PeftModel.from_pretrained(tiny.load(paths["base"]), str(paths["sft"]))
        classifier = tiny.load(paths["base"], classifier=True, num_labels=1)
        self.reward: Any = PeftModel.from_pretrained(classifier, str(paths["simplicity"]))
        from peft import get_peft_model, set_peft_model_state_dict

        self.value: Any = get_peft_model(tiny.load(paths["base"]), LoraConfig(**LORA))
        set_peft_model_state_dict(self.value, first.adapter("value"))
        self.head = torch.nn.Linear(64, 1)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        pairs = [(self.policy, SETTINGS.learning_rate), (self.value, SETTINGS.value_learning_rate)]
        groups = [[one for one in model.parameters() if one.requires_grad] for model, _ in pairs]
        groups[1] += list(self.head.parameters())
        self.groups = groups
        self.optimizer = torch.optim.AdamW(
            [{"params": group, "lr": rate} for group, (_, rate) in zip(groups, pairs, strict=True)], weight_decay=0.0
        )
        self.rates = [rate for _, rate in pairs]
        self.updates = 0

    def step(self, number: int) -> dict[str, float]:
        """As `Learner.step`."""
        first = number * SETTINGS.answers
        order = [place for epoch in range(9) for place in random.Random(f"3:{epoch}").sample(range(8), 8)]
        asked = [PROMPTS[place] for place in order[first : first + 8]]
        said = [self._say(prompt, random.Random(f"3:{number}:{nth}")) for nth, prompt in enumerate(asked)]
        with torch.no_grad():
            old = [self._logs(self.policy, *pair) for pair in zip(asked, said, strict=True)]
            far = [self._logs(self.reference, *pair) for pair in zip(asked, said, strict=True)]
            values = [self._values(*pair) for pair in zip(asked, said, strict=True)]
            scores = [
                self.reward(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, 0].item()
                for prompt, answer in zip(asked, said, strict=True)
            ]
        rewards = [score - (answer[-1] != END) for score, answer in zip(scores, said, strict=True)]
        advantages, returns = [], []
        for reward, mine, other, value in zip(rewards, old, far, values, strict=True):
            by_token = (-SETTINGS.kl * (mine - other)).tolist()
            by_token[-1] += reward
            later, found = 0.0, []
            for place in reversed(range(len(by_token))):
                following = value[place + 1].item() if place + 1 < len(by_token) else 0.0
                later = by_token[place] + following - value[place].item() + SETTINGS.lam * later
                found.insert(0, later)
            advantages.append(torch.tensor(found))
            returns.append(torch.tensor(found) + value)
        flat = torch.cat(advantages)
        advantages = [(one - flat.mean()) / (flat.var() + 1e-8).sqrt() for one in advantages]
        generator = torch.Generator().manual_seed(3 * 1_000_003 + number)
        for _ in range(SETTINGS.epochs):
            for rows in torch.randperm(8, generator=generator).split(SETTINGS.minibatch):
                self._update([(asked[n], said[n], old[n], values[n], advantages[n], returns[n]) for n in rows.tolist()])
        kl = sum(float((mine - other).sum()) for mine, other in zip(old, far, strict=True)) / 8
        return {"reward": sum(rewards) / 8, "kl": kl, "tokens": sum(map(len, said)) / 8}

    def _say(self, prompt: list[int], source: random.Random) -> list[int]:
        answer: list[int] = []
        while len(answer) < SETTINGS.max_new_tokens and END not in answer:
            with torch.no_grad():
                logits = self.policy(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, -1]
            mass = logits.double().softmax(-1).cumsum(-1)
            answer.append(int((mass <= source.random() * mass[-1]).sum()))
        return answer

    def _logs(self, model: Any, prompt: list[int], answer: list[int]) -> torch.Tensor:
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
        return torch.stack([logits[place].log_softmax(-1)[token] for place, token in enumerate(answer)])

    def _values(self, prompt: list[int], answer: list[int]) -> torch.Tensor:
        trunk = self.value.get_base_model().model
        hidden = trunk(input_ids=torch.tensor([[*prompt, *answer]])).last_hidden_state
        return self.head(hidden)[0, len(prompt) - 1 : -1, 0]

    def _update(self, rows: list[Any]) -> None:
        tokens = sum(len(answer) for _, answer, *_ in rows)
        total = torch.zeros(())
        for prompt, answer, old, value, advantage, wanted in rows:
            ratio = (self._logs(self.policy, prompt, answer) - old).exp()
            clipped = ratio.clamp(1 - SETTINGS.clip, 1 + SETTINGS.clip)
            total = total - torch.minimum(ratio * advantage, clipped * advantage).sum()
            now = self._values(prompt, answer)
            bound = value + (now - value).clamp(-0.2, 0.2)
            squares = torch.maximum((now - wanted) ** 2, (bound - wanted) ** 2)
            total = total + SETTINGS.value_weight * 0.5 * squares.sum()
        (total / tokens).backward()
        for group in self.groups:
            torch.nn.utils.clip_grad_norm_(group, SETTINGS.max_grad_norm)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * (1 - self.updates / SETTINGS.updates)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.updates += 1
