"""From a request to a job: everything checked that can be without weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from s2eval.errors import DataError, UsageError
from s2train.data.files.jsonl import Source
from s2train.data.preferences import ASPECTS, Aspect
from s2train.data.records import QuestionLine
from s2train.label import bases, rankings, sampling
from s2train.label.candidates import Which
from s2train.label.ledger import Key
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
        aspect: of the pairs; None: that of the first ranking's reward models.
        out: FILE.jsonl.
        which, min_margin, ended_only: see `candidates.select` and `group`.
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
class Questions:
    """The prompts of a file, each once, in its order.

    Attributes:
        name: of the file, without folders; of a set with its name.
        sha256: of the file.
        rows: of the file that were read.
        repeated: of them, duplicates.
        long: of them, too long.
    """

    prompts: tuple[str, ...]
    name: str
    sha256: str
    rows: int
    repeated: int
    long: int

    def line(self) -> str:
        """The counts, in words."""
        counts = {"came before": self.repeated, "were too long and left out": self.long}
        left_out = "".join(f"; {count:,} {why}" for why, count in counts.items() if count)
        return f"{self.name}: {len(self.prompts):,} prompts of {self.rows:,} rows{left_out}"


@dataclass(frozen=True, slots=True)
class Job:
    """A request that was checked, and can begin."""

    request: Request
    policy: Policy
    rankings: tuple[Ranking, ...]
    questions: Questions
    aspect: Aspect

    @property
    def rankers(self) -> dict[str, Ranker]:
        """All of them by their keys, those of the policy's base first: it is in memory then."""
        rankers = [part for ranking in self.rankings for part, _ in ranking.parts]
        rankers.sort(key=lambda part: part.base_checkpoint != self.policy.base_checkpoint)
        return {part.key: part for part in rankers}

    @property
    def keys(self) -> list[Key]:
        """Of all answers, by prompt."""
        sampling = self.policy.key(self.request.how)
        numbers = range(self.request.answers)
        return [(sampling, prompt, number) for prompt in self.questions.prompts for number in numbers]

    def lines(self) -> list[str]:
        """What is about to happen, in words."""
        how, policy = self.request.how, self.policy
        return [
            self.questions.line(),
            f"policy {policy.name}, template {policy.template.name}: {self.request.answers} answers a prompt, "
            f"temperature {how.temperature:g}, {how.max_tokens} tokens at most",
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
    typed = [rankings.parse(text) for text in request.rankings]
    policy = sampling.policy(request.policy, request.template)
    known = rankings.KnownBase(policy.base_checkpoint.folder, policy.fingerprint)
    ranked = tuple(rankings.prepare(parts, known, allow_below_gate=request.allow_below_gate) for parts in typed)
    if len({ranking.parts for ranking in ranked}) < len(ranked):
        raise UsageError("--rank: one ranking is named twice")
    folders = {part.base_checkpoint.folder for ranking in ranked for part, _ in ranking.parts}
    context = min([policy.context, *map(bases.context, folders)])
    longest = context - request.how.max_tokens - _SPARE
    if longest < 1:
        raise UsageError(f"--max-tokens {request.how.max_tokens}: policy and rankings have a context of {context}")
    longest = min(longest, request.max_prompt or longest)
    questions = read_questions(*request.prompts, lambda prompt: policy.length(prompt) <= longest, request.limit)
    return Job(request, policy, ranked, questions, _aspect(request.aspect, ranked[0]))


def _check_settings(request: Request) -> None:
    how, out = request.how, request.out
    wrong = [
        (not request.rankings, "--rank: name one or more"),
        (request.answers < 2, f"--answers {request.answers}: expected 2 or more: one alone has nothing to win against"),
        (not how.temperature > 0, f"--temperature {how.temperature:g}: expected above 0: else all answers are one"),
        (not 0 < how.top_p <= 1, f"--top-p {how.top_p:g}: expected above 0 and at most 1"),
        (how.top_k < 0, f"--top-k {how.top_k}: expected 0 (no limit) or more"),
        (how.max_tokens < 1, f"--max-tokens {how.max_tokens}: expected 1 or more"),
        (not request.min_margin >= 0, f"--min-margin {request.min_margin:g}: expected 0 or more"),
        (out.suffix != SUFFIX or out.name.endswith(ANSWERS), f"--out {out}: expected FILE{SUFFIX}"),
    ]
    if problems := [text for bad, text in wrong if bad]:
        raise UsageError("; ".join(problems))
    if out.is_dir():
        raise UsageError(f"--out {out}: a folder is there")
    about = out.with_suffix(ABOUT)
    if out.exists() and not about.is_file():
        raise UsageError(
            f"--out {out}: already exists, without the {about.name} that this command writes. Choose another --out"
        )


def _aspect(chosen: str | None, ranking: Ranking) -> Aspect:
    trained = {part.aspect for part, _ in ranking.parts}
    name = chosen or (trained.pop() if len(trained) == 1 else None)
    for aspect in ASPECTS:
        if aspect == name:
            return aspect
    raise UsageError(f"--aspect{f' {name}' if name else ''}: expected {', '.join(ASPECTS)}")


def read_questions(path: Path, name: str, fits: Callable[[str], bool], limit: int | None = None) -> Questions:
    """The prompts in the first rows of a file that fit into the context; `name` is the file's for people.

    Raises:
        DataError: the file is missing or broken, or has nothing to ask.
    """
    source = Source(path, QuestionLine)
    texts = [line.text for number, line in enumerate(source) if limit is None or number < limit]
    prompts = list(dict.fromkeys(texts))
    short = [prompt for prompt in prompts if fits(prompt)]
    if not short:
        why = f"all {len(prompts):,} prompts are too long" if prompts else "it has no rows"
        raise DataError(f"{path}: nothing to answer: {why}")
    repeated, long = len(texts) - len(prompts), len(prompts) - len(short)
    return Questions(tuple(short), name, source.sha256, len(texts), repeated, long)


def sources(prompts: Path | None, data: Path | None, name: str, side: str) -> tuple[Path, str]:
    """The file of prompts that a user means, and its name; UsageError where none or two are named."""
    if prompts is not None and data is None:
        return prompts.expanduser(), prompts.name
    if data is not None and prompts is None:
        return data.expanduser() / name / f"{side}.jsonl", f"{name}/{side}.jsonl"
    raise UsageError("where are the prompts? --prompts FILE, or --data DIR with --set and --side")
