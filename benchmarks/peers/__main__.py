"""Carry out orders with a peer, in the peers' environment, for `python -m benchmarks.simulation.compare`.

python -m benchmarks.peers PEER PROBLEM.npz ORDERS.json ANSWERS.json
"""

from __future__ import annotations

import argparse
import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.peers.problem import Answers, Problem, read_orders, write_answers
from benchmarks.peers.replay import answer

LIBRARIES: Final = {
    "Syne Tune": ("syne", "syne-tune"),
    "SMAC3": ("smac3", "smac"),
    "NePS": ("priorband", "neural-pipeline-search"),
    "Ax": ("botl", "ax-platform"),
}
"""The module and the package of each library, by how the names of its peers begin."""


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
    module, library = next(entry for start, entry in LIBRARIES.items() if options.peer.startswith(start))
    peers = importlib.import_module(f"benchmarks.peers.{module}").PEERS
    steps, seconds = answer(
        Problem.load(options.problem),
        read_orders(options.orders),
        peers[options.peer],
        tell=lambda line: print(f"      {options.peer}: {line}", flush=True),
    )
    write_answers(
        options.answers, Answers(steps=steps, versions={library: version(library)}, seconds=seconds)
    )


if __name__ == "__main__":
    main()
