"""Log-likelihoods of continuations, all requests of a call at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from s2eval.models.trie import trie
from s2eval.models.trie.engine import Engine
from s2eval.models.trie.trie import Ints

_CHUNK = {"cpu": 8 << 20}  # bytes of logits that are normalised at a time: what a processor's cache holds
_CHUNK_ELSEWHERE = 256 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """A continuation to score: `inputs` are the token ids of context and continuation but for its last, `targets`
    those of the continuation, 1 to len(inputs) of them."""

    inputs: Sequence[int]
    targets: Sequence[int]


class Scoring:
    """The requests of a call as a trie with the places where they are scored; request `first` is computed first."""

    def __init__(self, requests: Sequence[Request], first: int = 0) -> None:
        lengths = [len(request.targets) for request in requests]
        begin = requests[first].inputs if requests else ()
        self.trie = trie.build([request.inputs for request in requests], lengths, begin)
        self._bounds = np.concatenate([[0], np.cumsum(lengths)])
        self._places: Ints = np.concatenate([np.empty(0, np.int32), *self.trie.tails])
        self._targets = np.fromiter((t for request in requests for t in request.targets), np.int64, sum(lengths))
        self.rows: Ints = np.unique(self._places)

    def run(self, engine: Engine, dtype: torch.dtype | None = None) -> Iterator[list[tuple[int, float, bool]]]:
        """After each forward pass, the requests that it completed: number, log-likelihood, whether it is greedy.

        The logits are normalised in `dtype`; None = their own.
        """
        logprobs = torch.empty(len(self._places), dtype=torch.float32)
        greedy = np.empty(len(self._places), np.bool_)
        order = np.argsort(self._places, kind="stable")
        sorted_places = self._places[order]
        last = self._places[self._bounds[1:] - 1]  # a request is complete once its last place is computed
        queue = np.argsort(last, kind="stable")
        done = 0
        for batch, rows, logits in engine.run(self.trie, self.rows):
            here = slice(*np.searchsorted(sorted_places, (batch.start, batch.stop)))
            entries = order[here]
            row_of = np.searchsorted(rows, sorted_places[here])
            logprobs[entries], greedy[entries] = _pick(logits, row_of, self._targets[entries], dtype)
            until = int(np.searchsorted(last[queue], batch.stop))
            completed: list[tuple[int, float, bool]] = []
            for number in queue[done:until].tolist():
                mine = slice(self._bounds[number], self._bounds[number + 1])
                completed.append((number, float(logprobs[mine].sum()), bool(greedy[mine].all())))
            yield completed
            done = until


def _pick(
    logits: Tensor, rows: np.ndarray, targets: np.ndarray, dtype: torch.dtype | None
) -> tuple[Tensor, np.ndarray]:
    """Log-probability of each target (E,) in its row of the logits (R, V), and whether it is the most likely there.

    Rows are ascending.
    """
    row, target = (torch.from_numpy(part).to(logits.device) for part in (rows, targets))
    best = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    picked = torch.empty(len(row), dtype=torch.float32, device=logits.device)
    room = _CHUNK.get(logits.device.type, _CHUNK_ELSEWHERE)
    step = max(room // (logits.shape[-1] * logits.element_size()), 1)
    for start in range(0, len(logits), step):
        part = logits[start : start + step]
        best[start : start + step] = part.argmax(-1)
        low, high = np.searchsorted(rows, (start, start + step))
        mine = slice(int(low), int(high))
        picked[mine] = log_softmax(part, dim=-1, dtype=dtype)[row[mine] - start, target[mine]].float()
    return picked.cpu(), (best[row] == target).cpu().numpy()
