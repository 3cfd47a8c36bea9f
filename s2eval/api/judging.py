"""Models judged on MT(S)-Bench: the same calls, files and resuming as `s2eval mtbench`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval.api.run import Run
from s2eval.errors import UsageError

if TYPE_CHECKING:
    from s2eval.judge.ask.judging import JudgeSettings
    from s2eval.judge.ask.model_handles import ModelHandle
    from s2eval.judge.bench import CachedClient, DryRunClient, Result
    from s2eval.judge.results import Stored
    from s2eval.judge.suite.definition import Suite
    from s2eval.judge.verdicts.parsers import Parser
    from s2eval.llm.budget import Budget
    from s2eval.llm.calls import Call
    from s2eval.llm.ledger import Ledger, Spent
    from s2eval.llm.prices import Prices

CALLS = "calls.sqlite"
Log = Callable[[str], None]
OnProgress = Callable[[str, int, int, "Spent"], None]
"""(who is asked, calls done, calls in all, spent so far)."""


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """What is to be answered and judged; None is the default of the question set, the server or the model.

    Attributes:
        models: MODELs: path or hub id, `smollm2`, `adapter:PATH@BASE`, `openai:NAME`, `baseline:NAME`, `answers:FILE`.
        judge: `openai:NAME`, or a model of this machine.
        baseline: MODEL to compare each answer with; None: every answer is rated by itself.
        out: folder of results; None: `runs/<suite>-<model>`.
        suite: question set, or a folder of the same form.
        questions, judge_prompts, references: FastChat's files, in place of the suite's.
        limit: questions, taken in turn from each category.
        choices, repeats: answers to each question, judgments of each answer.
        parser, structured: how verdicts are read; ratings as JSON, by the server's schema.
        template, chat_template_args, dtype, device: of models on this machine.
        base_url, judge_base_url: servers of `openai:` models and of the judge.
        batch: by OpenAI's Batch API.
        max_calls, max_cost: to APIs at most, and USD.
    """

    models: Sequence[str]
    judge: str = "openai:gpt-4"
    baseline: str | None = None
    out: Path | None = None
    suite: str = "mtsbench"
    questions: Path | None = None
    judge_prompts: Path | None = None
    references: Path | None = None
    limit: int | None = None
    max_tokens: int | None = None
    judge_max_tokens: int | None = None
    judge_temperature: float | None = None
    choices: int = 1
    repeats: int = 1
    parser: Parser = "strict"
    structured: bool = False
    template: str | None = None
    chat_template_args: Mapping[str, object] = field(default_factory=dict[str, object])
    dtype: str | None = None
    device: str | None = None
    base_url: str | None = None
    judge_base_url: str | None = None
    prices: Path | None = None
    batch: bool = False
    max_calls: int | None = None
    max_cost: float | None = None
    in_flight: int = 32
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """A request whose models and judge are open, and the calls that it takes.

    Attributes:
        calls: who would be asked what, as far as it can be known before there are answers.
    """

    request: JudgeRequest
    out: Path
    suite: Suite
    models: Sequence[ModelHandle]
    against: ModelHandle | None
    judging: JudgeSettings
    ledger: Ledger
    budget: Budget
    prices: Prices
    calls: Sequence[tuple[ModelHandle, Call]]

    def check(self) -> None:
        """Check servers and budget, without a call that costs; raises what judging would fail with."""
        from s2eval.judge import bench

        bench.check(self.calls, self.budget)

    def check_folder(self) -> None:
        """Check that the folder holds no other results."""
        from s2eval.judge import results

        for model in self.models:
            results.check_same_models(self.out, self.suite, self.judging, model, self.against)

    def run(self, on_progress: OnProgress | None = None) -> tuple[list[Result], list[Stored]]:
        """Answer and judge; each model's results are written when it is complete."""
        from s2eval.judge import results
        from s2eval.judge.bench import CachedClient

        client = CachedClient(self.ledger, self.prices, self.budget, on_progress or (lambda *_: None))
        judged: list[Result] = []
        stored: list[Stored] = []
        for model in self.models:
            judged.append(_judge_model(self.suite, model, self.against, self.judging, self.request.choices, client))
            stored.append(results.write(self.out, judged[-1]))
        return judged, stored


@contextmanager
def open_plan(request: JudgeRequest, log: Log, *, dry_run: bool = False) -> Iterator[JudgePlan]:
    """Open models, judge and store of a request; makes no calls.

    Raises:
        UsageError, PrerequisiteError: a model, a judge or a question set is missing, or does not fit.
    """
    from s2eval import chat_arguments
    from s2eval.files.names import clashes
    from s2eval.judge import bench
    from s2eval.judge.ask.judging import JudgeSettings
    from s2eval.judge.ask.model_handles import Access, open_judge, open_model
    from s2eval.judge.default_folder import default_folder
    from s2eval.judge.suite import definition as suite
    from s2eval.llm import prices
    from s2eval.llm.budget import Budget
    from s2eval.llm.ledger import Ledger

    if request.structured and (request.baseline or request.parser == "fastchat"):
        raise UsageError("--structured is for ratings, and has a parser of its own: leave out --mode and --parser")
    out = request.out
    if out is None:
        out = default_folder(list(request.models), request.suite)
        log(f"results: {out}")
    questions = suite.load(request.suite).with_files(request.questions, request.judge_prompts, request.references)
    questions = questions.limited(request.limit, request.max_tokens, request.judge_max_tokens)
    table = prices.load(request.prices, batch=request.batch)
    budget = Budget(request.max_calls, request.max_cost, table.of)
    with bench.known(out / CALLS) if dry_run else Ledger.open(out / CALLS) as ledger:
        budget.keep_in(ledger)
        remote: dict[str, object] = {
            "max_in_flight": request.in_flight,
            "requests_per_minute": request.requests_per_minute,
            "tokens_per_minute": request.tokens_per_minute,
        }
        local = {"dtype": request.dtype, "device": request.device}
        arguments = dict(request.chat_template_args)
        access = Access(
            request.base_url,
            budget,
            request.template,
            {**local, **({chat_arguments.MAPPING: arguments} if arguments else {})},
            remote,
            ledger if request.batch else None,
            log,
        )
        judge_url = request.judge_base_url or request.base_url
        judging = JudgeSettings(
            open_judge(request.judge, replace(access, base_url=judge_url, template=None, local=local)),
            request.parser,
            request.repeats,
            request.structured,
            request.judge_temperature,
        )
        models = [open_model(text, questions, access) for text in request.models]
        against = open_model(request.baseline, questions, access) if request.baseline else None
        handles = [*models, *([against] if against else [])]
        if (request.template or arguments) and not any(handle.template for handle in handles):
            raise UsageError(
                "--template and --chat-template-args are for models on this machine; here a server applies its own"
            )
        names = [handle.name for handle in handles]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(
                f"two models are called {', '.join(repeated)} in folders and tables: judge them separately"
            )
        if alike := clashes(names):
            raise UsageError(f"models {', '.join(alike)}: on some systems both are one folder; judge them separately")
        dry = bench.DryRunClient(ledger)
        for model in models:
            _judge_model(questions, model, against, judging, request.choices, dry)
        yield JudgePlan(request, out, questions, models, against, judging, ledger, budget, table, dry.calls)


def _judge_model(
    suite: Suite,
    model: ModelHandle,
    against: ModelHandle | None,
    judging: JudgeSettings,
    choices: int,
    client: CachedClient | DryRunClient,
) -> Result:
    """One model, rated or compared."""
    from s2eval.judge import bench

    if against is not None:
        return bench.compare(suite, model, against, judging, client)
    return bench.rate(suite, model, judging, choices, client)


def failures_of(results: Sequence[Result]) -> list[str]:
    """`model: how many judgments failed: why the first did`, for each model with failures."""
    return [
        f"{result.model.name}: {result.failed} of {len(result.judgments)} judgments failed: "
        + next(judgment.failure for judgment in result.judgments if judgment.failure)
        for result in results
        if result.failed
    ]


def judge(models: str | Sequence[str], judge: str = "openai:gpt-4", **options: Any) -> Run:
    """Have models answer MT(S)-Bench and a judge rate the answers, or compare them with a baseline's.

    Called again, it resumes. `Run.judgments` has every judgment, `Run.scores` the means, `Run.failures` what failed.

    Args:
        models: one or several MODELs; see `JudgeRequest.models`.
        judge: `openai:NAME`, or a model of this machine such as `smollm2`.
        options: further fields of `JudgeRequest`: `out`, `limit`, `baseline`, `max_cost`, ….

    Raises:
        UsageError, PrerequisiteError, ServiceError, BudgetError: see `s2eval.errors`.
    """
    if options.get("out") is not None:
        options["out"] = Path(options["out"])
    request = JudgeRequest([models] if isinstance(models, str) else list(models), judge, **options)
    with open_plan(request, lambda _: None) as plan:
        plan.check_folder()
        plan.check()
        results, _ = plan.run()
        return Run([plan.out], failures_of(results))
