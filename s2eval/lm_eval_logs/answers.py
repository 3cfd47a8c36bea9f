"""The answer in a sample of lm-eval, without its reasoning, and our metrics of the answer alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from s2eval.metrics import answers
from s2eval.metrics.answers import OF_DOCUMENTS
from s2eval.metrics.size import CUT, MEASURED
from s2eval.reasoning import Split, split

OPENED = "reasoning_opened"
"""The field of a document whose prompt ends inside of the reasoning, which some chat templates open."""
REASONING = "reasoning"
"""The field of a sample whose reasoning the backend took off (`think_end_token`)."""

_OF_TEXT = frozenset({*OF_DOCUMENTS, *MEASURED})

# What an answer with reasoning has somewhere; a line without it need not be parsed to know that there is none.
_HINT = re.compile(
    rb"think(?:ing)?[^<>\n]{0,60}>|think(?:\xe2\x96\xb7|\\u25b7)|\[/?think|thoughts?>|of_thought|reasoning>|reflection>|"
    rb'analysis>|channel\|>|unused95|\[+"\s*(?:analysis|commentary|assistant)|assistant\s{0,2}final|"reasoning": ',
    re.I,
)


def answer_in(line: Mapping[str, object]) -> Split | None:
    """The first answer of a line of `samples_*.jsonl`; None where it has log-likelihoods."""
    responses = line.get("filtered_resps")
    text = responses[0] if isinstance(responses, list | tuple) and responses else None
    if not isinstance(text, str):
        return None
    doc = line.get("doc")
    parts = split_text(text, doc if isinstance(doc, dict) else {})
    beside = line.get(REASONING)
    return parts._replace(reasoning=beside) if isinstance(beside, str) and beside and not parts.reasoning else parts


def split_text(text: str, doc: Mapping[str, object]) -> Split:
    """The answer in a model's text to a document."""
    parts = split(text.strip(), opened=bool(doc.get(OPENED)))
    return parts._replace(answer=parts.answer.strip())


def may_have_reasoning(line: bytes) -> bool:
    """Whether a line, as it stands in the file, may hold reasoning; never False where it does."""
    return _HINT.search(line, max(line.rfind(b'"resps": '), 0)) is not None or b'"reasoning_opened": true' in line


def values_of(values: Mapping[str, float], parts: Split, reference: str) -> dict[str, float]:
    """A sample's values, with those of its text measured on the answer alone.

    Samples of older releases were scored with their reasoning.
    """
    scores = answers.score(parts.answer, reference)
    if not is_ours(values):  # somebody's task, which names some of the metrics
        scores = {name: value for name, value in scores.items() if name in values}
    others = {name: value for name, value in values.items() if name not in _OF_TEXT}
    return {**others, **scores, **({CUT: 1.0} if CUT in values and not parts.closed else {})}


def counts_of(parts: Split) -> tuple[int, int, int] | None:
    """(words, sentences, syllables) of the answer; None where they cannot be counted."""
    counts = answers.counts(parts.answer)
    return (counts.words, counts.sentences, counts.syllables) if counts else None


def is_ours(values: Mapping[str, float]) -> bool:
    """Whether a sample has the values of our tasks of questions and answers."""
    return answers.is_ours(list(values))


def has_our_metrics(values: Mapping[str, float]) -> bool:
    """Whether any metric of this package was measured, and so on the answer alone; others see the complete text."""
    return any(name.startswith("s2_") for name in values)
