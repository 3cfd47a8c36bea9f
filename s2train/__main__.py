"""`python -m s2train`, `torchrun -m s2train`, `accelerate launch -m s2train`."""

from __future__ import annotations

from s2train.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
