"""The records that pass along the line: samples → estimates → rows. All frozen, all plain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MINIMUM = 4
"""Independent items (documents, questions of a judge) from which on an interval is computed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One document of one task, answered by one model, with its value in each metric.

    Attributes:
        doc_id: position in the task's document order, from 0.
        doc_hash, prompt_hash: as lm-eval writes them; the first joins the same document over models.
        stratum: the part of the task that the document belongs to (an MMLU subject); "" if there are no parts.
        values: metric → value of this document.
        counts: (words, sentences, syllables) of the answer, for the readability of all answers as one text.
        answer, reference: without reasoning, and what it is compared with; None for tasks that score log-likelihoods.
        reasoning: before the answer; "" where there is none.
    """

    doc_id: int
    doc_hash: str
    prompt_hash: str
    stratum: str = ""
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    counts: tuple[int, int, int] | None = None
    question: str = ""
    answer: str | None = None
    reference: str | None = None
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """The values that a metric can have; a bound is None where there is none, or none is known.

    `graded`: values at the two ends are scores like others (ROUGE-2 of 0). Else a metric that is only ever `low` or
    `high` (0 or 1 where no bounds are known) means no and yes, and its mean is a share.
    """

    low: float | None = None
    high: float | None = None
    graded: bool = False

    @property
    def span(self) -> float | None:
        """From the least to the greatest value; None where one of them is not known."""
        return None if self.low is None or self.high is None else self.high - self.low

    @property
    def differences(self) -> Scale:
        """Of what two scores on this scale can differ by."""
        return Scale(graded=True) if self.span is None else Scale(-self.span, self.span, graded=True)

    def times(self, factor: float) -> Scale:
        """The scale in another unit, `factor` > 0."""
        low, high = (None if bound is None else bound * factor for bound in (self.low, self.high))
        return Scale(low, high, self.graded)

    def clip(self, value: float) -> float:
        """The value, or the bound that it lies beyond."""
        value = value if self.low is None else max(self.low, value)
        return value if self.high is None else min(self.high, value)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard error and 95% interval in the same unit; None where they cannot be computed.

    Attributes:
        n, n_valid: items that should have counted, and items that did.
        method: how the interval was computed, in a word: see docs/statistics.md.
    """

    value: float | None
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    n_valid: int
    method: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One number of `scores.csv`; the fields are its columns, in their order.

    Attributes:
        model: its name in the configuration.
        group: models of one recipe that differ by seed only share a group; else the model's name.
        subset: part of the task, e.g. an MMLU subject; "" = all of it.
        judge, turn: "" without a judge, and of all turns.
        metric: as lm-eval prints it.
        value, stderr, ci_low, ci_high, n, n_valid: see `Estimate`.
        provenance: first 16 hex digits of the SHA-256 over everything that determines the number.
    """

    model: str
    group: str
    seed: int | None
    task: str
    subset: str
    judge: str
    turn: str
    metric: str
    value: float | None
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    n_valid: int
    provenance: str


@dataclass(frozen=True, slots=True)
class Encoder:
    """What measured a unit's BERTScore; `key` determines the numbers."""

    name: str
    hash: str
    key: str


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """How the numbers of a unit came about, as text for notes and conditions; empty where its files do not say.

    Attributes:
        template: prompt template with its hash; of plain lm-eval the hash of the chat template.
        documents: hash of the task's documents.
        decoding: settings of generation, as JSON.
        work: what the backend counted, in `unit.json` form.
        invalid: metric → text of each value that is no number → how often.
        invalid_aggregates: metric → text of an aggregate that is no number.
        unverified: whether the files carry no hashes to compare with.
        bertscore_with_reasoning: whether an earlier version measured BERTScore with the reasoning; it is not read.
    """

    template: str = ""
    documents: str = ""
    version: str = ""
    shots: str = ""
    decoding: str = ""
    limit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    encoder: Encoder | None = None
    work: Mapping[str, Any] | None = None
    finished: str = ""
    seconds: float = 0.0
    invalid: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    invalid_aggregates: Mapping[str, str] = field(default_factory=dict[str, str])
    unverified: bool = False
    bertscore_with_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """One model on one task, as read back from disk.

    Attributes:
        samples: in document order; empty where no samples were logged.
        aggregates: metric → (value, stderr) as lm-eval printed them; stderr None where it printed N/A.
        n: documents evaluated.
        provenance: the unit's key, or the hash of the results file of plain lm-eval.
        log: lm-eval's file of samples.
    """

    model: str
    task: str
    samples: tuple[Sample, ...]
    aggregates: Mapping[str, tuple[float, float | None]]
    n: int
    provenance: str
    facts: UnitFacts = field(default_factory=UnitFacts)
    log: Path | None = None
