"""A checkpoint's README.md, to read and to publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2train.checkpoint import Checkpoint

_WHAT = {
    "ppo": "proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347) of a reward on its own answers",
    "sft": "supervised fine-tuning: the loss is the mean negative log-likelihood of the answers' tokens",
    "reward": "a reward model: -log σ(r_chosen - r_rejected) of pairs; it gives a number to a prompt with an answer",
    "dpo": "direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) on pairs of answers",
    "rloo": "REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024, arXiv 2402.14740) on its own answers",
    "grpo": "group-relative policy optimisation (Shao et al. 2024, arXiv 2402.03300) on its own answers",
}


def card(job: Any, made: Checkpoint, pictures: list[str]) -> str:
    """Markdown: what it is, what it was trained on, what was measured, how to use it.

    Args:
        job: any stage's.
    """
    base = made.base
    assert base is not None
    named = f"base_model: {base.name}\n" if "/" in base.name else ""
    library = "peft" if job.plan.adapted else "transformers"
    start = f", going on from the adapter `{job.plan.adapter.name}`" if job.plan.adapter else ""
    what = _WHAT[made.kind or "sft"]
    command = "ppo" if made.kind in ("rloo", "grpo") else made.kind
    text = [
        f"---\n{named}library_name: {library}\ntags:\n- {made.kind}\n- s2train\n---",
        f"# {job.out.name}",
        f"Made by `s2train {command}` from `{base.name}`{start}: {what}.",
        _table(("", ""), [
            ("trained", f"{job.trainable:,} of {job.parameters:,} parameters ({job.plan.settings.method})"),
            ("base's fingerprint", f"`{base.sha256}`"),
            ("quantisation", _quantisation(made)),
            ("prompt template", f"`{made.template}`, hash `{job.template.hash}`"),
            *((name, f"SHA-256 `{digest}`") for name, digest in made.data.items()),
            ("rows", job.train.line("train").removeprefix("train: ")),
        ]),
        "## Measured",
        _table(("", ""), [(name, f"{value:.4g}") for name, value in made.metrics.items()]),
        *(f"![]({name})" for name in pictures),
        "## Recipe",
        _recipe(made.recipe),
        "Made with " + ", ".join(f"{name} {number}" for name, number in made.versions.items()) + ".",
    ]  # fmt: skip
    return "\n\n".join(text) + "\n"


def _quantisation(made: Checkpoint) -> str:
    how = made.quantization
    return "none" if how is None else f"{how.type}{', double' if how.double else ''}, blocks of {how.blocksize}"


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"| {left} | {right} |" for left, right in (head, ("---", "---"), *rows))


def _recipe(recipe: Any) -> str:
    import yaml

    assert isinstance(recipe, Mapping)
    return f"```yaml\n{yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True).rstrip()}\n```"
