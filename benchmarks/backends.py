"""A backend of lm-eval in a process of its own: what it answers, its CPU time, its peak memory.

Every backend lives in one process from beginning to end, so that memory is its own; two of them are asked in turn,
so that a change of the machine's speed meets both. An idle one uses no CPU time.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

Kind = Literal["s2", "hf"]
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """One call of `loglikelihood` or `generate_until`.

    Attributes:
        results: what it returned.
        cpu: seconds of all threads of the process, tokenisation and self-check included.
        wall: seconds.
        peak: MiB of the process at most during the call, less what it held after its imports: weights and all else.
        work: s2's own counts (`s2eval.models.backend.backend_stats.BackendStats`); empty for hf.
    """

    results: list[Any]
    cpu: float
    wall: float
    peak: float
    work: dict[str, Any] = field(default_factory=dict[str, Any])


class Backend:
    """`s2`, or lm-eval's own HFLM, with the model in fp32 on the CPU; a context manager.

    Args:
        kind: which.
        model: the model's folder.
        bos: lm-eval's `add_bos_token`.
    """

    def __init__(self, kind: Kind, model: str, *, bos: bool | None) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_load, initargs=(kind, model, bos))

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def loglikelihood(self, instances: Sequence[Any], batch_size: int = 1) -> Measured:
        """lm-eval's requests of a call; s2 ignores the batch size."""
        return self._pool.submit(_measure, "loglikelihood", list(instances), batch_size).result()

    def generate(self, instances: Sequence[Any], batch_size: int = 1) -> Measured:
        """lm-eval's prompts of a call; s2 ignores the batch size."""
        return self._pool.submit(_measure, "generate_until", list(instances), batch_size).result()

    def call(self, function: Any, *arguments: Any) -> Any:
        """What a function of a module gives for the loaded lm-eval model and the arguments, inside the process."""
        return self._pool.submit(_call, function, arguments).result()


_loaded: tuple[Any, float]  # of this process, once it is a backend's: the lm-eval model, MiB after the imports


def _load(kind: Kind, model: str, bos: bool | None) -> None:
    global _loaded
    from lm_eval.models.huggingface import HFLM

    from s2eval.models.s2 import S2LM
    from s2eval.run.local import quiet_lm_eval

    quiet_lm_eval()
    after_imports = _resident()
    classes: dict[Kind, Any] = {"s2": S2LM, "hf": HFLM}
    lm = classes[kind](pretrained=model, dtype="float32", device="cpu", batch_size=1, add_bos_token=bos)
    _loaded = lm, after_imports


def _call(function: Any, arguments: Sequence[Any]) -> Any:
    return function(_loaded[0], *arguments)


def _measure(method: str, instances: list[Any], batch_size: int) -> Measured:
    lm, after_imports = _loaded
    lm.batch_size_per_gpu = batch_size
    work = None
    if hasattr(lm, "stats"):
        lm.stats = work = type(lm.stats)()
    _forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    results = getattr(lm, method)(instances, disable_tqdm=True)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Measured(results, cpu, wall, _peak() - after_imports, work.as_dict() if work else {})


def _resident() -> float:
    """MiB of this process now."""
    return _status("VmRSS") or _peak()


def _peak() -> float:
    """MiB at most since `_forget_peak`; where there is no /proc, since the process began.

    Not ru_maxrss on Linux: a process inherits that from the one that started it.
    """
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB / 1024)


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), None)


def set_threads(threads: int | None) -> int:
    """Threads of every backend started from now on; None = one a core, or what OMP_NUM_THREADS says. Gives them.

    A thread that waits for the others sleeps: by default it spins, and its spinning would count as work.
    """
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return int(os.environ["OMP_NUM_THREADS"])
