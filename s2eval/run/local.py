"""Units evaluated one after the other on this machine, each committed as soon as it is whole."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

from s2eval import qa, store
from s2eval.config import RunConfig
from s2eval.errors import IncompleteError, PrerequisiteError, S2Error
from s2eval.metrics import bertscore, require_encoder
from s2eval.run.plan import Unit
from s2eval.run.progress import Progress

_PACKAGES = (
    "s2eval",
    "lm-eval",
    "transformers",
    "torch",
    "datasets",
    "tokenizers",
    "bert-score",
    "rouge-score",
    "textstat",
)


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder: a second process that wants it is told so instead of mixing in its results."""
    from filelock import FileLock, Timeout

    with store.explain_os_errors(run):
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise PrerequisiteError(f"{run}: another process is evaluating into this folder") from error
    try:
        store.clear_unfinished(run)
        yield
    finally:
        lock.release()


def evaluate(units: Sequence[Unit], config: RunConfig, *, keep_going: bool, say: Callable[[str], None]) -> list[str]:
    """Evaluate every unit that is not done, then BERTScore; returns `model/task: why` of each that failed.

    Raises:
        S2Error: the first failure, unless `keep_going`.
    """
    failures: list[str] = []
    if "bertscore" in config.metrics and any(unit.answers for unit in units):
        require_encoder(config.bertscore.encoder, config.bertscore.num_layers)

    def guard(name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # one unit's failure; shown now and at the end, never a score
            if not keep_going:
                raise error if isinstance(error, S2Error) else S2Error(f"{name}: {_reason(error)}") from error
            failures.append(f"{name}: {_reason(error)}")
            say(f"failed: {failures[-1]}")

    progress = Progress(units, say)
    for _, group in groupby([unit for unit in units if not unit.done], key=lambda unit: unit.entry.name):
        of_model = list(group)
        model = _Model(of_model[0], config)
        for unit in of_model:
            guard(unit.name, partial(progress.during, unit, partial(_evaluate, unit, model, config)))
        model.release()
    if "bertscore" in config.metrics:
        for unit in units:
            if unit.answers and unit.done:
                guard(f"{unit.name} (BERTScore)", partial(_bertscore, unit, config, say))
    return failures


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, S2Error) else f"{type(error).__name__}: {error}"


class _Model:
    """The language model of some units, loaded when the first of them needs it."""

    def __init__(self, unit: Unit, config: RunConfig) -> None:
        self._unit, self._config, self._lm = unit, config, None

    def get(self) -> Any:
        if self._lm is None:
            from s2eval.models import s2

            backend: Any = s2.S2LM  # lm-eval's base class declares what HFLM implements as abstract
            entry, spec = self._unit.entry, self._unit.spec
            arguments: dict[str, Any] = {
                "dtype": entry.dtype,
                "batch_size": entry.batch_size or self._config.batch_size,
                **({"peft": spec.peft} if spec.peft else {}),
                **({"device": entry.device} if entry.device else {}),
                **entry.args,
            }
            try:
                self._lm = backend(pretrained=spec.pretrained, **arguments)
            except S2Error:
                raise
            except Exception as error:  # transformers, torch and safetensors raise a dozen unrelated classes
                raise PrerequisiteError(f"model {spec.text}: cannot be loaded: {_reason(error)}") from error
        return self._lm

    def release(self) -> None:
        self._lm = None
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _evaluate(unit: Unit, model: _Model, config: RunConfig) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    evaluate_tasks: Any = lm_eval.simple_evaluate  # its decorator hides the signature
    started = time.time()
    lm = model.get()
    lm.add_bos_token, lm.cut = unit.bos, {}
    results = evaluate_tasks(
        model=lm,
        tasks=[unit.task],
        limit=config.limit,
        batch_size=unit.entry.batch_size or config.batch_size,
        log_samples=True,
        task_manager=TaskManager(include_defaults=False),  # else 14,000 task files are read for every unit
    )
    if results is None:  # a rank other than the first
        return
    samples = results.pop("samples")[unit.task.task_name]
    if unit.answers:
        _note_cut(samples, lm.cut)
    results |= {
        "model_source": "s2",
        "model_name": unit.spec.text,
        "model_name_sanitized": unit.entry.name,
        "start_time": started,
        "end_time": time.time(),
    }
    with store.new_unit(unit.folder) as folder:
        _write_lm_eval(folder, unit.task.task_name, results, samples)
        store.write_json(folder / store.UNIT, _facts(unit, time.time() - started))


def _note_cut(samples: Sequence[dict[str, Any]], cut: dict[str, bool]) -> None:
    """Add the metric `s2_cut` (1 = the answer ended at the limit of new tokens) to each sample."""
    for sample in samples:
        prompt = sample["arguments"][0][0]
        if prompt in cut:
            sample[qa.CUT] = float(cut[prompt])
            sample["metrics"].append(qa.CUT)


def _write_lm_eval(folder: Path, task: str, results: dict[str, Any], samples: Sequence[dict[str, Any]]) -> None:
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


def _facts(unit: Unit, seconds: float) -> dict[str, Any]:
    return {
        "key": unit.key,
        "model": unit.entry.name,
        "spec": unit.spec.text,
        "task": unit.task.task_name,
        "documents": unit.documents,
        "requests": unit.requests,
        "seconds": round(seconds, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        **unit.facts,
    }


def versions() -> dict[str, str]:
    """Versions of what determines the numbers."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _bertscore(unit: Unit, config: RunConfig, say: Callable[[str], None]) -> None:
    samples = store.read_unit(unit.folder).samples
    options = config.bertscore
    answers = [sample.answer or "" for sample in samples]
    references = [sample.reference or "" for sample in samples]
    inputs = {"unit": unit.key, "answers": answers, "encoder": options.encoder, "layers": options.num_layers}
    key = store.key_of(inputs)
    path = unit.folder / store.BERTSCORE
    if store.key_in(path) == key:
        return
    say(f"BERTScore ({options.encoder}) of {unit.name}, {len(answers)} answers")
    scores, digest = bertscore(
        answers,
        references,
        encoder=options.encoder,
        num_layers=options.num_layers,
        batch_size=options.batch_size,
        device=unit.entry.device,
    )
    triples = [(score.precision, score.recall, score.f1) for score in scores]
    with store.explain_os_errors(path):
        store.write_json(path, {"key": key, "encoder": options.encoder, "hash": digest, "scores": triples})


def incomplete(failures: Sequence[str], resume: str) -> IncompleteError:
    """The error that ends a run in which some units failed."""
    lines = "".join(f"\n  {failure}" for failure in failures)
    return IncompleteError(f"{len(failures)} failed:{lines}\nThe rest is kept; to try these again: {resume}")


def quiet_lm_eval() -> None:
    """lm-eval's own logging at warnings only: what runs is told by us."""
    import logging

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("lm_eval", "lm-eval", "datasets", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)


def forget(units: Sequence[Unit]) -> None:
    """Let units count as not done; the old result is kept until the new one replaces it."""
    for unit in units:
        (unit.folder / store.UNIT).unlink(missing_ok=True)
