"""`python -m s2train`, `torchrun -m s2train`, `accelerate launch -m s2train`."""

from __future__ import annotations

from s2train.cli import main
from s2train.training.processes import hush

if __name__ == "__main__":
    hush()
    main()
