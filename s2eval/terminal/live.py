"""The progress of a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from s2eval.run.engine import RunPlan
from s2eval.run.log_file import quiet_libraries
from s2eval.run.progress import Progress, duration, headline_score, rough_seconds
from s2eval.terminal import output

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from s2eval.run.plan import Unit

_LINES = 4  # notes below the table


@contextmanager
def show_progress(run: RunPlan) -> Iterator[Progress]:
    """Show a run's progress on standard error; with `--quiet` nothing, and libraries' output only with `--verbose`."""
    stream = sys.stderr
    library_output = nullcontext() if output.is_verbose() else quiet_libraries(run.folder)
    if output.is_quiet() or not stream.isatty() or output.is_verbose():

        def print_line(line: str) -> None:
            if not output.is_quiet():
                print(line, file=stream, flush=True)

        with library_output:
            yield Progress(run.chosen, run.settings, print_line)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    live = LiveProgress(run, console)
    table = Live(
        get_renderable=live.render, console=console, refresh_per_second=4, redirect_stdout=False, redirect_stderr=False
    )
    with table, library_output:
        yield live


class LiveProgress(Progress):
    """Tasks × models: a unit's score, the share of one that runs, the expected time of one that waits."""

    def __init__(self, run: RunPlan, console: Console) -> None:
        super().__init__(run.chosen, run.settings, lambda _: None)
        self._run, self._console = run, console
        self._started = time.monotonic()
        self._rough = {unit.name: rough_seconds(unit, run.settings) for unit in run.chosen}
        self._cells: dict[str, str] = {unit.name: self._score(unit) for unit in run.chosen if unit.done}
        self._initially_done = set(self._cells)
        self._running: str | None = None
        self._running_since = 0.0
        self._share = 0.0
        self._tokens = 0
        self._notes: list[str] = []

    def log(self, line: str) -> None:
        """Show a line below the table, unless it is of a unit."""
        if not line.startswith("["):
            self._notes = [*self._notes, line][-_LINES:]

    def during(self, unit: Unit, work: Callable[[], None]) -> None:
        """Do the work of one unit, and show its progress."""
        from s2eval.models.backend.progress import listening

        self._running, self._running_since, self._share = unit.name, time.monotonic(), 0.0
        seen = 0

        def listen(done: int, total: int, kind: str) -> None:
            nonlocal seen
            self._share = done / total if total else 0.0
            if kind == "tok":
                self._tokens += max(done - seen, 0)
                seen = done

        try:
            with listening(listen):
                super().during(unit, work)
            self._cells[unit.name] = self._score(unit)
        except BaseException:
            self._cells[unit.name] = "[red]failed[/]"
            raise
        finally:
            self._running = None

    def judging(self, name: str, who: str, done: int, total: int) -> None:
        self._cells[name] = f"{who} {done}/{total}"

    def remaining(self) -> float:
        """Estimated seconds: by the pace of this run's units, before the first of them by a rough guess."""
        seconds = 0.0
        for unit in self._units:
            if unit.name in self._cells:
                continue
            expected = self._expected(unit) or self._rough[unit.name] * self._pace()
            if unit.name == self._running:
                elapsed = time.monotonic() - self._running_since
                left = elapsed * (1 - self._share) / self._share if self._share > 0.1 else expected - elapsed
                seconds += max(left, 0.0)
            else:
                seconds += expected
        return seconds

    def _pace(self) -> float:
        """Time that units took over the time estimated for them."""
        done = [name for name in self._seconds if self._rough.get(name)]
        guessed = sum(self._rough[name] for name in done)
        return sum(self._seconds[name] for name in done) / guessed if guessed else 1.0

    def render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        done = sum(unit.name in self._cells for unit in self._units)
        elapsed = time.monotonic() - self._started
        summary = f"{done} of {len(self._units)} units, {duration(elapsed)}"
        summary += f", {self._tokens:,} tokens" if self._tokens else ""
        summary += f", about {duration(self.remaining())} left" if done < len(self._units) else ""
        notes = [Text(note, style="dim") for note in self._notes]
        return Group(self._table(), Text.from_markup(summary, style="dim"), *notes)

    def _table(self) -> RenderableType:
        """Tasks down, models across; as many rows as the terminal has."""
        from rich.table import Table

        models = list(dict.fromkeys(unit.entry.name for unit in self._units))
        tasks = list(dict.fromkeys(unit.task.task_name for unit in self._units))
        names = {(unit.entry.name, unit.task.task_name): unit.name for unit in self._units}
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("task")
        for model in models:
            table.add_column(model, justify="right")
        for task in self._visible(tasks, names):
            table.add_row(task, *(self._cell(names.get((model, task))) for model in models))
        for judged in self._run.chosen_judged:
            shown = self._cells.get(judged.name, "·")
            table.add_row(judged.name.partition("/")[2], *(shown if m == judged.entry.name else "" for m in models))
        return table

    def _visible(self, tasks: list[str], names: dict[tuple[str, str], str]) -> list[str]:
        """The rows around the task that runs, where there are more than fit."""
        room = max(self._console.height - _LINES - 4 - len(self._run.chosen_judged), 3)
        if len(tasks) <= room:
            return tasks
        running = next((task for (_, task), name in names.items() if name == self._running), tasks[0])
        at = tasks.index(running)
        first = min(max(at - room // 2, 0), len(tasks) - room)
        return tasks[first : first + room]

    def _cell(self, name: str | None) -> str:
        if name is None:
            return ""
        if name == self._running:
            return f"[bold cyan]{self._share:.0%}[/]" if self._share else "[cyan]loading[/]"
        if name in self._cells:
            return self._cells[name]
        return f"[dim]{duration(self._rough[name] * self._pace())}[/]"

    def _score(self, unit: Unit) -> str:
        scored = headline_score(unit, self._config)
        return scored[1] if scored else "done"
