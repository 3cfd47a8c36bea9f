"""What labelling gave: the sample, the rankings, the labels, how far rankings agree. Numbers first, then tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from s2eval.records import Estimate
from s2eval.report import Cell, Table, TableRow
from s2eval.report.render.markdown import render_table
from s2eval.stats import clustered_mean
from s2train.label import agreement, candidates
from s2train.label.agreement import Agreement
from s2train.label.candidates import Candidate, Groups, Pair, Selection

_LONG, _GRADE = "the longer answer wins", "Flesch-Kincaid grade, better less worse"


@dataclass(frozen=True, slots=True)
class Sample:
    """The answers: how many, how many ended by themselves, words of one on average; `left_out` as of `Groups`."""

    prompts: int
    answers: int
    ended: int
    words: float
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Liked:
    """What a ranking does with all pairs of answers to one prompt.

    Attributes:
        mean, spread: of its scores; their standard deviation.
        longer: share of pairs in which it likes the answer of more words.
        grade: Flesch-Kincaid grade of the better answer less that of the worse one, mean.
    """

    name: str
    mean: Estimate
    spread: float
    longer: Estimate
    grade: Estimate


@dataclass(frozen=True, slots=True)
class Labels:
    """The pairs that were written: counts as of `Selection`, the mean margin; `longer`, `grade` as of `Liked`."""

    pairs: int
    ties: int
    narrow: int
    margin: float | None
    longer: Estimate
    grade: Estimate


@dataclass(frozen=True, slots=True)
class Report:
    """All of it: the first ranking made the labels, with which `agreements` compares each other one."""

    sample: Sample
    rankings: tuple[Liked, ...]
    labels: Labels
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """For JSON; estimates as value, interval and counts."""
        return asdict(self)


def build(
    answers: Sequence[Candidate], groups: Groups, selection: Selection, names: Sequence[str], notes: Sequence[str] = ()
) -> Report:
    """Count and estimate, of all answers that were sampled; `names` are those of the rankings."""
    pairs = list(groups.pairs())
    labelled = [(label.chosen, label.rejected) for label in selection.pairs]
    margins = [label.margin for label in selection.pairs]
    return Report(
        Sample(
            prompts=len({answer.prompt for answer in answers}),
            answers=len(answers),
            ended=sum(answer.ended for answer in answers),
            words=sum(answer.words for answer in answers) / len(answers),
            left_out=dict(groups.left_out),
        ),
        tuple(_liked(answers, pairs, place, name) for place, name in enumerate(names)),
        Labels(
            pairs=len(labelled),
            ties=selection.ties,
            narrow=selection.narrow,
            margin=sum(margins) / len(margins) if margins else None,
            longer=agreement.longer_wins(labelled, 0),
            grade=agreement.grade_of_better(labelled, 0),
        ),
        tuple(agreement.agree(groups, selection.pairs, 0, other) for other in range(1, len(names))),
        tuple(notes),
    )


def _liked(answers: Sequence[Candidate], pairs: Sequence[Pair], place: int, name: str) -> Liked:
    scores = [answer.scores[place] for answer in answers]
    mean = clustered_mean(scores, [answer.prompt for answer in answers], within=agreement.UNBOUNDED)
    assert mean.value is not None
    squares = sum((score - mean.value) ** 2 for score in scores)
    spread = (squares / (len(scores) - 1)) ** 0.5 if len(scores) > 1 else 0.0
    longer, grade = agreement.longer_wins(pairs, place), agreement.grade_of_better(pairs, place)
    return Liked(name, mean, spread, longer, grade)


def render(report: Report) -> str:
    """Markdown, to be read in a terminal and pasted."""
    return "\n\n".join(render_table(table) for table in tables(report)) + "\n"


def tables(report: Report) -> Iterator[Table]:
    """Tables without mark-up."""
    sample, labels, names = report.sample, report.labels, [ranking.name for ranking in report.rankings]
    counts = {
        "prompts": sample.prompts,
        "answers": sample.answers,
        "of them ended by themselves": sample.ended,
        "empty, left out": sample.left_out.get(candidates.EMPTY, 0),
        "not ended, left out": sample.left_out.get(candidates.UNENDED, 0),
        "identical to another of its prompt, left out": sample.left_out.get(candidates.IDENTICAL, 0),
        "prompts without two answers to compare": sample.left_out.get(candidates.ALONE, 0),
        "pairs labelled": labels.pairs,
        "ties, no pair": labels.ties,
        "margin too small, no pair": labels.narrow,
    }
    rows = [_row(name, Cell(float(count), digits=0)) for name, count in counts.items()]
    rows.insert(3, _row("words an answer, mean", Cell(sample.words, digits=1)))
    rows.append(_row("margin of a pair, mean", Cell(labels.margin, digits=4)))
    rows.append(_row(f"of the pairs, {_LONG}", _cell(labels.longer)))
    rows.append(_row("Flesch-Kincaid grade, chosen less rejected", _cell(labels.grade)))
    yield Table("label_sample", f"Labels by {names[0]}", ("",), ("",), tuple(rows), report.notes)
    yield Table(
        "label_rankings",
        "Rankings, on all pairs of answers to one prompt",
        ("ranking",),
        ("score, mean", "score, standard deviation", _LONG, _GRADE),
        tuple(
            _row(
                ranking.name,
                _cell(ranking.mean, 4),
                Cell(ranking.spread, digits=4),
                _cell(ranking.longer),
                _cell(ranking.grade),
            )
            for ranking in report.rankings
        ),
    )
    if report.agreements:
        yield Table(
            "label_agreement",
            f"Agreement with {names[0]}",
            ("ranking",),
            ("pairs ordered alike", "of the labels", "Kendall's tau-b", "Cohen's kappa", "same best answer"),
            tuple(
                _row(name, *(_cell(getattr(row, field.name)) for field in fields(Agreement)))
                for name, row in zip(names[1:], report.agreements, strict=True)
            ),
            (
                "By chance half of the pairs are ordered alike, tau-b and kappa are 0, and the best of k answers is "
                "the same in 1/k of the prompts.",
                "95% intervals, clustered by prompt. n_valid/n: pairs, of the last and tau-b prompts, that both order.",
            ),
        )


def _row(name: str, *cells: Cell) -> TableRow:
    return TableRow((name,), cells)


def _cell(estimate: Estimate, digits: int = 3) -> Cell:
    few = estimate.method in ("too-few", "constant")
    return Cell(estimate.value, estimate.ci_low, estimate.ci_high, estimate.n, estimate.n_valid, digits=digits, few=few)
