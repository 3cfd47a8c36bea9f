"""A checkpoint's README.md, to read and to publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2train.checkpoint import Checkpoint


def card(job: Any, about: Checkpoint, charts: list[str]) -> str:
    """Markdown: what it is, what it was trained on, what was measured, how to use it.

    Args:
        job: any stage's.
    """
    base = about.base
    assert base is not None
    named = f"base_model: {base.name}\n" if "/" in base.name else ""
    library = "peft" if job.plan.adapted else "transformers"
    start = f", going on from the adapter `{job.plan.adapter.name}`" if job.plan.adapter else ""
    method = job.training
    text = [
        f"---\n{named}library_name: {library}\ntags:\n- {about.kind}\n- s2train\n---",
        f"# {job.out.name}",
        f"Made by `s2train {method.command or method.name}` from `{base.name}`{start}: {method.summary}.",
        _table(("", ""), [
            ("trained", f"{job.trainable:,} of {job.parameters:,} parameters ({job.plan.settings.method})"),
            ("base's fingerprint", f"`{base.sha256}`"),
            ("quantisation", _quantisation(about)),
            ("prompt template", f"`{about.template}`, hash `{job.template.hash}`"),
            *((name, f"SHA-256 `{digest}`") for name, digest in about.data.items()),
            ("rows", job.train.line("train").removeprefix("train: ")),
        ]),
        "## Measured",
        _table(("", ""), [(name, f"{value:.4g}") for name, value in about.metrics.items()]),
        *(f"![]({name})" for name in charts),
        "## Recipe",
        _recipe(about.recipe),
        "Made with " + ", ".join(f"{name} {number}" for name, number in about.versions.items()) + ".",
    ]  # fmt: skip
    return "\n\n".join(text) + "\n"


def _quantisation(about: Checkpoint) -> str:
    how = about.quantization
    return "none" if how is None else f"{how.type}{', double' if how.double else ''}, blocks of {how.blocksize}"


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"| {left} | {right} |" for left, right in (head, ("---", "---"), *rows))


def _recipe(recipe: Any) -> str:
    import yaml

    assert isinstance(recipe, Mapping)
    return f"```yaml\n{yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True).rstrip()}\n```"
