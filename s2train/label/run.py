"""A job is done: sampled, scored, paired, written; what was done before is not done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from s2eval.metrics import flesch_applies, readability
from s2train import checkpoint
from s2train.data.files.jsonl import replacing
from s2train.data.preferences import PreferenceLine
from s2train.label import report, sampling, scoring
from s2train.label.bases import Bases
from s2train.label.candidates import Candidate, Selection, group, select
from s2train.label.job import ABOUT, ANSWERS, Job
from s2train.label.ledger import Ledger
from s2train.label.rankings import Ranker
from s2train.label.report import Report

KIND = "label"
_AT_ONCE = 16  # answers scored between two writings

Progress = Callable[[str, int, int], object]
"""(what is done, how many of it are, of how many)."""


def run(job: Job, progress: Progress = lambda *_: None) -> Report:
    """Sample, score, pair and write; return what it came to.

    Raises:
        UsageError, PrerequisiteError: a model that cannot be loaded or does not fit.
    """
    request = job.request
    with Ledger.open(request.out.with_name(request.out.stem + ANSWERS)) as ledger:
        bases = Bases()
        _sample(job, ledger, bases, progress)
        for ranker in job.rankers.values():
            _score(job, ledger, bases, ranker, progress)
        bases.release()
        ledger.tidy(job.keys)
        answers = _candidates(job, ledger)
    groups = group(answers, ended_only=request.ended_only)
    selection = select(groups, which=request.which, min_margin=request.min_margin)
    agreement = report.build(answers, groups, selection, [ranking.name for ranking in job.rankings], job.notes())
    _write(job, selection, agreement)
    return agreement


def _sample(job: Job, ledger: Ledger, bases: Bases, progress: Progress) -> None:
    keys = job.keys
    missing = [(prompt, number) for how, prompt, number in keys if ledger.get((how, prompt, number)) is None]
    done = len(keys) - len(missing)
    progress("answers", done, len(keys))
    for number, line in enumerate(sampling.sample(bases, job.policy, job.request.how, missing), 1):
        ledger.add(line)
        progress("answers", done + number, len(keys))


def _score(job: Job, ledger: Ledger, bases: Bases, ranker: Ranker, progress: Progress) -> None:
    lines = [line for key in job.keys if (line := ledger.get(key)) is not None]
    missing = [line for line in lines if ranker.key not in line.scores]
    done, name = len(lines) - len(missing), f"{ranker.kind}:{ranker.name}"
    progress(name, done, len(lines))
    if not missing:
        return
    score = scoring.scorer(bases, ranker)
    for start in range(0, len(missing), _AT_ONCE):
        batch = missing[start : start + _AT_ONCE]
        values = score([(line.prompt, line.answer) for line in batch])
        for line, value in zip(batch, values, strict=True):
            ledger.add(line.model_copy(update={"scores": {**line.scores, ranker.key: value}}))
        done += len(batch)
        progress(name, done, len(lines))


def _candidates(job: Job, ledger: Ledger) -> list[Candidate]:
    candidates = list[Candidate]()
    for key in job.keys:
        line = ledger.get(key)
        assert line is not None  # all were sampled
        flesch = readability(line.answer)
        grade = flesch.fkg if flesch_applies(line.answer) else None
        scores = tuple(ranking.score(line.scores) for ranking in job.rankings)
        candidates.append(
            Candidate(line.prompt, line.number, line.answer, line.ended, flesch.counts.words, grade, scores)
        )
    return candidates


def _write(job: Job, selection: Selection, agreement: Report) -> None:
    out = job.request.out
    with replacing(out.parent, [out.name, out.with_suffix(ABOUT).name]) as (labels, about):
        for pair in selection.pairs:
            line = PreferenceLine(
                prompt=pair.chosen.prompt,
                chosen=pair.chosen.text,
                rejected=pair.rejected.text,
                aspect=job.aspect,
                margin=float(f"{pair.margin:.6g}"),
                source=f"{KIND}/{job.policy.name}",
            )
            labels.write(line.model_dump())
        about.write(_about(job, agreement, labels.sha256), indent=1)


def _about(job: Job, agreement: Report, sha256: str) -> dict[str, object]:
    """FILE.json: how it was written, without this machine's folders."""
    request, policy, questions = job.request, job.policy, job.questions
    return {
        "kind": KIND,
        "labels": {"name": request.out.name, "sha256": sha256},
        "prompts": {"name": questions.name, "sha256": questions.sha256, "rows": questions.rows,
                    "repeated": questions.repeated, "long": questions.long},
        "policy": {"name": policy.name, "identity": policy.identity, "base_sha256": policy.fingerprint,
                   "template": policy.template.name, "template_hash": policy.template.hash},
        "sampling": {"key": policy.key(request.how), "answers": request.answers, **asdict(request.how)},
        "rankings": [
            {"name": ranking.name, "parts": [_part(part, weight) for part, weight in ranking.parts]}
            for ranking in job.rankings
        ],
        "settings": {"aspect": job.aspect, "pairs": request.which, "min_margin": request.min_margin,
                     "ended_only": request.ended_only, "limit": request.limit, "max_prompt": request.max_prompt},
        "versions": checkpoint.versions(),
        "measured": agreement.as_dict(),
    }  # fmt: skip


def _part(part: Ranker, weight: float) -> dict[str, object]:
    about: dict[str, object] = {
        "kind": part.kind, "name": part.name, "key": part.key, "weight": weight, "template": part.template,
    }  # fmt: skip
    if part.kind == "reward":
        return about | {"accuracy": part.accuracy}
    return about | {"beta": part.beta, "reference": part.reference and part.reference.name}
