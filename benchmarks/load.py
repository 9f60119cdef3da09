"""What those who watch a batch cost it, and how long their reads take: 200 clients poll, and 50 listen.

    python -m benchmarks.load [--pairs 12] [--rounds 3] [--out FILE]

A service does the same batch again and again, each time from a copy of one home with a prepared federation:
in each round once while 200 clients ask it for something every 5 s each and 50 have a stream of events open,
and once while nobody does but this program, which follows the job. Which of the two comes first changes from
round to round. A batch is to take at most 1.1 times as long with all clients as without, and the 99th
percentile of their reads is to be below 250 ms.

Afterwards the server answers 10,000 reads as fast as it can, and its memory is read after each thousand.
Clients, server and the batch's workers share this machine's cores, and the clients take some of them, too.
The figures hold for a machine with two cores that does nothing else; the load before is written down.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from autokd.config.yaml_files import read_study_config
from autokd.core.access_token import Scope
from autokd.store import sqlite_url
from autokd.workflows.tokens import create
from benchmarks.load_clients import Reads, Server, addresses, hear, poll
from benchmarks.ten_pairs import machine

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results" / "load.json"
TOKENS: Final = 5
"""Tokens that the clients share; one token has 50 requests a second."""
MOST_SECONDS: Final = 0.25
MOST_RATIO: Final = 1.1
READS: Final = 10_000
AT_ONCE: Final = 20
"""Connections of the reads of which memory is told."""


@contextlib.contextmanager
def serving(home: Path, study: str) -> Iterator[Server]:
    """Run `autokd serve` on a home."""
    tokens = [
        create(sqlite_url(home / "autokd.db"), name=f"c{number}", scope=Scope.TUNE).text
        for number in range(TOKENS)
    ]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = ["--study", study] if study.endswith(".yaml") else []
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "autokd", "serve", "--port", str(port), "--home", str(home), *named],
            stdout=log,
            stderr=log,
            cwd=home,
        )
    try:
        while True:
            with contextlib.suppress(URLError, ConnectionError):
                urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).close()
                break
            if process.poll() is not None:
                raise RuntimeError((home / "server.log").read_text())
            time.sleep(0.1)
        yield Server(psutil.Process(process.pid), port, tokens)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


async def batch(
    server: Server, name: str, pairs: Sequence[str], options: Any, watched: bool
) -> dict[str, Any]:
    """Have a batch done, and return how long it took and what those saw who watched it."""
    before, reads = server.process.cpu_times(), Reads()
    job = await server.post("/v1/jobs", {"what": "tune", "study": name, "pairs": list(pairs)})
    number, tasks = job["id"], []
    if watched:
        asked = addresses(name, number, pairs)
        tasks = [asyncio.create_task(poll(server, asked, each, reads)) for each in range(options.clients)]
        for each in range(options.listeners):
            path = f"/v1/jobs/{number}/events" if each % 2 else f"/studies/{name}/events"
            tasks.append(asyncio.create_task(hear(server, path, each, reads)))
    try:
        async for event in server.listen(f"/v1/jobs/{number}/events", server.tokens[0]):
            for task in tasks:
                if task.done() and task.exception() is not None:
                    raise RuntimeError("a client has failed") from task.exception()
            if event["what"] == "state":
                print(f"  {event['data']['state']}", flush=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    _, content = await server.read(f"/v1/jobs/{number}", server.tokens[0])
    done = json.loads(content)
    if done["state"] != "succeeded":
        raise RuntimeError(f"the batch has ended as {done['state']}: {done['reason']}")
    after = server.process.cpu_times()
    return {
        "seconds": _seconds(done["created"], done["ended"]),
        "server_cpu_seconds": round(after.user + after.system - before.user - before.system, 2),
        "reads": reads,
    }


def _seconds(begun: str, ended: str) -> float:
    return round((datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds(), 2)


async def memory(server: Server, asked: Mapping[str, Sequence[str]], count: int) -> list[float]:
    """Return the server's memory in MiB, before the reads and after each tenth of them."""
    paths = itertools.cycle([path for paths in asked.values() for path in paths])
    steps = [server.process.memory_info().rss / 2**20]
    for _ in range(10):
        left = iter(range(count // 10))

        async def some(number: int, left: Iterator[int] = left) -> None:
            for _ in left:
                # One more than allowed is refused, which takes memory, too.
                await server.read(next(paths), server.tokens[number % len(server.tokens)])

        await asyncio.gather(*(some(number) for number in range(AT_ONCE)))
        steps.append(server.process.memory_info().rss / 2**20)
    return [round(step, 1) for step in steps]


def main(arguments: Sequence[str]) -> None:
    """Do all rounds, print what holds, and write the figures to a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits", help="a shipped study, or a file that ends in .yaml")
    parser.add_argument("--pairs", type=int, default=12, help="pairs of the batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=200, help="who poll")
    parser.add_argument("--listeners", type=int, default=50, help="who listen to events")
    parser.add_argument("--reads", type=int, default=READS, help="reads of which memory is told")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    study = str(Path(options.study).resolve()) if options.study.endswith(".yaml") else options.study
    record: dict[str, Any] = {"study": Path(study).stem, "machine": machine(), **_asked_for(options)}
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        prepare = [sys.executable, "-m", "autokd", "prepare", "--study", study, "--home", str(home)]
        subprocess.run(prepare, check=True, cwd=folder)
        size = read_study_config(study).federation.size
        pairs = [f"{teacher},{student}" for teacher, student in itertools.permutations(range(size), 2)]
        pairs = sorted(random.Random(0).sample(pairs, min(options.pairs, len(pairs))))
        for number in range(options.rounds):
            done: dict[str, Any] = {}
            for watched in (False, True) if number % 2 else (True, False):
                print(f"round {number + 1}, {'with' if watched else 'without'} clients", flush=True)
                copy = Path(folder) / f"home-{number}-{watched}"
                shutil.copytree(home, copy)
                with serving(copy, study) as server:
                    done["with" if watched else "without"] = asyncio.run(
                        batch(server, Path(study).stem, pairs, options, watched=watched)
                    )
                    if watched and number == options.rounds - 1:
                        asked = addresses(Path(study).stem, 1, pairs)
                        record["memory_mib"] = asyncio.run(memory(server, asked, options.reads))
            rounds.append(done)
            print(f"  {rounds[-1]['with']['seconds']} s with, {rounds[-1]['without']['seconds']} s without")
    record |= results(rounds)
    print("\n".join(said(record)))
    options.out.write_text(json.dumps(record, indent=2) + "\n")


def results(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of all rounds."""
    reads = [done["with"]["reads"] for done in rounds]
    together = Reads()
    for some in reads:
        for kind, seconds in some.seconds.items():
            together.seconds[kind] += seconds
        for status, count in some.refused.items():
            together.refused[status] += count
        together.events += some.events
    ratios = [done["with"]["seconds"] / done["without"]["seconds"] for done in rounds]
    return {
        "reads_ms": together.summary(),
        "refused": dict(together.refused),
        "events": together.events,
        "batch_seconds": [{way: done[way]["seconds"] for way in ("with", "without")} for done in rounds],
        "server_cpu_seconds": [
            {way: done[way]["server_cpu_seconds"] for way in ("with", "without")} for done in rounds
        ],
        "ratio": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def said(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the figures say, and whether the bounds hold."""
    slowest, ratio, steps = record["reads_ms"]["all"]["p99"] / 1000, record["ratio"], record["memory_mib"]
    count, refused = record["reads_ms"]["all"]["count"], record["refused"]
    yield f"{count} reads, {record['events']} events, refused by status: {refused}"
    yield f"p99 of a read {slowest:.3f} s: {_held(slowest < MOST_SECONDS)} (below {MOST_SECONDS} s)"
    yield f"the batch takes {ratio} times as long: {_held(ratio <= MOST_RATIO)} (at most {MOST_RATIO})"
    yield f"memory in MiB over the reads afterwards: {' '.join(map(str, steps))}"


def _held(holds: bool) -> str:
    return "holds" if holds else "does NOT hold"


def _asked_for(options: argparse.Namespace) -> dict[str, int]:
    return {name: getattr(options, name) for name in ("pairs", "rounds", "clients", "listeners", "reads")}


if __name__ == "__main__":
    main(sys.argv[1:])
