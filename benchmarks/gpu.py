"""What a GPU does with autokd's runs: one command, at most 12 minutes, without Ray and without a database.

    python -m benchmarks.gpu [--minutes 12] [--out FILE]
    python -m benchmarks.gpu --device cpu --quick        # every path in a moment; the figures mean nothing

Needs PyTorch, and what `autokd.distillation` imports. Three networks train on random images: the CNN of
`digits` (8 x 8), a CNN of 32, 64 and 128 channels (32 x 32) and ResNet-18 with the stem for small images, all
in channels_last. Speeds are examples/s, medians of several turns. The parts:

- `checks`: what tests marked `gpu` assert, and what else depends on the device;
- `bits`: whether the same run twice gives the same weights, to the last bit;
- `shares`: a run beside the best bare loop, in float32 and under bfloat16 autocast;
- `processes`, `streams`: 1, 2, 4 and 8 whole runs at once, set-up and evaluation included, in processes, and
  in threads of one process that have a CUDA stream each (bfloat16);
- `graphs`: 1, 2, 4 and 8 bare loops at once, with their step as a CUDA graph and without (bfloat16).

Each part is a process of its own that ends at its time limit. Its rows are printed and kept as they come, so
Ctrl-C loses nothing. The exit status is 1 if a part fails or a check does not hold.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic
from typing import Any, Final

import torch

from autokd.compute.device import Compute
from autokd.errors import DeviceUnavailable
from benchmarks import gpu_parts
from benchmarks.gpu_cases import Plan, full, quick
from benchmarks.gpu_loop import NOT_CAPTURED

RESULTS: Final = Path(__file__).parent / "results" / "gpu.json"
MINUTES: Final = 12.0
Rows = Callable[[Plan], Iterator[gpu_parts.Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the measurement.

    Attributes:
        share: Share of the whole time that it may take; all together leave some to end processes.
        needs_cuda: Whether there is nothing to measure on a CPU.
    """

    rows: Rows
    share: float
    needs_cuda: bool = False


PARTS: Final = {
    "checks": Part(rows=gpu_parts.checks, share=0.10),
    "bits": Part(rows=gpu_parts.bits, share=0.08),
    "shares": Part(rows=gpu_parts.shares, share=0.22),
    "processes": Part(rows=gpu_parts.processes, share=0.22),
    "streams": Part(rows=gpu_parts.streams, share=0.17, needs_cuda=True),
    "graphs": Part(rows=gpu_parts.graphs, share=0.17, needs_cuda=True),
}


class Record:
    """Everything found so far, in a file after each row.

    Args:
        out: The file; None to keep nothing.
    """

    def __init__(self, out: Path | None, facts: dict[str, Any]) -> None:
        self._out, self.content = out, {**facts, "parts": {}}
        self._part: dict[str, Any] = {}

    def begin(self, name: str) -> None:
        """Begin a part."""
        print(name, flush=True)
        self._part = {"status": "interrupted", "seconds": 0.0, "rows": []}
        self.content["parts"][name] = self._part
        self._keep()

    def row(self, row: gpu_parts.Row) -> None:
        """Keep a row of the part that has begun last, and then print it: what can be seen is kept."""
        self._part["rows"].append(dict(row))
        self._keep()
        print("  " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)

    def end(self, status: str, seconds: float) -> None:
        """End it."""
        self._part.update(status=status, seconds=round(seconds, 1))
        self._keep()
        print(f"  {status} ({seconds:.0f} s)", flush=True)

    @property
    def is_good(self) -> bool:
        """Whether all parts are done, where they can be, and all checks hold."""
        parts = self.content["parts"].values()
        return all(part["status"] in ("done", "needs CUDA") for part in parts) and all(
            row.get("holds", True) for part in parts for row in part["rows"]
        )

    def _keep(self) -> None:
        if self._out is None:
            return
        # Never half a file, whenever the process is killed.
        draft = self._out.with_suffix(".unfinished")
        draft.write_text(json.dumps(self.content, indent=1) + "\n")
        draft.replace(self._out)


def measure(plan: Plan, record: Record, minutes: float = MINUTES) -> None:
    """Do all parts, one after another."""
    for name, part in PARTS.items():
        record.begin(name)
        if part.needs_cuda and torch.device(plan.device).type != "cuda":
            record.end("needs CUDA", 0.0)
            continue
        began = monotonic()
        status = rows_of(part.rows, plan, part.share * minutes * 60, record)
        record.end(status, monotonic() - began)


def rows_of(rows: Rows, plan: Plan, limit: float, record: Record) -> str:
    """Do a part in a process of its own, for so many seconds at most, and return how it ended."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(rows, plan, sender))
    deadline = monotonic() + limit
    process.start()
    # Only the process may hold it, so that its death is seen here as the end of its messages.
    sender.close()
    try:
        while receiver.poll(max(0.0, deadline - monotonic())):
            message = receiver.recv()
            if isinstance(message, str):
                return message
            record.row(message)
        return f"stopped at its limit of {limit:.0f} s"
    except EOFError:
        process.join()
        return f"died with exit code {process.exitcode}"
    finally:
        _end(process)


def _work(rows: Rows, plan: Plan, sender: Connection) -> None:
    # A group of its own, which is ended together with the processes that the part starts.
    os.setsid()
    torch.set_num_threads(1)
    try:
        for row in rows(plan):
            sender.send(row)
        sender.send("done")
    except Exception as error:
        sender.send(f"failed: {type(error).__name__}: {error}")


def _end(process: SpawnProcess) -> None:
    """End a part and all that it has started."""
    if process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def facts(device: str) -> dict[str, Any]:
    """Return what the figures depend on."""
    report: dict[str, Any] = {
        "device": device,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "not_captured": NOT_CAPTURED,
    }
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        report |= {
            "gpu": properties.name,
            "gpu_memory": properties.total_memory,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="take every path in a moment")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="time limit of all parts together")
    parser.add_argument(
        "--out", type=Path, help=f"by default {RESULTS.name} in benchmarks/results; with --quick none is kept"
    )
    options = parser.parse_args(arguments)
    try:
        Compute(device=options.device).check()
    except DeviceUnavailable as error:
        parser.error(str(error))
    out = options.out or (None if options.quick else RESULTS)
    record = Record(out, {"quick": options.quick, **facts(options.device)})
    try:
        measure((quick if options.quick else full)(options.device), record, options.minutes)
    except KeyboardInterrupt:
        print("interrupted" + (f"; {out} has what was found" if out else ""))
        return 130
    return 0 if record.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
