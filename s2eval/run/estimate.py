"""What the units of a run will take: tokens counted as the backend would compute them, time and memory estimated.

No weights are loaded, and nothing is evaluated.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from copy import copy
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from s2eval import store
from s2eval.config import RunConfig
from s2eval.models.loaded import open_backend
from s2eval.run.plan import Unit
from s2eval.run.progress import facts

if TYPE_CHECKING:
    from s2eval.models.cost.arithmetic import Counts
    from s2eval.models.cost.meta_model import MetaModel

_SHOTS_SEED = 1234  # of lm-eval's simple_evaluate

Paces = dict[tuple[str, bool], float]
"""(model, whether it writes answers) → seconds a token took in the units that are done."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one unit will take.

    Attributes:
        unit: which.
        counts: its tokens.
        seconds: about; without loading the model.
        memory: bytes, about.
        free: bytes that are free now where the model would be.
        paced: whether the seconds come from units that are done.
        rate: FLOPs a second of matrix products, on which they are based otherwise.
        kind: dtype and device, as in "float32 on cpu".
    """

    unit: Unit
    counts: Counts
    seconds: float
    memory: int
    free: int
    paced: bool
    rate: float
    kind: str


def estimate(units: Sequence[Unit], chosen: Sequence[Unit], config: RunConfig) -> Iterator[Estimate]:
    """Estimates of the chosen units, one by one.

    Args:
        units: all of the run; those that are done show how fast it goes here.
        chosen: what is estimated, model by model.

    Raises:
        PrerequisiteError: a configuration or a tokenizer cannot be read.
    """
    from tqdm import tqdm

    from s2eval.models.cost.meta_model import MetaModel

    paces, rates, counted = _paces(units), _Rates(), _Counted(config)
    name, meta_model = None, None
    for unit in tqdm(chosen, desc="Counting tokens", unit="unit", leave=False, disable=None):
        if meta_model is None or name != unit.entry.name:
            meta_model = open_backend(MetaModel, unit.spec, {**unit.arguments, "peft": unit.spec.peft})
            name = unit.entry.name
        yield _estimate(unit, meta_model, config, paces, rates, counted)


def memory_besides() -> int:
    """Bytes that this process holds with everything imported that evaluates models, and none loaded."""
    import psutil

    import s2eval.models.cost.meta_model  # noqa: F401

    return psutil.Process().memory_info().rss


def _estimate(
    unit: Unit, meta_model: MetaModel, config: RunConfig, paces: Paces, rates: _Rates, counted: _Counted
) -> Estimate:
    """A unit's time: the arithmetic of its tokens over a share of the rate of matrix products, as much as is reached
    when tokens are read and when answers are written, and the time that it took to make and encode the requests."""
    from s2eval.models.cost import arithmetic

    counts, encoding = counted.get(unit, meta_model)
    fit = meta_model.fits(counts, unit.entry.batch_size or config.batch_size)
    shape, pace = meta_model.shape, paces.get((unit.entry.name, counts.written.tokens > 0))
    rate = rates.get(meta_model, fit.tokens)
    seconds = (
        shape.flops(counts.read + counts.checks)
        / rate
        / (arithmetic.FALLBACK if counts.fallbacks else arithmetic.READING)
    )
    if counts.written.tokens:
        seconds += shape.flops(counts.written) / rates.get(meta_model, fit.width) / arithmetic.WRITING
    seconds = encoding + seconds if pace is None else pace * (counts.read.tokens + counts.written.tokens)
    kind = f"{str(meta_model.dtype).removeprefix('torch.')} on {meta_model.place}"
    return Estimate(unit, counts, seconds, fit.memory, fit.free, pace is not None, rate, kind)


class _Rates:
    """Rates measured so far, each once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], float] = {}

    def get(self, meta_model: MetaModel, rows: int) -> float:
        """FLOPs a second of products of about so many rows with the model's largest matrix."""
        from s2eval.models.cost import arithmetic, memory

        rows, shape = min(1 << (rows - 1).bit_length(), memory.MOST_TOKENS_ELSEWHERE), meta_model.shape
        key = (shape.hidden, shape.inner, rows, meta_model.dtype, meta_model.place)
        if key not in self._known:
            self._known[key] = arithmetic.rate(shape, rows, meta_model.dtype, meta_model.place)
        return self._known[key]


class _Counted:
    """Tokens counted so far; models that differ by their weights only have the same."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._known: dict[str, tuple[Counts, float]] = {}

    def get(self, unit: Unit, meta_model: MetaModel) -> tuple[Counts, float]:
        """The counts, and the seconds that it took to make and encode the requests."""
        model = {"model": meta_model.signature, "arguments": None, "bos": unit.bos}
        key = store.key_of({**unit.facts.inputs, **model})
        if key not in self._known:
            started = time.perf_counter()
            counts = meta_model.count(requests_of(unit.task, self._config.limit), unit.bos)
            self._known[key] = counts, time.perf_counter() - started
        return self._known[key]


def requests_of(task: Any, limit: int | None) -> list[Any]:
    """The instances that lm-eval would make of a task, each as often as it is asked; the task stays as it is."""
    task = copy(task)
    if hasattr(task, "sampler"):
        task.sampler = copy(task.sampler)
    task.set_fewshot_seed(_SHOTS_SEED)
    with redirect_stderr(StringIO()):  # a progress bar that cannot be turned off
        task.build_all_requests(limit=limit, rank=0, world_size=1)
    return [request for request in task.instances for _ in range(request.repeats)]


def _paces(units: Sequence[Unit]) -> Paces:
    """From the units that are done and went through the token trie."""
    seconds, tokens = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    for unit in units:
        found = facts(unit)
        work = found.get("work")
        if work and not work["by_hf"]:
            kind = unit.entry.name, work["generated"] > 0
            seconds[kind] += found["seconds"]
            tokens[kind] += work["computed"] + work["generated"]
    return {kind: seconds[kind] / number for kind, number in tokens.items() if number}
