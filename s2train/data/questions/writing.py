"""Questions written by a language model, each to be answered by an existing text (a Wikipedia lead).

    passages_of(pairs) → calls(…) → ask (s2eval.llm: stored, resumed, limited) → checks → once more → pairs

The result depends on the passages and the replies, never on the replies' order.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from s2eval.errors import DataError, UsageError
from s2eval.llm import Budget, Call, Failure, Ledger, Message, Outcome, Service, Spent, ask
from s2eval.models import kind_of
from s2eval.reasoning import answer_of
from s2train.data.build.split import normalised
from s2train.data.questions.checks import DUPLICATE, REASONS, Draft, Thresholds, question_in, refusal
from s2train.data.records import Pair
from s2train.data.rules import CHARACTERS, ENTITIES_ONCE, SPACING, clean

REMOTE = "openai:"
DEFAULT_MODEL = "openai:gpt-3.5-turbo"
EXAMPLES = 10  # refused questions that the funnel shows for each reason

Role = Literal["system", "user", "assistant"]

_ROLE = re.compile(r"^# (system|user|assistant)[^\S\n]*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{(title|text)\}")
_REPLY = (ENTITIES_ONCE, CHARACTERS, SPACING)


class Attempt(BaseModel):
    """How one question is sampled; `seed` None = none is sent, for servers that know no seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(ge=0, le=2)
    seed: int | None = None


class QuestionSettings(BaseModel):
    """How questions are sampled, first and once more where the first was refused, and what they must be like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Attempt = Attempt(temperature=0.0, seed=0)
    again: Attempt = Attempt(temperature=0.7, seed=1)
    max_tokens: int = Field(default=96, ge=1)
    checks: Thresholds = Thresholds()


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that wants a question; `id` is unique."""

    id: str
    title: str
    text: str
    source: str = "simplewiki"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The instruction to the model: `{title}` and `{text}` stand for the passage's, all else is literal.

    Lines `# system`, `# user` and `# assistant` begin messages, for examples that come before; without any of them
    the template is one message of the user.

    Raises:
        DataError: the last message is not the user's, or `{text}` is missing in it.
    """

    template: str

    def __post_init__(self) -> None:
        role, last = self._messages()[-1]
        if role != "user" or "{text}" not in last:
            raise DataError("the prompt for questions has no {text} in a last message of the user: there goes the text")

    @property
    def hash(self) -> str:
        """16 hex digits of the template's SHA-256; part of every row."""
        return hashlib.sha256(self.template.encode()).hexdigest()[:16]

    def render(self, passage: Passage) -> tuple[Message, ...]:
        """The messages for one passage; braces in its text stay as they are."""
        *examples, (role, last) = self._messages()
        question = _PLACEHOLDER.sub(lambda match: getattr(passage, match[1]), last)
        return (*(Message(speaker, text) for speaker, text in examples), Message(role, question))

    def _messages(self) -> list[tuple[Role, str]]:
        first, *parts = _ROLE.split(self.template)
        if not parts:
            return [("user", first.strip())]
        return [(cast(Role, role), text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True)]


def load_prompt(path: Path | None = None) -> Prompt:
    """The prompt in a UTF-8 file; by default the packaged `s2train/data/questions/question.md`."""
    try:
        file = resources.files("s2train.data.questions") / "question.md" if path is None else path
        return Prompt(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the prompt {path}: {error}") from error


def passages_of(pairs: Iterable[Pair]) -> list[Passage]:
    """The answers of the set `wiki`."""
    return [Passage(pair.id, pair.extra_text("title"), pair.answer, pair.source) for pair in pairs]


# --- the model ---


@dataclass(frozen=True, slots=True)
class Writer:
    """A model that writes questions.

    Attributes:
        name: in the rows: the server's model, or MODEL as the user typed it.
        identity: `Call.service`.
        stop: texts at which a reply ends.
    """

    name: str
    identity: str
    service: Service
    stop: tuple[str, ...] = ()


def open_writer(
    model: str = DEFAULT_MODEL,
    base_url: str | None = None,
    *,
    budget: Budget | None = None,
    batches: Ledger | None = None,
    wait: bool = False,
    say: Callable[[str], None] = lambda _: None,
    remote: Mapping[str, Any] | None = None,
    local: Mapping[str, Any] | None = None,
) -> Writer:
    """MODEL as a writer; nothing is loaded and nothing is called.

    Args:
        model: `openai:NAME` at any OpenAI-compatible server, or a model of this machine (`smollm2`, a folder).
        base_url: of the server; by default OPENAI_BASE_URL, else OpenAI's.
        batches: the ledger in which batches are noted, to use the Batch API; None = call the API directly.
        wait: whether to wait for a batch; if not, the same command collects it later.
        say: reports on batches, in sentences.
        remote: more arguments of `OpenAIService`, such as `max_in_flight`.
        local: arguments of the backend, such as `dtype`.

    Raises:
        UsageError, PrerequisiteError: no such model, or arguments that it does not take.
    """
    kind, name = kind_of(model)
    if kind.remote:
        from s2eval.llm import BatchService, OpenAIService

        if not name:
            raise UsageError(f"{model}: expected {REMOTE}NAME, such as {DEFAULT_MODEL}")
        direct = OpenAIService(base_url, budget=budget, **(remote or {}))
        if batches is None:
            return Writer(name, direct.name(name), direct)
        batched = BatchService(base_url, None, batches, budget=budget, wait=wait, say=say)
        return Writer(name, direct.name(name), batched)
    if base_url is not None or batches is not None:
        raise UsageError(f"{model} runs on this machine, without a server: did you mean {REMOTE}{model}?")
    from s2eval.models.dialogues import open_local

    opened = open_local(model, **(local or {}))
    return Writer(model, opened.service, opened, opened.template.stop)


def calls(
    wanted: Iterable[Passage], writer: Writer, prompt: Prompt, settings: QuestionSettings, *, again: bool = False
) -> dict[str, Call]:
    """Passage id → the call for its question, the first or the second (`again`)."""
    attempt = settings.again if again else settings.first
    return {
        passage.id: Call(
            writer.identity,
            writer.name,
            prompt.render(passage),
            attempt.temperature,
            settings.max_tokens,
            attempt.seed,
            writer.stop,
            repeat=int(again),
        )
        for passage in wanted
    }


# --- replies to questions ---


@dataclass(frozen=True, slots=True)
class Refused:
    """A question that did not pass, for one of `checks.REASONS`."""

    question: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sifted:
    """One round: passage id → question, or why it was refused, or the kind of the failure in place of a reply."""

    accepted: Mapping[str, str]
    refused: Mapping[str, Refused]
    unanswered: Mapping[str, str]


def sift(
    asked: Iterable[Passage], outcomes: Mapping[str, Outcome], thresholds: Thresholds, taken: Iterable[str] = ()
) -> Sifted:
    """Check each reply by itself, then against the others: of equal questions the smallest id keeps its own.

    `outcomes` has how each passage's call ended; a question in `taken` is not accepted again.
    """
    seen = {normalised(question) for question in taken}
    accepted, refused, unanswered = dict[str, str](), dict[str, Refused](), dict[str, str]()
    for passage in sorted(asked, key=lambda passage: passage.id):
        outcome = outcomes[passage.id]
        if isinstance(outcome, Failure):
            unanswered[passage.id] = outcome.kind
            continue
        question = question_in(clean(answer_of(outcome.text), _REPLY).text)
        reason = refusal(Draft(question, passage.text, passage.title), thresholds)
        if reason is None and normalised(question) in seen:
            reason = DUPLICATE
        if reason is None:
            seen.add(normalised(question))
            accepted[passage.id] = question
        else:
            refused[passage.id] = Refused(question, reason)
    return Sifted(accepted, refused, unanswered)


@dataclass(frozen=True, slots=True)
class QuestionFunnel:
    """What became of the passages; `passages == written + sum(refused.values()) + sum(unanswered.values())`.

    Attributes:
        refused_first: questions refused in the first round, by reason; each was requested once more.
        rescued: of these, accepted in the second round.
        refused: refused in the second round, too, by its reason.
        unanswered: without a valid reply in either round, by kind of failure; the next run tries again.
        examples: reason → (id, question) of up to ten that were refused in the end, smallest ids.
    """

    passages: int
    refused_first: Mapping[str, int]
    rescued: int
    refused: Mapping[str, int]
    unanswered: Mapping[str, int]
    written: int
    examples: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict[str, tuple[tuple[str, str], ...]])

    def entry(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The funnel as lines of text to print."""
        rows = [
            ("passages", self.passages),
            *((f"? {reason}, asked again", count) for reason, count in self.refused_first.items() if count),
            ("+ accepted the second time", self.rescued),
            *((f"- {reason}", count) for reason, count in self.refused.items() if count),
            *((f"- no reply: {kind}", count) for kind, count in self.unanswered.items()),
            ("= questions", self.written),
        ]
        return ["questions", *(f"  {label:<44}{count:>9,}" for label, count in rows)]


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Pairs in the order of the passages, each with `title`, `model`, `prompt_hash` as extra fields; and the funnel."""

    pairs: tuple[Pair, ...]
    funnel: QuestionFunnel


def write_questions(
    wanted: Sequence[Passage],
    writer: Writer,
    ledger: Ledger,
    settings: QuestionSettings | None = None,
    *,
    prompt: Prompt | None = None,
    cost: Callable[[Call, Outcome], float | None] | None = None,
    progress: Callable[[int, int, Spent], None] | None = None,
    budget: Budget | None = None,
) -> QuestionSet:
    """A question for each passage; replies that the ledger has are not requested again.

    Passages whose question is refused get a second call (`repeat` 1, `settings.again`). A question accepted in the
    first round stays, so no passage loses its question to another's second try.

    Args:
        cost: USD of a call that ended (`Prices.cost`); not needed with a budget.
        budget: what the writer's service charges, kept in this ledger (`Budget.keep_in`).
        progress: called after each call with the calls ended, the calls of the round, and what the round has spent.

    Raises:
        DataError: two passages have the same id.
        BudgetError, IncompleteError, ServiceError: see `s2eval.llm.ask`; replies are in the ledger, and the same call
            resumes from there.
    """
    settings, prompt = settings or QuestionSettings(), prompt or load_prompt()
    if twice := [identity for identity, n in Counter(passage.id for passage in wanted).items() if n > 1]:
        raise DataError(f"{len(twice)} passage ids come more than once, such as {twice[0]!r}; an id must be unique")

    def ask_round(passages: Sequence[Passage], taken: Iterable[str], *, again: bool) -> Sifted:
        by_passage = calls(passages, writer, prompt, settings, again=again)
        outcomes: Mapping[str, Outcome] = {}
        if by_passage:
            ended = ask(writer.service, by_passage.values(), ledger, cost=cost, progress=progress, budget=budget)
            outcomes = {identity: ended[call.key] for identity, call in by_passage.items()}
        return sift(passages, outcomes, settings.checks, taken)

    first = ask_round(wanted, (), again=False)
    refused = [passage for passage in wanted if passage.id in first.refused]
    second = ask_round(refused, first.accepted.values(), again=True)
    questions = {**first.accepted, **second.accepted}
    rows = tuple(
        Pair(
            passage.id,
            questions[passage.id],
            passage.text,
            passage.source,
            {"title": passage.title, "model": writer.name, "prompt_hash": prompt.hash},
        )
        for passage in wanted
        if passage.id in questions
    )
    return QuestionSet(rows, _funnel(first, second, len(wanted), len(rows)))


def _funnel(first: Sifted, second: Sifted, passages: int, written: int) -> QuestionFunnel:
    examples: dict[str, list[tuple[str, str]]] = {}
    for identity, refused in sorted(second.refused.items()):
        shown = examples.setdefault(refused.reason, [])
        if len(shown) < EXAMPLES:
            shown.append((identity, refused.question))
    by_reason = [Counter(refused.reason for refused in sifted.refused.values()) for sifted in (first, second)]
    refused_first, refused_again = ({reason: counts[reason] for reason in REASONS} for counts in by_reason)
    return QuestionFunnel(
        passages,
        refused_first,
        len(second.accepted),
        refused_again,
        dict(sorted(Counter([*first.unanswered.values(), *second.unanswered.values()]).items())),
        written,
        {reason: tuple(shown) for reason, shown in examples.items()},
    )
