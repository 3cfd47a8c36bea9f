"""How far the requests of a call are: a bar of tqdm, unless somebody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

Listener = Callable[[int, int, str], object]
"""(done, of how many, unit: `tok` or `answer`)."""

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Give what bars would show to a listener instead."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class ProgressBar:
    """A bar over `total` tokens or answers; arguments as of tqdm."""

    def __init__(self, *, total: int, unit: str, disable: bool = False, **options: Any) -> None:
        self.total, self.unit, self.n = total, unit, 0
        self._bar: tqdm[Any] = tqdm(total=total, unit=unit, disable=disable or bool(_listeners), **options)
        self._disabled = disable

    def update(self, number: int = 1) -> None:
        """So many more are done."""
        self.n += number
        self._bar.update(number)
        if not self._disabled:
            for listener in _listeners:
                listener(self.n, self.total, self.unit)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
