"""Questions with reference answers, which `s2train data` builds."""

from __future__ import annotations

from s2eval.data import Row, Source, Text


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
