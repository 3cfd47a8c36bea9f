"""Build data, train, and merge the small models that s2eval evaluates: `s2train --help`.

s2train imports s2eval's public names; s2eval never imports s2train. What passes between them lies on disk:
the folder of `S2_DATA_DIR` (made here, read there) and checkpoint folders.
"""

from __future__ import annotations

from importlib import metadata


def __getattr__(name: str) -> str:
    """`s2train.__version__`: the version of the distribution, looked up only when asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return metadata.version("s2eval")
    except metadata.PackageNotFoundError:
        return "0+not-installed"  # a bare checkout on PYTHONPATH
