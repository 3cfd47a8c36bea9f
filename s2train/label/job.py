"""From a request to a job: everything checked that can be without weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2eval.errors import UsageError
from s2train.data.preferences import ASPECTS
from s2train.label import bases, questions, rankings, sampling
from s2train.label.ledger import Key
from s2train.label.pairs import Which
from s2train.label.questions import Questions
from s2train.label.rankings import Ranker, Ranking
from s2train.label.sampling import Policy, Sampling

SUFFIX, ANSWERS, ABOUT = ".jsonl", ".answers.jsonl", ".json"
_SPARE = 16  # tokens of the context that are left free: a text may be encoded in more tokens than it was written in


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Attributes:
        prompts: file with them, and its name for people.
        policy: a MODEL.
        rankings: as typed; the first labels, the others are compared with it.
        answers: of each prompt.
        how: of sampling.
        aspect: of the pairs; None: that of the first ranking's reward models.
        out: FILE.jsonl.
        which, min_margin, ended_only: see `pairs.select`, `candidates.group`.
        limit: rows of the prompts' file.
        max_prompt: tokens of a prompt.
        template: of the policy's prompts; None: as evaluation chooses it.
        allow_below_gate: whether reward models that are wrong too often may rank.
    """

    prompts: tuple[Path, str]
    policy: str
    rankings: tuple[str, ...]
    out: Path
    answers: int = 4
    how: Sampling = field(default_factory=Sampling)
    aspect: str | None = None
    which: Which = "best-worst"
    min_margin: float = 0.0
    ended_only: bool = False
    limit: int | None = None
    max_prompt: int | None = None
    template: str | None = None
    allow_below_gate: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A request that was checked, and can begin."""

    request: Request
    policy: Policy
    rankings: tuple[Ranking, ...]
    questions: Questions
    aspect: Any

    @property
    def rankers(self) -> dict[str, Ranker]:
        """All of them by their keys, those of the policy's base first: it is in memory then."""
        rankers = [part for ranking in self.rankings for part, _ in ranking.parts]
        rankers.sort(key=lambda part: part.base_checkpoint != self.policy.base_checkpoint)
        return {part.key: part for part in rankers}

    @property
    def keys(self) -> list[Key]:
        """Of all answers, by prompt."""
        how = self.policy.key(self.request.how)
        return [(how, prompt, number) for prompt in self.questions.prompts for number in range(self.request.answers)]

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        how, who = self.request.how, self.policy
        return [
            self.questions.line(),
            f"policy {who.name}, template {who.template.name}: {self.request.answers} answers a prompt, temperature "
            f"{how.temperature:g}, {how.max_tokens} tokens at most",
            f"labels by {self.rankings[0].name}"
            + "".join(f"; compared with {ranking.name}" for ranking in self.rankings[1:]),
            *self.notes(),
        ]

    def notes(self) -> list[str]:
        """What a reader of the numbers should know."""
        notes = list[str]()
        for ranker in self.rankers.values():
            name = f"{ranker.kind}:{ranker.name}"
            if ranker.template != self.policy.template.name:
                notes.append(
                    f"{name} reads prompts in the template {ranker.template} that it was trained with; the policy "
                    f"answers in {self.policy.template.name}."
                )
            if ranker.kind == "reward":
                known = "never measured" if ranker.accuracy is None else f"right on {ranker.accuracy:.1%} of them"
                notes.append(f"{name} on held-out pairs: {known}.")
            elif ranker.reference is not None:
                notes.append(f"{name}: the reference is the adapter {ranker.reference.name}, found by its name.")
        return notes


def prepare(request: Request) -> Job:
    """Check everything that can be without weights.

    Raises:
        UsageError, PrerequisiteError: what cannot be labelled, and why.
    """
    _check_settings(request)
    _check_replaceable(request.out)
    named = [rankings.parse(text) for text in request.rankings]
    policy = sampling.policy(request.policy, request.template)
    known = rankings.Known(policy.base_checkpoint.folder, policy.fingerprint)
    ranked = tuple(rankings.prepare(parts, known, allow_below_gate=request.allow_below_gate) for parts in named)
    if len({ranking.parts for ranking in ranked}) < len(ranked):
        raise UsageError("--rank: one ranking is named twice")
    bases_of_rankings = {part.base_checkpoint.folder for ranking in ranked for part, _ in ranking.parts}
    context = min([policy.context, *map(bases.context, bases_of_rankings)])
    room = context - request.how.max_tokens - _SPARE
    if room < 1:
        raise UsageError(f"--max-tokens {request.how.max_tokens}: policy and rankings have a context of {context}")
    most = min(room, request.max_prompt or room)
    asked = questions.read(*request.prompts, lambda prompt: policy.length(prompt) <= most, request.limit)
    return Job(request, policy, ranked, asked, _aspect(request.aspect, ranked[0]))


def _check_settings(request: Request) -> None:
    how = request.how
    wrong = [
        (not request.rankings, "--rank: name one or more"),
        (request.answers < 2, f"--answers {request.answers}: expected 2 or more: one alone has nothing to win against"),
        (not how.temperature > 0, f"--temperature {how.temperature:g}: expected above 0: else all answers are one"),
        (not 0 < how.top_p <= 1, f"--top-p {how.top_p:g}: expected above 0 and at most 1"),
        (how.top_k < 0, f"--top-k {how.top_k}: expected 0 (no limit) or more"),
        (how.max_tokens < 1, f"--max-tokens {how.max_tokens}: expected 1 or more"),
        (not request.min_margin >= 0, f"--min-margin {request.min_margin:g}: expected 0 or more"),
        (
            request.out.suffix != SUFFIX or request.out.name.endswith(ANSWERS),
            f"--out {request.out}: expected FILE{SUFFIX}",
        ),
    ]
    if problems := [text for bad, text in wrong if bad]:
        raise UsageError("; ".join(problems))


def _check_replaceable(out: Path) -> None:
    if out.is_dir():
        raise UsageError(f"--out {out}: a folder is there")
    if out.exists() and not out.with_suffix(ABOUT).is_file():
        raise UsageError(
            f"--out {out}: it is there already, without the {out.with_suffix(ABOUT).name} that this command writes; "
            "choose another --out"
        )


def _aspect(wanted: str | None, ranking: Ranking) -> Any:
    aspects = {part.aspect for part, _ in ranking.parts}
    aspect = wanted or (aspects.pop() if len(aspects) == 1 else None)
    if aspect not in ASPECTS:
        raise UsageError(f"--aspect {aspect or ''}: expected {', '.join(ASPECTS)}".replace("--aspect :", "--aspect:"))
    return aspect


def sources(prompts: Path | None, data: Path | None, name: str, side: str) -> tuple[Path, str]:
    """The file of prompts that a user means, and its name.

    Raises:
        UsageError: none or two are named.
    """
    if (prompts is None) == (data is None):
        raise UsageError("where are the prompts? --prompts FILE, or --data DIR with --set and --side")
    if prompts is not None:
        return prompts.expanduser(), prompts.name
    assert data is not None
    return data.expanduser() / name / f"{side}.jsonl", f"{name}/{side}.jsonl"
