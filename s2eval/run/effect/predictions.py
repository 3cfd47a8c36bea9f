"""Next-token distributions of several models on the same tokens, of which one model is in memory at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from s2eval import chat_arguments, paths, prompts, store
from s2eval.config import ModelEntry
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.judge.questions import read_questions
from s2eval.judge.rows import FileRow, Filled, Problems, read_rows
from s2eval.models.adapters import logits
from s2eval.models.request_checks import check_tokens
from s2eval.report.effect import Pair, Predictions
from s2eval.run.effect.models import loaded

_ROWS = 64  # positions compared at once: distributions are doubles


class _Row(FileRow):
    question: Filled
    answer: Filled | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question, and the answer whose tokens are looked at; None: those of the prompt are."""

    question: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt in tokens; what is predicted at `first` and after it, before `stop`, is compared."""

    tokens: tuple[int, ...]
    first: int
    stop: int


def read_prompts(path: Path | None) -> list[Prompt]:
    """The prompts of a file of `{question}` or `{question, answer}` lines; None: the opening turns of MT(S)-Bench.

    Raises:
        DataError: with all that is wrong with the file.
        UsageError: it has no lines, or answers to some of its questions only.
    """
    if path is None:
        return [Prompt(one.turns[0]) for one in read_questions(paths.judges() / "mtsbench" / "questions.jsonl")]
    problems = Problems(path)
    rows = [row for _, row in read_rows(path, _Row, problems)]
    problems.tell()
    answered = sum(row.answer is not None for row in rows)
    if not rows or answered not in (0, len(rows)):
        raise UsageError(f"{path}: {answered} of {len(rows)} lines have an answer; needed: all of them, or none")
    return [Prompt(row.question, row.answer) for row in rows]


def encode(lm: Any, asked: Sequence[Prompt], template: prompts.Template) -> list[Encoded]:
    """Prompts in tokens, as a task of answers puts them; what is beyond the model's context is cut.

    Raises:
        UsageError: nothing is left of an answer then; a token has no embedding.
    """
    found: list[Encoded] = []
    for prompt in asked:
        opening = template.render([prompts.Turn(prompt.question)])
        tokens, first = lm.tok_encode(opening), 0
        if prompt.answer is not None:
            first = len(tokens) - 1
            gap = "" if opening[-1:].isspace() else " "
            tokens = lm.tok_encode(f"{opening}{gap}{(template.as_text or str)(prompt.answer)}")
        tokens = tokens[: lm.max_length]
        check_tokens(lm, tokens, f"prompt {prompt.question[:60]!r}: ")
        stop = len(tokens) - (prompt.answer is not None)  # nothing is said of what follows an answer
        if first >= stop:
            raise UsageError(f"no room for an answer in the model's {lm.max_length} tokens: {prompt.question[:60]!r}")
        found.append(Encoded(tuple(tokens), first, stop))
    return found


def compare(
    entries: Mapping[str, ModelEntry],
    asked: Sequence[Prompt],
    template: str,
    scratch: Path,
    meet: Callable[[str, Any], None],
) -> Predictions:
    """KL(one ‖ later) and agreement of every two models, in the order given.

    Args:
        entries: name → model.
        asked: prompts, at least one.
        template: how they are written, as users type it.
        scratch: a folder on a disk with room for the logits of all models but the last.
        meet: given the name of each model and lm-eval's object while it is in memory.

    Raises:
        PrerequisiteError: there is not that much room.
    """
    names = list(entries)
    encoded: list[Encoded] = []
    values: dict[tuple[str, str], list[tuple[float, bool]]] = {pair: [] for pair in combinations(names, 2)}
    losses: dict[str, list[float]] = {name: [] for name in names} if asked[0].answer is not None else {}
    dtypes: dict[str, None] = {}
    with store.explain_os_errors(scratch), TemporaryDirectory(prefix=store.TEMPORARY, dir=scratch) as folder:
        for place, (name, entry) in enumerate(entries.items()):
            with loaded(entry) as lm:
                meet(name, lm)
                if not encoded:
                    chosen = prompts.get(template, lm.tokenizer, chat_arguments.collect(entry.args))
                    encoded += encode(lm, asked, chosen)
                    _check_room(scratch, encoded, lm.model.config.get_text_config().vocab_size, len(names) - 1)
                dtypes[str(lm.model.dtype).removeprefix("torch.")] = None
                for number, one in enumerate(encoded):
                    found = logits(lm.model, torch.tensor([one.tokens]))[one.first : one.stop]
                    if name in losses:
                        losses[name] += surprise(found, one.tokens[one.first + 1 :])
                    for other in names[:place]:
                        values[other, name] += divergence(_kept(folder, other, number), found)
                    if place < len(names) - 1:
                        np.save(_file(folder, name, number), found.numpy())
    return Predictions(
        tuple(prompt.question for prompt in asked),
        tuple(number for number, one in enumerate(encoded) for _ in range(one.first, one.stop)),
        tuple(
            Pair(one, other, tuple(kl for kl, _ in found), tuple(same for _, same in found))
            for (one, other), found in values.items()
        ),
        {name: tuple(found) for name, found in losses.items()},
        " and ".join(dtypes),
    )


def _file(folder: str, model: str, number: int) -> Path:
    return Path(folder) / f"{model}-{number}.npy"


def _kept(folder: str, model: str, number: int) -> torch.Tensor:
    return torch.from_numpy(np.load(_file(folder, model, number)))


def divergence(first: torch.Tensor, second: torch.Tensor) -> list[tuple[float, bool]]:
    """Of each position KL(first ‖ second) in nats, and whether both have the same most likely token.

    Args:
        first, second: logits, positions × vocabulary. Of vocabularies that differ in length (one was resized to its
            tokenizer) the tokens that both have count.
    """
    found: list[tuple[float, bool]] = []
    width = min(first.shape[1], second.shape[1])
    for start in range(0, len(first), _ROWS):
        one, other = (part[start : start + _ROWS, :width].double().log_softmax(-1) for part in (first, second))
        distances = (one.exp() * (one - other)).sum(-1).clamp(min=0)  # of equal ones rounding may be below 0
        agreed = one.argmax(-1) == other.argmax(-1)
        found += zip(distances.tolist(), agreed.tolist(), strict=True)
    return found


def surprise(found: torch.Tensor, tokens: Sequence[int]) -> list[float]:
    """-ln p of the token that follows at each position.

    Args:
        found: logits, positions × vocabulary.
        tokens: as many.
    """
    return torch.nn.functional.cross_entropy(found.double(), torch.tensor(tokens), reduction="none").tolist()


def _check_room(folder: Path, sequences: Sequence[Encoded], vocabulary: int, models: int) -> None:
    wanted = 4 * vocabulary * models * sum(one.stop - one.first for one in sequences)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise PrerequisiteError(
            f"{folder}: the logits on these prompts take {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free. Take "
            "fewer or shorter prompts (--prompts), or another --out"
        )
