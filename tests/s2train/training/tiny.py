"""A tiny Llama with SmolLM2's tokenizer, a folder of data, and configurations that train it in a second."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file

from s2train.stages import STAGES, load
from s2train.training.job import Job
from s2train.training.run import run

WORDS = [
    "the",
    "sky",
    "is",
    "blue",
    "since",
    "light",
    "of",
    "short",
    "waves",
    "is",
    "scattered",
    "by",
    "air",
    "more",
    "than",
    "light",
    "of",
    "long",
    "waves",
]
WEIGHTS = "adapter_model.safetensors"


def base(out: Path, tokenizer: Path, *, seed: int = 0, **options: Any) -> Path:
    """A Llama of two small layers, with random weights, and a small tokenizer of another one's kind.

    That has its special tokens and its chat template, and 2,000 byte pairs of the demonstration's data: with 49,000
    nearly all of a step would be spent on the vocabulary.
    """
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    files = sorted((Path(__file__).parents[3] / "tasks" / "demo" / "data").rglob("*.jsonl"))
    texts = [file.read_text(encoding="utf-8") for file in files]
    texts += [f"### Human: {row['prompt']} ###Assistant: {row['chosen']} {row['rejected']}" for row in preferences(50)]
    words = AutoTokenizer.from_pretrained(tokenizer).train_new_from_iterator(texts, 2000, show_progress=False)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,  # whole blocks of bitsandbytes' 4 bits
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        initializer_range=0.1,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        **options,
    )
    LlamaForCausalLM(config).save_pretrained(out)
    words.save_pretrained(out)
    return out


def answer(number: int, most: int = 12) -> str:
    """Some words, others for another number."""
    start = number % len(WORDS)
    return " ".join((WORDS + WORDS)[start : start + 4 + number % most]) + "."


def pairs(number: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"t-{n}", "question": f"Why is number {n} so?", "answer": answer(n), "source": "made"}
        for n in range(first, first + number)
    ]


def preferences(number: int, first: int = 0) -> list[dict[str, Any]]:
    """The chosen answer is plain, the rejected one says `notwithstanding` again and again: easy to tell apart."""
    return [
        {
            "prompt": f"Why is number {n} so?",
            "chosen": answer(n, 3),
            "rejected": "notwithstanding " * (4 + n % 3),
            "aspect": "simplicity",
            "margin": 1.0,
            "source": "one" if n % 2 else "two",
        }
        for n in range(first, first + number)
    ]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def data(out: Path) -> Path:
    """A folder as `s2train data` makes it."""
    write(out / "eli5" / "train.jsonl", pairs(24))
    write(out / "eli5" / "validation.jsonl", pairs(6, 100))
    write(out / "preferences" / "simplicity.jsonl", preferences(24))
    write(out / "preferences" / "simplicity.validation.jsonl", preferences(8, 100))
    return out


def recipe(stage: str, base: Path, data: Path, out: Path, **arguments: Any) -> dict[str, Any]:
    """A configuration as YAML holds it: 6 steps of 4 rows."""
    rows = {"set": "eli5"} if stage == "sft" else {"aspect": "simplicity"}
    made: dict[str, Any] = {
        "out": str(out),
        "model": {"base": str(base), "method": "lora", "lora": {"r": 4, "alpha": 8, "dropout": 0.1}},
        "data": {"dir": str(data), **rows},
        "arguments": {
            "max_length": 64,
            "per_device_train_batch_size": 4,
            "num_train_epochs": 1,
            "learning_rate": 1e-2,
            "logging_steps": 1,
            "save_steps": 2,
            "seed": 0,
            "disable_tqdm": True,
            **({"packing": False} if stage == "sft" else {}),
            **arguments,
        },
    }
    if stage != "reward":
        made["generations"] = {"prompts": 2, "max_tokens": 4}
    return made


def online(base: Path, data: Path, reward: Path, out: Path, **arguments: Any) -> dict[str, Any]:
    """RLOO or GRPO, but for the name `algorithm`: 4 steps, in each 2 prompts with 4 answers of up to 6 tokens."""
    made = recipe("sft", base, data, out)
    del made["arguments"]["packing"]
    made["rewards"], made["gate"] = {"plain": str(reward)}, 0.5
    made["arguments"] |= {
        "per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 6, "max_steps": 4, **arguments
    }  # fmt: skip
    made["data"]["validation_limit"] = 2
    return made


def job(stage: str, raw: Mapping[str, Any], folder: Path, *overrides: str) -> Job:
    """The checked job of a configuration, by way of a file."""
    path = folder / f"{stage}.yaml"
    path.write_text(yaml.safe_dump(dict(raw)), encoding="utf-8")
    return STAGES[stage].training.prepare(load(STAGES[stage], path, overrides), path.name)


def train(stage: str, raw: Mapping[str, Any], folder: Path, *overrides: str) -> Job:
    """Train, and give the job that was done."""
    made = job(stage, raw, folder, *overrides)
    run(made)
    return made


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / WEIGHTS)


def same(one: Path, other: Path) -> bool:
    """Whether two adapters are the same, bit for bit."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
