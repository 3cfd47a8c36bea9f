"""Which questions are asked: a fixed sample of a validation split."""

from __future__ import annotations

import random
from collections.abc import Sequence

from s2eval.tasks.qa.rows import PairRow

SAMPLE_SIZE = 100
SAMPLE_SEED = 42


def sample(rows: Sequence[PairRow], size: int = SAMPLE_SIZE, seed: int = SAMPLE_SEED) -> list[PairRow]:
    """`size` rows drawn without replacement, in the order drawn; all rows, shuffled, where there are fewer."""
    return random.Random(seed).sample(list(rows), min(size, len(rows)))


def document(row: PairRow) -> dict[str, str]:
    """A row as lm-eval's task sees it, without its prompt."""
    return {"id": row.id, "question": row.question, "answer": row.answer, "source": row.source}
