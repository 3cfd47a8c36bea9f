"""One entry of the table of benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2eval.data import Source

if TYPE_CHECKING:
    from s2eval.metrics.metric import Metric

FAMILIES = PAPER, DEMO = "s2", "s2demo"
"""What our tasks' names begin with: the data of `S2_DATA_DIR` or the hub, and the demonstration's."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What s2eval must know of a benchmark, beyond what lm-eval reads from its YAML.

    Attributes:
        name: its task's name without "s2_".
        title: its name in tables.
        folder: of its YAML files.
        tasks: names or patterns of its tasks; by default `s2_NAME` and `s2demo_NAME`.
        source, split: its data set, and the split that is scored; None if the questions are in the package.
        parts: whether the data set's folder has a folder for each part (MMLU's subjects).
        table: where it has a column ("leaderboard") or rows ("qa").
        columns: of a table of its own.
        published: its column of the published table.
        bos: False if the tokenizer must not add its BOS; None for the tokenizer's default.
        answers: whether answers are compared with references, by `metrics` here and by others after the run.
        judged: whether a judge rates the answers: in a run the `judges:` do, and the task is left out.
    """

    name: str
    title: str
    folder: Path
    tasks: tuple[str, ...] = ()
    source: Source[Any] | None = None
    split: str = "test"
    parts: bool = False
    table: str = ""
    columns: tuple[Metric, ...] = ()
    published: str = ""
    bos: bool | None = None
    answers: bool = False
    judged: bool = False

    def covers(self, task: str) -> bool:
        """Whether a task of lm-eval belongs to it."""
        names = self.tasks or tuple(f"{family}_{self.name}" for family in FAMILIES)
        return any(fnmatchcase(task, name) for name in names)

    @property
    def files(self) -> str:
        """The scored split below `S2_DATA_DIR`, as a pattern; "" without a data set."""
        if self.source is None:
            return ""
        return f"{self.source.folder}/{'*/' if self.parts else ''}{self.split}.jsonl"
