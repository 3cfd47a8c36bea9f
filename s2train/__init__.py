"""Build data, train, and merge the small models that s2eval evaluates: `s2train --help`.

s2train imports s2eval's public names; s2eval never imports s2train. What passes between them lies on disk:
the folder of `S2_DATA_DIR` (made here, read there) and checkpoint folders.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """`s2train.__version__`: s2eval's, as both come in one distribution."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import s2eval

    return s2eval.__version__
