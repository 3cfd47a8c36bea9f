"""How fast the processor could be: the arithmetic that cannot be avoided, at the rate of bare matrix products."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ROWS = (512, 1024)  # tokens of a product; the better rate counts


@dataclass(frozen=True, slots=True)
class Necessary:
    """What a call of `loglikelihood` cannot do without, and what its self-check does besides.

    Attributes:
        flops: see `necessary`.
        unique: distinct prefixes of all requests, one token computed for each.
        check_flops, checked: arithmetic and tokens of the self-check, which computes the first and the last request
            of the first document on hf's path too, one by one and with the vocabulary head at every token.
    """

    flops: float
    unique: int
    check_flops: float
    checked: int


def necessary(lm: Any, instances: Sequence[Any]) -> Necessary:
    """The least arithmetic for these requests, of a model whose layers are matrices and attention.

    The formula is `s2eval.models.cost.arithmetic.Shape.flops`: every distinct prefix once through the layers, a
    product for the score and one for the value of each pair of a query and a key that it sees (itself and its
    ancestors), the vocabulary head for the rows that some request scores.
    """
    from s2eval.models.backend import backend_checks
    from s2eval.models.backend.likelihood import Scoring
    from s2eval.models.cost import arithmetic
    from s2eval.models.cost.arithmetic import Passes, alone

    scoring, shape = Scoring(_requests(lm, instances)), arithmetic.shape(lm.model)
    pairs = int(scoring.trie.depth.sum(dtype="int64")) + len(scoring.trie)
    once = Passes(len(scoring.trie), pairs, len(scoring.rows))
    checked = _requests(lm, [instances[number] for number in backend_checks.first_of_each(instances)])
    by_hf = alone((len(request.inputs) for request in checked), everywhere=True)
    return Necessary(shape.flops(once), once.tokens, shape.flops(by_hf), by_hf.tokens)


def _requests(lm: Any, instances: Sequence[Any]) -> list[Any]:
    """As hf encodes and cuts them."""
    from s2eval.models.backend.likelihood import Request

    pairs = [lm._encode_pair(*instance.args) for instance in instances]
    return [Request((context + target)[-(lm.max_length + 1) :][:-1], target) for context, target in pairs]


def _matrices(model: Any) -> tuple[list[Any], Any]:
    """The weights of the layers' matrices, and the vocabulary head's."""
    from torch import nn

    head = model.get_output_embeddings().weight
    found = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    return [weight for weight in found if weight is not head], head


def gemm_rate(lm: Any) -> float:
    """FLOPs a CPU second of bare matrix products: every matrix of the model, head included, times `ROWS` columns.

    BLAS writes into memory that is there already; each matrix comes from main memory, as in a forward pass.
    """
    return max(_sweep(lm.model, rows) for rows in ROWS)


def _sweep(model: Any, rows: int) -> float:
    import torch

    layers, head = _matrices(model)
    weights = [weight.detach().T for weight in (*layers, head)]
    inputs = {size: torch.randn(rows, size) for size in {weight.shape[0] for weight in weights}}
    outputs = {size: torch.zeros(rows, size) for size in {weight.shape[1] for weight in weights}}
    flops = seconds = 0.0
    with torch.no_grad():
        for weight in weights:
            started = time.process_time()
            torch.mm(inputs[weight.shape[0]], weight, out=outputs[weight.shape[1]])
            seconds += time.process_time() - started
            flops += 2 * rows * weight.numel()
    return flops / seconds
