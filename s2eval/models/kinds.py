"""The table of what MODEL may be, and its one parser: for runs, `mtbench`, judges and labelling.

A package adds a kind by an entry point whose value is a `ModelKind`; its name is the prefix in MODEL:

    [project.entry-points."s2eval.model_kinds"]
    shelf = "my_package:SHELF"

    SHELF = ModelKind("shelf", "shelf:NAME", spec=lambda name, text: ModelSpec(text, f"/models/{name}"))
"""

from __future__ import annotations

import re
from pathlib import Path

from s2eval.errors import UnknownNameError, UsageError
from s2eval.models.model_kind import ModelKind, ModelSpec
from s2eval.models.sources.adapter import ADAPTER
from s2eval.models.sources.checkpoint import CHECKPOINT, EMBEDDED_MODEL
from s2eval.models.sources.openai import OPENAI
from s2eval.models.sources.vllm import VLLM
from s2eval.registry import Registry

_PREFIX = re.compile(r"[A-Za-z][\w-]+(?=:)")  # two letters or more: C: is a drive

# answers that exist already; `s2eval.judge` reads them
BASELINE = ModelKind("baseline", "baseline:NAME", given=True)
ANSWERS = ModelKind("answers", "answers:FILE.jsonl", given=True)

MODEL_KINDS = Registry(
    "model kind",
    [EMBEDDED_MODEL, CHECKPOINT, ADAPTER, VLLM, OPENAI, BASELINE, ANSWERS],
    group="s2eval.model_kinds",
    see="s2eval ls models",
)


def kind_of(text: str) -> tuple[ModelKind, str]:
    """The kind of a MODEL, and what follows its prefix. Raises UnknownNameError for a prefix that no kind has.

    >>> kind_of("adapter:runs/sft@smollm2")[1], kind_of("smollm2")[0].name, kind_of("gpt2")[0].name
    ('runs/sft@smollm2', 'embedded', 'checkpoint')
    """
    for kind in MODEL_KINDS.values():
        if kind.matches(text):
            return kind, text.removeprefix(f"{kind.name}:") if kind.prefixed else text
    if (prefix := _PREFIX.match(text)) and not Path(text).exists():
        known = [kind.name for kind in MODEL_KINDS.values() if kind.prefixed]
        raise UnknownNameError(MODEL_KINDS.kind, prefix[0], known, see=MODEL_KINDS.see)
    return CHECKPOINT, text


def is_given(text: str) -> bool:
    """Whether a MODEL, as a folder of results names it, is a text or a file of answers."""
    return any(kind.given and kind.matches(text) for kind in MODEL_KINDS.values())


def is_remote(text: str) -> bool:
    """Whether calls to a MODEL may cost something."""
    return any(kind.remote and kind.matches(text) for kind in MODEL_KINDS.values())


def parse(text: str) -> ModelSpec:
    """A MODEL that a run evaluates, checked as far as that is possible without loading it. Embedded models are
    converted on first use, local folders are checked for weights and a tokenizer. Raises UsageError for a kind that
    does not run here or a misspelt name, PrerequisiteError for an incomplete folder."""
    kind, name = kind_of(text)
    if kind.spec is None:
        what = "given answers run no tasks" if kind.given else "models behind an API answer questions only"
        raise UsageError(f"{text}: {what}; tasks need a model loaded here")
    return kind.spec(name, text)


def usages(*, judging: bool = False) -> str:
    """How users type a MODEL, for help: of a run's tasks, or also of questions that a judge rates."""
    return ", ".join(kind.usage for kind in MODEL_KINDS.values() if judging or kind.spec is not None)
