"""Embeddings of texts for BERTScore, a vector for each token: computed in batches, cached, compared.

The mathematics are the library's (`bert_score.utils.get_bert_embedding`, `greedy_cos_idf`); here texts are batched.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2eval.metrics.encoders import LoadedEncoder, library

if TYPE_CHECKING:
    from torch import Tensor

PADDING = 2.0  # what the library fills up with
FULL = 0.8  # of the longest of a forward pass: shorter texts wait for the next, so that little of it is padding


@dataclass(frozen=True, slots=True)
class Embedding:
    """Of one text, on the CPU.

    Attributes:
        states: (tokens, width).
        weights: (tokens,), of each token: 1, and 0 for the two that frame a text.
    """

    states: Tensor
    weights: Tensor

    @property
    def size(self) -> int:
        """In bytes."""
        return self.states.nbytes + self.weights.nbytes


class Embeddings:
    """Embeddings by text, up to `memory` bytes; the least recently used are dropped."""

    def __init__(self, memory: int) -> None:
        self.memory, self.size = memory, 0
        self._cached: OrderedDict[str, Embedding] = OrderedDict()

    def find(self, texts: Iterable[str]) -> dict[str, Embedding]:
        """Of those texts that are cached, in their order."""
        return {text: self._cached[text] for text in texts if text in self._cached}

    def keep(self, embeddings: dict[str, Embedding]) -> None:
        """Add them, or mark them as used; the last stays longest."""
        for text, embedding in embeddings.items():
            known = self._cached.pop(text, None)
            self._cached[text] = embedding
            self.size += embedding.size - (known.size if known else 0)
        while self.size > self.memory:
            _, oldest = self._cached.popitem(last=False)
            self.size -= oldest.size


def embed(scorer: LoadedEncoder, texts: Sequence[str], batch_size: int) -> dict[str, Embedding]:
    """Embeddings of distinct texts, none of them blank; at most `batch_size` a forward pass."""
    utils, tokenizer = library(), scorer._tokenizer
    weights: defaultdict[int, float] = defaultdict(lambda: 1.0)  # no idf, as `BERTScorer.score` has it
    weights[tokenizer.sep_token_id] = weights[tokenizer.cls_token_id] = 0
    lengths = {text: len(utils.sent_encode(tokenizer, text)) for text in texts}
    embedded: dict[str, Embedding] = {}
    for batch in _batches(lengths, batch_size):
        padded, mask, weighed = utils.get_bert_embedding(batch, scorer._model, tokenizer, weights, device=scorer.device)
        padded = padded.cpu()
        for row, (text, length) in enumerate(zip(batch, mask.sum(dim=1).tolist(), strict=True)):
            # copies: a slice would keep the whole batch in memory
            embedded[text] = Embedding(padded[row, :length].clone(), weighed[row, :length].clone())
    return embedded


def _batches(lengths: dict[str, int], batch_size: int) -> Iterator[list[str]]:
    """Texts of like length together, longest first."""
    batch: list[str] = []
    for text in sorted(lengths, key=lambda text: -lengths[text]):
        if batch and (len(batch) == batch_size or lengths[text] < FULL * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def compare(
    answers: Sequence[Embedding], targets: Sequence[Embedding], device: str
) -> list[tuple[float, float, float]]:
    """(precision, recall, F1) of each answer against the target at its place."""
    columns = library().greedy_cos_idf(*_pad(targets, device), *_pad(answers, device))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _pad(embeddings: Sequence[Embedding], device: str) -> tuple[Tensor, Tensor, Tensor]:
    """States (texts, longest, width), which tokens are real (texts, longest), and weights (texts, longest)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    states = pad_sequence([text.states.to(device) for text in embeddings], batch_first=True, padding_value=PADDING)
    weights = pad_sequence([text.weights.to(device) for text in embeddings], batch_first=True)
    lengths = torch.tensor([len(text.weights) for text in embeddings], device=device)
    real = torch.arange(states.shape[1], device=device) < lengths.unsqueeze(1)
    return states, real, weights
