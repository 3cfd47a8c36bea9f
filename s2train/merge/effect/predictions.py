"""Next-token distributions of several models on the same tokens, of which one model is in memory at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from s2eval import chat_arguments, paths, prompts, store
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.judge.suite.questions import read_questions
from s2eval.judge.suite.rows import FileRow, Filled, Problems, read_rows
from s2eval.models.backend.request_checks import check_tokens
from s2eval.models.sources.adapters import logits
from s2train.merge.effect.models import ComparedModel, LoadedModel, loaded
from s2train.merge.effect.records import Pair, Predictions

_ROWS = 64  # positions compared at once: distributions are doubles


class _Row(FileRow):
    question: Filled
    answer: Filled | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question; of one with an answer the answer's tokens are compared, otherwise its own."""

    question: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt in tokens; the predictions at positions `first` to `stop` (exclusive) are compared."""

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
        return [Prompt(item.turns[0]) for item in read_questions(paths.judges() / "mtsbench" / "questions.jsonl")]
    problems = Problems(path)
    rows = [row for _, row in read_rows(path, _Row, problems)]
    problems.check()
    answered = sum(row.answer is not None for row in rows)
    if not rows or answered not in (0, len(rows)):
        raise UsageError(f"{path}: {answered} of {len(rows)} lines have an answer; needed: all of them, or none")
    return [Prompt(row.question, row.answer) for row in rows]


def encode(lm: LoadedModel, questions: Sequence[Prompt], template: prompts.Template) -> list[Encoded]:
    """Prompts in tokens, as a task of answers puts them, cut at the model's context.

    Raises:
        UsageError: nothing is left of an answer then; a token has no embedding.
    """
    encoded: list[Encoded] = []
    for prompt in questions:
        opening = template.render([prompts.Turn(prompt.question)])
        tokens, first = lm.tok_encode(opening), 0
        if prompt.answer is not None:
            first = len(tokens) - 1
            gap = "" if opening[-1:].isspace() else " "
            tokens = lm.tok_encode(f"{opening}{gap}{(template.as_text or str)(prompt.answer)}")
        tokens = tokens[: lm.max_length]
        check_tokens(lm, tokens, f"prompt {prompt.question[:60]!r}: ")
        stop = len(tokens) - (prompt.answer is not None)  # what follows an answer is not predicted
        if first >= stop:
            raise UsageError(f"no room for an answer in the model's {lm.max_length} tokens: {prompt.question[:60]!r}")
        encoded.append(Encoded(tuple(tokens), first, stop))
    return encoded


def compare(
    models: Mapping[str, ComparedModel],
    questions: Sequence[Prompt],
    template: str,
    scratch: Path,
    on_load: Callable[[str, LoadedModel], None],
) -> Predictions:
    """KL(earlier ‖ later) and agreement of every two models, in their order, on at least one prompt.

    Args:
        template: of the prompts, as users type it.
        scratch: a folder on a disk with room for the logits of all models but the last.
        on_load: called with each model's name and lm-eval's object while it is in memory.

    Raises:
        PrerequisiteError: there is not enough room.
    """
    names = list(models)
    encoded: list[Encoded] = []
    values: dict[tuple[str, str], list[tuple[float, bool]]] = {pair: [] for pair in combinations(names, 2)}
    losses: dict[str, list[float]] = {name: [] for name in names} if questions[0].answer is not None else {}
    dtypes: dict[str, None] = {}
    with store.explain_os_errors(scratch), TemporaryDirectory(prefix=store.TEMPORARY, dir=scratch) as folder:

        def file(model: str, number: int) -> Path:
            return Path(folder) / f"{model}-{number}.npy"

        for place, (name, model) in enumerate(models.items()):
            with loaded(model) as lm:
                on_load(name, lm)
                if not encoded:
                    chosen = prompts.get(template, lm.tokenizer, chat_arguments.collect(model.args))
                    encoded += encode(lm, questions, chosen)
                    _check_space(scratch, encoded, lm.model.config.get_text_config().vocab_size, len(names) - 1)
                dtypes[str(lm.model.dtype).removeprefix("torch.")] = None
                for number, prompt in enumerate(encoded):
                    scores = logits(lm.model, torch.tensor([prompt.tokens]))[prompt.first : prompt.stop]
                    if name in losses:
                        losses[name] += surprise(scores, prompt.tokens[prompt.first + 1 :])
                    for earlier in names[:place]:
                        stored = torch.from_numpy(np.load(file(earlier, number)))
                        values[earlier, name] += divergence(stored, scores)
                    if place < len(names) - 1:
                        np.save(file(name, number), scores.numpy())
    return Predictions(
        tuple(prompt.question for prompt in questions),
        tuple(number for number, prompt in enumerate(encoded) for _ in range(prompt.first, prompt.stop)),
        tuple(
            Pair(*pair, tuple(kl for kl, _ in positions), tuple(same for _, same in positions))
            for pair, positions in values.items()
        ),
        {name: tuple(positions) for name, positions in losses.items()},
        " and ".join(dtypes),
    )


def divergence(first: torch.Tensor, second: torch.Tensor) -> list[tuple[float, bool]]:
    """Of each position KL(first ‖ second) in nats, and whether both have the same most likely token.

    Both are logits, positions × vocabulary; of vocabularies of different lengths the tokens that both have count.
    """
    result: list[tuple[float, bool]] = []
    width = min(first.shape[1], second.shape[1])
    for start in range(0, len(first), _ROWS):
        p, q = (part[start : start + _ROWS, :width].double().log_softmax(-1) for part in (first, second))
        distances = (p.exp() * (p - q)).sum(-1).clamp(min=0)  # rounding may put that of equal distributions below 0
        result += zip(distances.tolist(), (p.argmax(-1) == q.argmax(-1)).tolist(), strict=True)
    return result


def surprise(scores: torch.Tensor, tokens: Sequence[int]) -> list[float]:
    """-ln p of the token that follows at each position; `scores` are logits, positions × vocabulary."""
    return torch.nn.functional.cross_entropy(scores.double(), torch.tensor(tokens), reduction="none").tolist()


def _check_space(folder: Path, sequences: Sequence[Encoded], vocabulary: int, models: int) -> None:
    needed = 4 * vocabulary * models * sum(prompt.stop - prompt.first for prompt in sequences)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PrerequisiteError(
            f"{folder}: the logits on these prompts take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free. Take "
            "fewer or shorter prompts (--prompts), or another --out"
        )
