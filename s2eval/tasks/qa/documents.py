"""Questions with reference answers, which `s2train data` builds; a fixed sample of a validation split is evaluated."""

from __future__ import annotations

import random
from collections.abc import Sequence

from s2eval.data import Row, Source, Text

SAMPLE_SIZE = 100
SAMPLE_SEED = 42


class PairRow(Row):
    """One question with its reference answer (ELI5, Simple Wikipedia, both)."""

    id: Text
    question: Text
    answer: Text
    source: str = ""

    def texts(self) -> tuple[str, ...]:
        return self.question, self.answer


PAIRS = {
    "eli5": Source("eli5", PairRow, hint="make it with: s2train data eli5 --input FILE --out DIR"),
    "wiki": Source("wiki", PairRow, hint="make it with: s2train data wiki --input FILE --out DIR"),
    "full": Source("full", PairRow, hint="`s2train data` makes it as soon as DIR holds both eli5 and wiki"),
}


def sample(rows: Sequence[PairRow], size: int = SAMPLE_SIZE, seed: int = SAMPLE_SEED) -> list[PairRow]:
    """`size` rows drawn without replacement, in the order drawn; all rows, shuffled, if there are fewer."""
    return random.Random(seed).sample(list(rows), min(size, len(rows)))


def document(row: PairRow) -> dict[str, str]:
    """A row as lm-eval's task sees it, without its prompt."""
    return {"id": row.id, "question": row.question, "answer": row.answer, "source": row.source}
