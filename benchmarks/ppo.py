"""PPO on one base against a model for each role: peak memory, the same numbers; and rollouts against `model.generate`.

Both sides run the same loop on the embedded model in fp32, with the same adapters, batches and settings; frozen copies
have no optimizer state. Each has a process of its own. Memory is the most that was ever resident (VmHWM) less what was
resident after the imports. Rollouts: new tokens a CPU second, ELI5's questions with what they add (S2_SHARED_DATA), the
same prompts and settings, `generate` at several widths, the best counts.

    OMP_NUM_THREADS=1 python -m benchmarks.ppo                        # about half an hour
    OMP_NUM_THREADS=1 python -m benchmarks.ppo --answers 4 --tokens 8 --pairs 1 --widths 4 --out /tmp/bench.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import record
from benchmarks.merge import status
from benchmarks.record import Row

DATA = Path(os.environ.get("S2_SHARED_DATA", record.ROOT.parent / "shared" / "data"))
ASPECTS = ("simplicity", "helpfulness", "harmlessness")
LORA: dict[str, Any] = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}
QUESTIONS = (
    "Why is the sky blue?",
    "How do vaccines work?",
    "What is a black hole?",
    "Why do we have leap years, and who decided when they are?",
    "How does a refrigerator keep food cold?",
    "What is inflation, and why do prices rise?",
    "Why do onions make you cry?",
    "How can birds sit on power lines without being hurt by the current?",
)


@dataclass(frozen=True, slots=True)
class Work:
    """What both sides do.

    Attributes:
        folder: of the adapters.
        aspects: rewards.
        answers, tokens: in a step, and of an answer at most.
        checkpointing: compute layers again for their gradients, on both sides.
    """

    folder: Path
    aspects: tuple[str, ...]
    answers: int
    tokens: int
    checkpointing: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """Peak memory above the imports, MiB; CPU seconds; the step's figures."""

    memory: float
    seconds: float
    figures: dict[str, float]


def write_adapters(folder: Path) -> None:
    """Where training starts, and a reward model for each aspect; small random factors, so that it still speaks."""
    import torch
    from peft import LoraConfig, get_peft_model

    for number, name in enumerate(("sft", *ASPECTS)):
        rewards = name in ASPECTS
        torch.manual_seed(number)
        kind: dict[str, Any] = {"task_type": "CAUSAL_LM"}
        if rewards:
            kind = {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}
        adapted: Any = get_peft_model(_base(classifier=rewards), LoraConfig(**LORA, **kind))
        for key, weight in adapted.named_parameters():
            if "lora_B" in key:
                weight.data.normal_(std=1e-4)
        adapted.save_pretrained(folder / name)


def _folder() -> Path:
    from s2train.weights import location

    return location.of_model("smollm2").folder


def _base(*, classifier: bool = False) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    if not classifier:
        return AutoModelForCausalLM.from_pretrained(_folder(), dtype=torch.float32)
    return AutoModelForSequenceClassification.from_pretrained(_folder(), dtype=torch.float32, num_labels=1)


def _value() -> Any:
    """Configuration of the value's adapter; the same factors on both sides."""
    import torch
    from peft import LoraConfig

    torch.manual_seed(99)
    return LoraConfig(**LORA, task_type="CAUSAL_LM")


def together(work: Work) -> Any:
    """All roles on one base."""
    from s2train.ppo.roles import Roles, read

    rewards = {aspect: read(work.folder / aspect) for aspect in work.aspects}
    return Roles(_base(), read(work.folder / "sft"), _value(), rewards, _padding())


def apart(work: Work) -> Any:
    """A model for each role, by transformers and PEFT; what the loop needs of it is that of `Roles`."""
    import torch
    from peft import PeftModel, get_peft_model
    from torch import nn

    from s2train import losses

    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sft = str(work.folder / "sft")
            policy = PeftModel.from_pretrained(_base(), sft, is_trainable=True)
            reference = PeftModel.from_pretrained(_base(), sft)
            value = get_peft_model(_base(), _value())
            models = {"policy": policy, "reference": reference, "value": value}
            for aspect in work.aspects:
                models[f"reward-{aspect}"] = PeftModel.from_pretrained(
                    _base(classifier=True), str(work.folder / aspect)
                )
            self.models: Any = nn.ModuleDict(models)
            head = nn.Linear(policy.config.hidden_size, 1)
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            self.heads: Any = nn.ModuleDict({"value": head})
            self.aspects = list(work.aspects)

        @contextmanager
        def acting(self, role: str) -> Iterator[Any]:
            yield self.models[role].get_base_model()

        def checkpoint(self) -> None:
            for role in ("policy", "value"):
                self.models[role].get_base_model().activation_checkpointing_enable({"use_reentrant": False})

        def forward(self, role: str, batch: Any, temperature: float = 1.0) -> Any:
            given: dict[str, Any] = {
                "input_ids": batch.tokens,
                "attention_mask": batch.mask,
                "position_ids": (batch.mask.cumsum(-1) - 1).clamp(min=0),
                "use_cache": False,
            }
            model: Any = self.models[role].get_base_model()
            if role in ("policy", "reference"):
                logits = model(**given, logits_to_keep=batch.before).logits
                return losses.log_probabilities(logits if temperature == 1 else logits / temperature, batch.answers)
            hidden = model.model(**given).last_hidden_state
            if role == "value":
                return self.heads["value"](hidden[:, batch.width - 1 : -1])[..., 0]
            columns = torch.arange(hidden.shape[1])
            last = (batch.mask * (batch.tokens != _padding()) * columns).argmax(-1)
            return model.score(hidden[torch.arange(len(last)), last])[:, 0]

    return Apart()


def _padding() -> int:
    return _tokenizer().pad_token_id


def _tokenizer() -> Any:
    from s2train.training import models

    return models.tokenizer(_folder())


def _prompts() -> list[list[int]]:
    from s2eval import prompts
    from s2eval.prompts import Turn

    template = prompts.get("s2")
    return [_tokenizer()(template.render([Turn(question)]))["input_ids"] for question in QUESTIONS]


def _eli5(number: int) -> list[list[int]]:
    """Prompts of up to 128 tokens."""
    from s2eval import prompts
    from s2eval.prompts import Turn

    template, tokenizer, found = prompts.get("s2"), _tokenizer(), list[list[int]]()
    with (DATA / "eli5" / "explainlikeimfive.jsonl").open(encoding="utf-8") as file:
        for line in map(json.loads, file):
            asked = template.render([Turn(f"{line['title']} {line['selftext']}".strip())])
            tokens = tokenizer(asked)["input_ids"]
            if len(tokens) <= 128 and len(found) < number:
                found.append(tokens)
    return found


def _settings(work: Work) -> Any:
    from s2train.ppo.settings import PPO

    half = max(work.answers // 2, 1)
    return PPO(
        steps=1, answers=work.answers, minibatch=half, micro=min(half, 4), epochs=1, max_new_tokens=work.tokens,
        checkpointing=work.checkpointing,
    )  # fmt: skip


def step(work: Work, make: Callable[[Work], Any]) -> Reading:
    """Load, and one step of PPO."""
    import bitsandbytes  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import peft
    import transformers

    from s2eval.models import generation  # noqa: F401
    from s2train.ppo.learning import Learner, Task

    _ = (transformers.LlamaForCausalLM, transformers.LlamaForSequenceClassification, peft.LoraConfig)
    prompts, tokenizer = _prompts(), _tokenizer()
    before, started = status("VmRSS"), time.process_time()
    task = Task(prompts, dict.fromkeys(work.aspects, 1.0), frozenset({tokenizer.eos_token_id}), _padding())
    learner = Learner(make(work), task, _settings(work))
    _, figures = learner.step(0)
    return Reading(status("VmHWM") - before, time.process_time() - started, figures)


def rollouts(work: Work, width: int | None) -> float:
    """New tokens a CPU second; width: prompts that `generate` takes at once, None = ours."""
    import torch

    from s2train.ppo import rollouts as ours

    roles, asked, tokenizer = together(work), _eli5(work.answers), _tokenizer()
    ends, pad, settings = frozenset({tokenizer.eos_token_id}), _padding(), _settings(work)
    started = time.process_time()
    if width is None:
        made = ours.sample(roles, asked, [f"{nth}" for nth in range(work.answers)], ends, settings, pad)
        new = int(made.answers.present.sum())
    else:
        new = 0
        with roles.acting("policy") as causal, torch.no_grad():
            for start in range(0, len(asked), width):
                new += _generated(causal, asked[start : start + width], ends, pad, settings)
    return new / (time.process_time() - started)


def _generated(causal: Any, prompts: Sequence[Sequence[int]], ends: frozenset[int], pad: int, settings: Any) -> int:
    """Tokens up to each answer's end."""
    from s2train.ppo.rollouts import arrange

    batch = arrange(prompts, [[pad]] * len(prompts), pad)
    new = causal.generate(
        input_ids=batch.tokens[:, : batch.width], attention_mask=batch.mask[:, : batch.width], do_sample=True,
        temperature=settings.temperature, top_k=0, top_p=1.0, max_new_tokens=settings.max_new_tokens,
        eos_token_id=sorted(ends), pad_token_id=pad,
    )[:, batch.width :].tolist()  # fmt: skip
    return sum(next((n + 1 for n, token in enumerate(row) if token in ends), len(row)) for row in new)


def alone(work: Callable[..., Any], *given: Any) -> Any:
    """In a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def memory(work: Work, goal: str) -> list[Row]:
    """One base against a model for each role, and by how much their figures differ."""
    ours, theirs = alone(step, work, together), alone(step, work, apart)
    models = 3 + len(work.aspects)
    apart_by = max(abs(ours.figures[name] - theirs.figures[name]) for name in ours.figures)
    how = ", layers computed again" if work.checkpointing else ""
    said = f"{work.answers} answers of {work.tokens} tokens at most, {len(work.aspects)} reward models, LoRA r=16, fp32"
    return [
        Row(
            f"PPO against {models} models{how}: peak memory",
            ours.memory,
            theirs.memory,
            ours.memory / theirs.memory,
            goal,
            "MiB",
            f"{said}; the ratio is ours / theirs; largest difference of a step's figures {apart_by:.1e}",
        ),
        Row(
            f"PPO against {models} models{how}: a step",
            ours.seconds,
            theirs.seconds,
            theirs.seconds / ours.seconds,
            unit="CPU s",
        ),
    ]


def speed(work: Work, pairs: int, widths: Sequence[int]) -> Row:
    """Rollouts against the best width of `generate`, in turn."""
    tried = {width: alone(rollouts, work, width) for width in widths}
    best = max(tried, key=lambda width: tried[width])
    measured = [(alone(rollouts, work, None), alone(rollouts, work, best)) for _ in range(pairs)]
    told = ", ".join(f"{width}: {rate:.3g}" for width, rate in tried.items())
    return Row(
        "PPO's rollouts against model.generate",
        median(mine for mine, _ in measured),
        median(theirs for _, theirs in measured),
        median(mine / theirs for mine, theirs in measured),
        "≥ 2",
        "tokens/CPU s",
        f"{work.answers} answers of {work.tokens} tokens at most, {pairs} pairs; the ratio is ours / theirs; "
        f"generate by its width: {told}",
    )


def main() -> None:
    parser = record.arguments(__doc__)
    parser.add_argument("--answers", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 16, 32, 64])
    parser.add_argument("--only", choices=["memory", "speed"])
    asked: argparse.Namespace = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        alone(write_adapters, Path(folder))
        if asked.only != "speed":
            for again, goals in ((True, ("≤ 0.5", "≤ 0.35")), (False, ("", ""))):
                for aspects, goal in zip((ASPECTS[:1], ASPECTS), goals, strict=True):
                    rows += memory(Work(Path(folder), aspects, asked.answers, asked.tokens, again), goal)
        if asked.only != "memory":
            longer = Work(Path(folder), ASPECTS[:1], 2 * asked.answers, 2 * asked.tokens)
            rows.append(speed(longer, asked.pairs, asked.widths))
    record.write("PPO", rows, {"answers": asked.answers, "tokens": asked.tokens, "lora": LORA}, asked.out)


if __name__ == "__main__":
    main()
