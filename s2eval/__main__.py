"""`python -m s2eval`."""

from s2eval.cli import main

main()
