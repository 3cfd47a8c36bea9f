"""Build data, train, and merge the small models that s2eval evaluates: `s2train --help`, or from Python

    >>> import s2train
    >>> s2train.train("sft", "examples/recipes/smollm2-sft.yaml", {"out": "runs/sft"})    # doctest: +SKIP
    >>> s2train.merge(adapter="runs/sft", method="bf16", out="runs/merged")                    # doctest: +SKIP

s2train imports s2eval's public names; s2eval never imports s2train. What passes between them lies on disk:
the folder of `S2_DATA_DIR` (made here, read there) and checkpoint folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2train.api import Built, Trained, build_data, label, train
    from s2train.merge import merge

    __version__: str

__all__ = ["Built", "Trained", "build_data", "label", "merge", "train"]

_IN_API = ("Built", "Trained", "build_data", "train")
_PACKAGES = ("label", "merge")  # which are called: docs/adr/011


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first used; the version is s2eval's, in the same distribution."""
    from importlib import import_module

    if name in _IN_API:
        value = getattr(import_module("s2train.api"), name)
    elif name in _PACKAGES:
        value = import_module(f"s2train.{name}")
    elif name == "__version__":
        value = import_module("s2eval").__version__
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
