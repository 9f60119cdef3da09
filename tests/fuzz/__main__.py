"""Many odd inputs, of every kind or of one.

    python -m tests.fuzz [--inputs 10000] [--seed 0] [--only study]

The inputs are shared out among the targets. It ends with code 0 if none of them was a crash.
"""

from __future__ import annotations

import argparse
import math

from tests.fuzz.harness import Tally, fuzz
from tests.fuzz.targets import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, default=0, help="decides on the inputs")
    parser.add_argument("--only", choices=TARGETS, help="one target")
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(TARGETS)
    total = Tally()
    for name in chosen:
        tally = fuzz(TARGETS[name], math.ceil(options.inputs / len(chosen)), seed=options.seed)
        print(
            f"{name:24} {tally.inputs:6} inputs: {tally.accepted} accepted, {tally.refused} refused",
            flush=True,
        )
        total.accepted += tally.accepted
        total.refused += tally.refused
    print(f"{total.inputs} inputs and no crash: {total.accepted} accepted, {total.refused} refused")


if __name__ == "__main__":
    main()
