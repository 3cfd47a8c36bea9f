"""How far the requests of a call are: a bar of tqdm, unless a listener is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Listener = Callable[[int, int, str], object]
"""(done, total, unit: `tok` or `answer`)."""

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
    """A bar over `total` tokens or answers."""

    def __init__(self, *, total: int, unit: str, desc: str, unit_scale: bool = False, disable: bool = False) -> None:
        self.total, self.unit, self.n, self._disabled = total, unit, 0, disable
        hidden = disable or bool(_listeners)
        self._bar = tqdm(total=total, unit=unit, desc=desc, unit_scale=unit_scale, disable=hidden)

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
