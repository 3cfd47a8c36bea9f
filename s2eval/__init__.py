"""Evaluate language models that were fine-tuned to answer simply and safely."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """`s2eval.__version__`: the version of the distribution, looked up only when asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import metadata

    try:
        return metadata.version("s2eval")
    except metadata.PackageNotFoundError:
        return "0+not-installed"  # a bare checkout on PYTHONPATH
