"""`python -m autokd` is `autokd`."""

from autokd.cli import main

main()
