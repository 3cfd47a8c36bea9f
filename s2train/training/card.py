"""A checkpoint's README.md, to read and to publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from s2train.checkpoint import Checkpoint
from s2train.training.job import ModelJob


def card(job: ModelJob, about: Checkpoint, charts: list[str]) -> str:
    """Markdown of any stage's job: what it is, what it was trained on, what was measured, how to repeat it."""
    import yaml

    base, recipe, quantization, method = about.base, about.recipe, about.quantization, job.training
    assert base is not None
    assert isinstance(recipe, Mapping)
    base_model = f"base_model: {base.name}\n" if "/" in base.name else ""
    library = "peft" if job.plan.adapted else "transformers"
    start = f", starting from the adapter `{job.plan.adapter.name}`" if job.plan.adapter else ""
    quantisation = "none"
    if quantization:
        double = ", double" if quantization.double else ""
        quantisation = f"{quantization.type}{double}, blocks of {quantization.blocksize}"
    recipe_yaml = yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True).rstrip()
    text = [
        f"---\n{base_model}library_name: {library}\ntags:\n- {about.kind}\n- s2train\n---",
        f"# {job.out.name}",
        f"Made by `s2train {method.command or method.name}` from `{base.name}`{start}: {method.summary}.",
        _table([
            ("trained", f"{job.trainable:,} of {job.parameters:,} parameters ({job.plan.settings.method})"),
            ("base's fingerprint", f"`{base.sha256}`"),
            ("quantisation", quantisation),
            ("prompt template", f"`{about.template}`, hash `{job.template.hash}`"),
            *((name, f"SHA-256 `{digest}`") for name, digest in about.data.items()),
            ("rows", job.train.line("train").removeprefix("train: ")),
        ]),
        "## Measured",
        _table((name, f"{value:.4g}") for name, value in about.metrics.items()),
        *(f"![]({name})" for name in charts),
        "## Recipe",
        f"```yaml\n{recipe_yaml}\n```",
        "Made with " + ", ".join(f"{name} {number}" for name, number in about.versions.items()) + ".",
    ]  # fmt: skip
    return "\n\n".join(text) + "\n"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"| {left} | {right} |" for left, right in (("", ""), ("---", "---"), *rows))
