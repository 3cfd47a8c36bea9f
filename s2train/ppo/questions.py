"""Questions as the policy reads them: tokens of their prompts, those that are too long left out and counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from s2eval.errors import DataError
from s2train.data.files.jsonl import Source
from s2train.data.preferences import turns_of
from s2train.data.records import QuestionLine
from s2train.ppo.config import Questions
from s2train.training.preparation import first, side_files
from s2train.training.rows import Encoder, tokens_of


@dataclass(slots=True)
class Prompts:
    """One side.

    Attributes:
        texts, tokens: of each prompt.
        read: lines of the file.
        dropped: too long, and left out.
        repeated: duplicates, and left out.
    """

    texts: list[str] = field(default_factory=list[str])
    tokens: list[list[int]] = field(default_factory=list[list[int]])
    read: int = 0
    dropped: int = 0
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return max(map(len, self.tokens), default=0)

    def line(self, name: str) -> str:
        """What became of the file's lines, in words."""
        mean = sum(map(len, self.tokens)) / max(len(self), 1)
        text = f"{name}: {len(self):,} prompts of {self.read:,} lines, {mean:.0f} tokens on average"
        if self.dropped:
            text += f"; {self.dropped:,} were too long and left out"
        if self.repeated:
            text += f"; {self.repeated:,} were there before"
        return text


def read(data: Questions, encoder: Encoder) -> tuple[Prompts, Prompts, dict[str, str]]:
    """Both sides, and the hashes of their files.

    Raises:
        DataError: a file is missing or broken, or nothing is left of one.
    """
    hashes, sides = dict[str, str](), list[Prompts]()
    names = (f"{data.set}/train.jsonl", f"{data.set}/validation.jsonl")
    for file in side_files(data, names, ("prompts", "validation_prompts")):
        prompts = Prompts()
        if file is not None:
            source = Source(file.path, QuestionLine)
            prompts = _encoded(encoder, first(source, file.limit))
            hashes[file.name] = source.sha256
            if not len(prompts):
                why = "it has no lines"
                if prompts.read:
                    why = f"all {prompts.read:,} prompts have more than {encoder.max_length:,} tokens (data.max_prompt)"
                raise DataError(f"{file.path}: nothing to answer: {why}")
        sides.append(prompts)
    return sides[0], sides[1], hashes


def _encoded(encoder: Encoder, lines: Iterable[QuestionLine]) -> Prompts:
    rendered = [encoder.prompt(turns_of(line.text)) for line in lines]
    texts = list(dict.fromkeys(rendered))
    prompts = Prompts(read=len(rendered), repeated=len(rendered) - len(texts))
    for text, tokens in zip(texts, tokens_of(encoder.tokenizer, texts), strict=True):
        if len(tokens) > encoder.max_length:
            prompts.dropped += 1
        else:
            prompts.texts.append(text)
            prompts.tokens.append(list(tokens))
    return prompts
