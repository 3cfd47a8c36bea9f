"""What the backends are asked: lm-eval's own requests for our tasks, and made-up ones of a chosen shape."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.record import ROOT
from s2eval import paths


def shared_data() -> Path:
    """The real data: `S2_SHARED_DATA`, else `../shared/data`."""
    path = Path(os.environ.get("S2_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        raise SystemExit(f"{path}: no such folder; set S2_SHARED_DATA to the folder of the real data")
    return path


def embedded_model() -> str:
    """The folder of SmolLM2-135M-Instruct, fp32."""
    from s2eval.models.sources.embedded import folder

    return str(folder("smollm2"))


def leaderboard(task: str, documents: int | None) -> list[Any]:
    """lm-eval's requests of the first `documents` documents (None: all) of a leaderboard task."""
    os.environ["S2_DATA_DIR"] = str(shared_data() / "leaderboard")
    return _built(task, documents, {})


@contextmanager
def eli5(model: str, prompts: int, tokens: int) -> Iterator[list[Any]]:
    """lm-eval's requests of `s2_eli5`: the first prompts of its sample, as the model's template writes them.

    The set is made from the real data as a user would, in a temporary folder.
    """
    with TemporaryDirectory() as folder:
        source = shared_data() / "eli5" / "explainlikeimfive.jsonl"
        command = [sys.executable, "-m", "s2train", "data", "eli5", "--input", str(source), "--out", folder]
        subprocess.run(command, check=True, capture_output=True)
        os.environ["S2_DATA_DIR"] = folder
        found = _built("s2_eli5", prompts, {"pretrained": model, "bertscore_later": True, "sample_size": prompts})
        yield limited(found, tokens)


def limited(instances: Sequence[Any], tokens: int) -> list[Any]:
    """The same prompts, each answered with at most so many tokens."""
    from lm_eval.api.instance import Instance

    return [
        Instance("generate_until", one.doc, (one.args[0], one.args[1] | {"max_gen_toks": tokens}), 0, _place(one))
        for one in instances
    ]


def _place(instance: Any) -> tuple[str, int, int]:
    return instance.task_name, instance.doc_id, 1


def _built(task: str, documents: int | None, metadata: dict[str, Any]) -> list[Any]:
    from lm_eval.tasks import TaskManager

    from s2eval.run.local import quiet_lm_eval

    quiet_lm_eval()
    manager = TaskManager(include_path=str(paths.tasks()), include_defaults=False, metadata=metadata)
    with redirect_stderr(StringIO()), redirect_stdout(StringIO()):  # remarks and a progress bar
        loaded = manager.load([task])["tasks"][task]
        loaded.build_all_requests(limit=documents, rank=0, world_size=1)
    return list(loaded.instances)


def first(instances: Sequence[Any], documents: int | None) -> list[Any]:
    """The requests of the first documents; None = all."""
    return [one for one in instances if documents is None or one.doc_id < documents]


@dataclass(frozen=True, slots=True)
class Shape:
    """Made-up multiple-choice questions, in tokens.

    Attributes:
        documents: how many.
        shots: tokens before the question.
        common: whether they are the same for every document, as in MMLU; else each has its own, as in ARC.
        question: tokens of the question, other for each document.
        choices: how many a document.
        choice: tokens of each.
    """

    documents: int = 8
    shots: int = 300
    common: bool = False
    question: int = 40
    choices: int = 4
    choice: int = 8


def made_up(shape: Shape, words: Sequence[str], seed: int = 0) -> list[Any]:
    """Requests of that shape from words that are a token each."""
    from lm_eval.api.instance import Instance

    rng = random.Random(seed)

    def text(tokens: int) -> str:
        return "".join(f" {word}" for word in rng.choices(words, k=tokens))

    shots = text(shape.shots)
    instances: list[Any] = []
    for number in range(shape.documents):
        context = (shots if shape.common else text(shape.shots)) + text(shape.question)
        for choice in range(shape.choices):
            arguments = (context, text(shape.choice))
            instances.append(Instance("loglikelihood", {}, arguments, choice, ("made_up", number, 1)))
    return instances


def single_token_words(model: str) -> list[str]:
    """Lower-case words that the model's tokenizer takes as one token each after a space."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    words = (token[1:] for token in tokenizer.get_vocab() if token.startswith("Ġ"))
    return sorted(word for word in words if len(word) > 3 and word.isascii() and word.isalpha() and word.islower())
