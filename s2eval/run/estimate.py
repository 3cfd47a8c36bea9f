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
from typing import TYPE_CHECKING

from s2eval import store
from s2eval.config import RunConfig
from s2eval.models.loaded import open_backend
from s2eval.run.plan import Unit
from s2eval.run.progress import facts

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask

    from s2eval.models.cost.arithmetic import Counts
    from s2eval.models.cost.meta_model import MetaModel

_SHOTS_SEED = 1234  # of lm-eval's simple_evaluate

Paces = dict[tuple[str, bool], float]
"""(model, whether it writes answers) → seconds a token took in the units that are done."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one unit will take: seconds without loading the model, bytes, and the bytes that are free now.

    Attributes:
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
    """Estimates of the chosen units, model by model. Those of all `units` that are done show how fast it goes here.
    Raises PrerequisiteError if a configuration or a tokenizer cannot be read."""
    from tqdm import tqdm

    from s2eval.models.cost.meta_model import MetaModel

    estimator = _Estimator(_paces(units), config)
    name, model = None, None
    for unit in tqdm(chosen, desc="Counting tokens", unit="unit", leave=False, disable=None):
        if model is None or name != unit.entry.name:
            model = open_backend(MetaModel, unit.spec, {**unit.arguments, "peft": unit.spec.peft})
            name = unit.entry.name
        yield estimator.estimate(unit, model)


def memory_besides() -> int:
    """Bytes that this process holds with everything imported that evaluates models, and none loaded."""
    import psutil

    import s2eval.models.cost.meta_model  # noqa: F401

    return psutil.Process().memory_info().rss


class _Estimator:
    """Remembers rates, and tokens that were counted: models that differ by their weights only have the same."""

    def __init__(self, paces: Paces, config: RunConfig) -> None:
        self._paces, self._config = paces, config
        self._rates: dict[tuple[object, ...], float] = {}
        self._counted: dict[str, tuple[Counts, float]] = {}

    def estimate(self, unit: Unit, model: MetaModel) -> Estimate:
        """Time: the arithmetic of a unit's tokens over a share of the rate of matrix products, as much as is reached
        when tokens are read and when answers are written, and what it took to make and encode the requests."""
        from s2eval.models.cost import arithmetic

        counts, encoding = self._count(unit, model)
        fit = model.fits(counts, unit.entry.batch_size or self._config.batch_size)
        pace = self._paces.get((unit.entry.name, counts.written.tokens > 0))
        rate = self._rate(model, fit.tokens)
        share = arithmetic.FALLBACK if counts.fallbacks else arithmetic.READING
        seconds = encoding + model.shape.flops(counts.read + counts.checks) / rate / share
        if counts.written.tokens:
            seconds += model.shape.flops(counts.written) / self._rate(model, fit.width) / arithmetic.WRITING
        if pace is not None:
            seconds = pace * (counts.read.tokens + counts.written.tokens)
        kind = f"{str(model.dtype).removeprefix('torch.')} on {model.place}"
        return Estimate(unit, counts, seconds, fit.memory, fit.free, pace is not None, rate, kind)

    def _count(self, unit: Unit, model: MetaModel) -> tuple[Counts, float]:
        """The counts, and the seconds that it took to make and encode the requests."""
        key = store.key_of({**unit.facts.inputs, "model": model.signature, "arguments": None, "bos": unit.bos})
        if key not in self._counted:
            started = time.perf_counter()
            counts = model.count(requests_of(unit.task, self._config.limit), unit.bos)
            self._counted[key] = counts, time.perf_counter() - started
        return self._counted[key]

    def _rate(self, model: MetaModel, rows: int) -> float:
        """FLOPs a second of products of about so many rows with the model's largest matrix."""
        from s2eval.models.cost import arithmetic, memory

        rows, shape = min(1 << (rows - 1).bit_length(), memory.MOST_TOKENS_ELSEWHERE), model.shape
        key = (shape.hidden, shape.inner, rows, model.dtype, model.place)
        if key not in self._rates:
            self._rates[key] = arithmetic.rate(shape, rows, model.dtype, model.place)
        return self._rates[key]


def requests_of(task: ConfigurableTask, limit: int | None) -> list[Instance]:
    """The instances that lm-eval would make of a task, each as often as it is repeated; the task stays as it is."""
    task = copy(task)
    if hasattr(task, "sampler"):
        task.sampler = copy(task.sampler)
    task.set_fewshot_seed(_SHOTS_SEED)
    with redirect_stderr(StringIO()):  # a progress bar that cannot be turned off
        task.build_all_requests(limit=limit, rank=0, world_size=1)
    return [request for request in task.instances for _ in range(request.repeats or 1)]


def _paces(units: Sequence[Unit]) -> Paces:
    """From the units that are done and went through the token trie."""
    seconds, tokens = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    for unit in units:
        done = facts(unit)
        stats = done.get("work")
        if stats and not stats["by_hf"]:
            kind = unit.entry.name, stats["generated"] > 0
            seconds[kind] += done["seconds"]
            tokens[kind] += stats["computed"] + stats["generated"]
    return {kind: seconds[kind] / number for kind, number in tokens.items() if number}
