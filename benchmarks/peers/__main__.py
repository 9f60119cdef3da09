"""Carry out orders with a peer, in the peers' environment, for `python -m benchmarks.simulation.compare`.

python -m benchmarks.peers PEER PROBLEM.npz ORDERS.json ANSWERS.json
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.problem import Answers, Problem, read_orders, write_answers
from benchmarks.peers.replay import answer


def main() -> None:
    """Read, search, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer")
    parser.add_argument("problem", type=Path)
    parser.add_argument("orders", type=Path)
    parser.add_argument("answers", type=Path)
    options = parser.parse_args()
    if options.peer.startswith("SMAC3"):
        from benchmarks.peers.smac3 import PEERS

        library = "smac"
    else:
        from benchmarks.peers.syne import PEERS

        library = "syne-tune"
    steps, seconds = answer(
        Problem.load(options.problem),
        read_orders(options.orders),
        PEERS[options.peer],
        tell=lambda line: print(f"      {options.peer}: {line}", flush=True),
    )
    write_answers(
        options.answers, Answers(steps=steps, versions={library: version(library)}, seconds=seconds)
    )


if __name__ == "__main__":
    main()
