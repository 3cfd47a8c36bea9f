"""Rows as tokens: where a prompt ends, which tokens carry loss, and what is too long for the context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from s2eval import control_tokens, prompts
from s2eval.prompts import Template, Turn
from s2train.data.preferences import PreferenceLine, turns_of
from s2train.data.records import PairLine, is_blank

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
IGNORED = -100  # the label of a token without loss
_AT_ONCE = 512  # rows encoded together
BLANK, EQUAL = "blank", "with two equal answers"  # why rows are left out
_QUESTION, _ANSWER = "{question}", "{answer}"


class Tokenizer(Protocol):
    """What is used of transformers' tokenizers here, with the types that its own leave open."""

    bos_token: str | None
    eos_token_id: int
    pad_token_id: int

    def get_vocab(self) -> dict[str, int]: ...
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    def decode(self, token_ids: Sequence[int] | Tensor, skip_special_tokens: bool = False) -> str: ...
    def save_pretrained(self, save_directory: Path) -> object: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt with an answer.

    Attributes:
        tokens: of both, with the token that ends the answer.
        prompt: how many of them are the prompt's, by the tokenizer's own cut.
        merged: whether the prompt's last token went into the answer's first, so that evaluation sees another prompt.
    """

    tokens: list[int]
    prompt: int
    merged: bool


@dataclass(slots=True)
class Rows:
    """One side of the data, encoded.

    Attributes:
        columns: as the trainer wants them; one entry a row.
        lengths: tokens of each row that go through the model; of a pair, of its longer half.
        tokens: of all rows.
        answers: of a pair the chosen one.
        read: rows of the file.
        dropped, cut: too long, and left out or cut at the end.
        merged: see `Encoded`.
        unusable: why rows that nothing can be learnt from were left out → how many.
    """

    columns: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    lengths: list[int] = field(default_factory=list[int])
    tokens: int = 0
    prompts: list[str] = field(default_factory=list[str])
    answers: list[str] = field(default_factory=list[str])
    sources: list[str] = field(default_factory=list[str])
    read: int = 0
    dropped: int = 0
    cut: int = 0
    merged: int = 0
    unusable: Counter[str] = field(default_factory=Counter[str])

    def __len__(self) -> int:
        return len(self.lengths)

    def add(self, length: int, tokens: int, prompt: str, answer: str, source: str, **values: object) -> None:
        """Append a row."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(value)
        self.lengths.append(length)
        self.tokens += tokens
        self.prompts.append(prompt)
        self.answers.append(answer)
        self.sources.append(source)

    def skip(self, why: str, count: int = 1) -> None:
        """Count rows that nothing can be learnt from."""
        if count:
            self.unusable[why] += count

    def line(self, name: str) -> str:
        """What became of the file's rows, in words."""
        text = f"{name}: {len(self):,} of {self.read:,} rows, {self.tokens:,} tokens"
        if self.dropped:
            text += f"; {self.dropped:,} were too long and left out"
        text += "".join(f"; {count:,} {why}: left out" for why, count in self.unusable.most_common())
        if self.cut:
            text += f"; {self.cut:,} were too long and cut"
        if self.merged:
            text += f"; in {self.merged:,} the prompt's last token is merged into the answer"
        return text


@dataclass(frozen=True)
class Encoder:
    """How texts become tokens.

    Attributes:
        max_length: tokens of prompt and answer.
        cut: whether answers of rows that are longer are cut; else such rows are left out.
    """

    tokenizer: Tokenizer
    template: Template
    max_length: int
    cut: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "template", prompts.for_tokenizer(self.template, self.tokenizer))

    def prompt(self, turns: Sequence[Turn]) -> str:
        """Up to where the answer begins."""
        return self.template.render(turns)

    def completion(self, answer: str) -> str:
        """What follows the prompt: the template's space, if it has one, and the answer as text."""
        end = self.template.end
        gap = end[: len(end) - len(end.lstrip())]
        return opening(self.template) + (self.template.as_text or str)(answer) + gap

    def encode(self, questions: Sequence[str], answers: Sequence[str]) -> list[Encoded]:
        """Prompts with their answers and the token that ends a turn. A BOS that the template writes is not added."""
        special = adds_special(self.tokenizer, questions)
        end = end_of(self.tokenizer, self.template)
        texts = [prompt + self.completion(answer) for prompt, answer in zip(questions, answers, strict=True)]
        heads = control_tokens.encode(self.tokenizer, questions, special)
        result = list[Encoded]()
        for head, tokens in zip(heads, control_tokens.encode(self.tokenizer, texts, special), strict=True):
            pairs = enumerate(zip(head, tokens, strict=False))
            shared = next((place for place, (a, b) in pairs if a != b), min(len(head), len(tokens)))
            result.append(Encoded([*tokens, end], shared, shared < len(head)))
        return result


def end_of(tokenizer: Tokenizer, template: Template) -> int:
    """The token that ends an answer: that of a turn in the template, else the end-of-text."""
    end = template.end.strip()
    return tokenizer.convert_tokens_to_ids(end) if end else tokenizer.eos_token_id


def ends(tokenizer: Tokenizer, template: Template) -> frozenset[int]:
    """The tokens at which sampling stops: the one that ends an answer, and the end-of-text."""
    return frozenset({end_of(tokenizer, template), tokenizer.eos_token_id})


def adds_special(tokenizer: Tokenizer, texts: Sequence[str]) -> bool:
    """Whether the tokenizer is to add its special tokens: not where the template has written the BOS already."""
    bos = tokenizer.bos_token
    return not (bos and all(prompt.startswith(bos) for prompt in texts))


def tokens_of(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Prompts as tokens, of which none ends in an end-of-text that the tokenizer appends; none of none."""
    return control_tokens.encode(tokenizer, texts, adds_special(tokenizer, texts))


def answer_text(tokenizer: Tokenizer, template: Template, tokens: Sequence[int] | Tensor) -> str:
    """An answer as evaluation would read it: up to the template's first stop text."""
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    for stop in template.stop:
        text = text.partition(stop)[0]
    return text.strip()


def opening(template: Template) -> str:
    """What a template writes between the end of a prompt and an answer: a space (`s2`), or nothing (`chat`)."""
    prompt = template.render([Turn(_QUESTION)])
    text = template.render([Turn(_QUESTION, _ANSWER), Turn(_QUESTION)])
    before, answer, _ = text.removeprefix(prompt).partition(_ANSWER)
    return before if text.startswith(prompt) and answer and not before.strip() else ""


def answered(encoder: Encoder, lines: Iterable[PairLine]) -> Rows:
    """Rows for SFT: `input_ids`, and `labels` on the answer only."""
    rows = Rows()
    for read in blocks(lines):
        block = [line for line in read if not (is_blank(line.question) or is_blank(line.answer))]
        rows.read += len(read)
        rows.skip(BLANK, len(read) - len(block))
        questions = [encoder.prompt([Turn(line.question)]) for line in block]
        encoded = encoder.encode(questions, [line.answer for line in block])
        for line, prompt, row in zip(block, questions, encoded, strict=True):
            long = len(row.tokens) > encoder.max_length
            if long and not (encoder.cut and row.prompt < encoder.max_length):
                rows.dropped += 1
                continue
            rows.cut += long
            rows.merged += row.merged
            tokens = row.tokens[: encoder.max_length]
            labels = [IGNORED] * row.prompt + tokens[row.prompt :]
            rows.add(
                len(tokens), len(tokens), prompt, line.answer, line.source,
                input_ids=_array(tokens), labels=_array(labels),
            )  # fmt: skip
    return rows


def compared(encoder: Encoder, lines: Iterable[PreferenceLine], margin: float = 0.0, aspect: str | None = None) -> Rows:
    """Rows for a reward model: prompt and answer as `chosen_ids` and `rejected_ids`, and `margin` where it counts.

    Pairs of which one half is too long are always left out: a cut answer is not what was preferred. Only lines of the
    aspect count, all where it is None.
    """
    rows = Rows()
    for line, prompt, chosen, rejected in _pairs(encoder, lines, rows, aspect):
        longer = max(len(chosen.tokens), len(rejected.tokens))
        if longer > encoder.max_length:
            rows.dropped += 1
            continue
        rows.merged += chosen.merged or rejected.merged
        margins = {"margin": margin * line.margin} if margin else {}
        rows.add(
            longer, len(chosen.tokens) + len(rejected.tokens), prompt, line.chosen, line.source,
            chosen_ids=_array(chosen.tokens), rejected_ids=_array(rejected.tokens), **margins,
        )  # fmt: skip
    return rows


def preferred(encoder: Encoder, lines: Iterable[PreferenceLine], aspect: str | None = None) -> Rows:
    """Rows for DPO: `prompt_ids`, `chosen_ids`, `rejected_ids`, the answers without their prompt.

    Only lines of the aspect count, all where it is None.
    """
    rows = Rows()
    for line, prompt, chosen, rejected in _pairs(encoder, lines, rows, aspect):
        longer, start = max(len(chosen.tokens), len(rejected.tokens)), min(chosen.prompt, rejected.prompt)
        long = longer > encoder.max_length
        if long and not (encoder.cut and start < encoder.max_length):
            rows.dropped += 1
            continue
        halves = [answer.tokens[: encoder.max_length] for answer in (chosen, rejected)]
        if halves[0] == halves[1]:  # where both are cut
            rows.skip(EQUAL)
            continue
        rows.cut += long
        rows.merged += chosen.merged or rejected.merged
        rows.add(
            min(longer, encoder.max_length), sum(map(len, halves)), prompt, line.chosen, line.source,
            prompt_ids=_array(halves[0][:start]),
            chosen_ids=_array(halves[0][start:]), rejected_ids=_array(halves[1][start:]),
        )  # fmt: skip
    return rows


def _pairs(
    encoder: Encoder, lines: Iterable[PreferenceLine], rows: Rows, aspect: str | None
) -> Iterator[tuple[PreferenceLine, str, Encoded, Encoded]]:
    """Pairs with their tokens; those from which nothing can be learnt about the aspect are counted and left out."""
    for read in blocks(lines):
        block = list[PreferenceLine]()
        rows.read += len(read)
        for line in read:
            if aspect is not None and line.aspect != aspect:
                rows.skip(f"about {line.aspect}, not data.aspect={aspect}")
            elif is_blank(line.prompt) or is_blank(line.chosen) or is_blank(line.rejected):
                rows.skip(BLANK)
            elif line.chosen.strip() == line.rejected.strip():
                rows.skip(EQUAL)
            else:
                block.append(line)
        questions = [encoder.prompt(turns_of(line.prompt)) for line in block]
        chosen = encoder.encode(questions, [line.chosen for line in block])
        rejected = encoder.encode(questions, [line.rejected for line in block])
        for pair in zip(block, questions, chosen, rejected, strict=True):
            if pair[2].tokens == pair[3].tokens:
                rows.skip(EQUAL)
            else:
                yield pair


def blocks(lines: Iterable[T]) -> Iterator[list[T]]:
    """Lines, a few hundred at a time, to be encoded together."""
    iterator = iter(lines)
    while block := list(islice(iterator, _AT_ONCE)):
        yield block


def _array(tokens: Sequence[int]) -> NDArray[np.int32]:
    return np.array(tokens, dtype=np.int32)
