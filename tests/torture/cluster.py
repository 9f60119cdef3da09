"""A Ray cluster in a process of its own, which loses a node when it is told to.

    python -m tests.torture.cluster CPUS...

Starts a node for each number, the first one the head; prints the address, and `removed` for each line that it
reads, having killed the last node. It ends, with all of its nodes, when there is nothing more to read.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, cast, final

import psutil


@final
class Cluster:
    """The other end of it.

    Attributes:
        address: What drivers connect to.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._hear()

    def remove_node(self) -> None:
        """Kill the node that came last, with all that runs there."""
        stdin = cast(IO[str], self._process.stdin)
        stdin.write("remove\n")
        stdin.flush()
        assert self._hear() == "removed"

    def workers(self) -> list[psutil.Process]:
        """The processes that are at work on runs, now."""
        everybody = psutil.Process(self._process.pid).children(recursive=True)
        return sorted((process for process in everybody if _works(process)), key=lambda process: process.pid)

    def _hear(self) -> str:
        return cast(IO[str], self._process.stdout).readline().strip()


def _works(process: psutil.Process) -> bool:
    """Ray names a worker by the class it is at: ours, or one that Tune has wrapped around it."""
    try:
        return "Trainable" in " ".join(process.cmdline()[:1])
    except psutil.NoSuchProcess:
        return False


@contextmanager
def cluster(*cpus: int) -> Iterator[Cluster]:
    """Nodes of so many CPUs each, the first one the head; gone afterwards."""
    command = [sys.executable, "-m", "tests.torture.cluster", *map(str, cpus)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Cluster(process)


def main(cpus: Sequence[int]) -> None:
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": cpus[0], "include_dashboard": False})
    more = [nodes.add_node(num_cpus=number) for number in cpus[1:]]
    try:
        print(nodes.address, flush=True)
        for _ in sys.stdin:
            nodes.remove_node(more.pop(), allow_graceful=False)
            print("removed", flush=True)
    finally:
        nodes.shutdown()


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
