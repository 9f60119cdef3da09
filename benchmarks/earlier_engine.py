"""The training engine of an earlier commit, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from torch import nn

from autokd.models.weights import weights_of
from benchmarks.engine_cases import RANDOM
from benchmarks.reads import EARLIER

_EARLIER_CODE: Final = """
import hashlib, json, sys, time
import torch
torch.set_num_threads(1)
from pathlib import Path
from autokd.distillation import loop
from benchmarks import engine
loop.perf_counter = engine.perf_counter = time.process_time
from autokd.federation import weights_of
name, content, home = sys.argv[1:]
if json.loads(content):
    engine.RANDOM = {name: engine.Random(**json.loads(content))}
what = engine.case(name, Path(home))
run = engine.Run(what.federation, what.pair, engine.SETTING, seed=0, recipe=what.recipe, rungs=what.rungs,
                 splits=(engine.Split.VALIDATION,), compute=engine.Compute())
list(run)
digest = hashlib.sha256()
for key, value in sorted(weights_of(run.student).items()):
    digest.update(key.encode() + value.tobytes())
print(digest.hexdigest(), flush=True)
for line in sys.stdin:
    print(engine.engine(what)[0], flush=True)
"""
"""Prints the hash of a student's weights, and the speed of another run for each line that it reads."""


class Earlier:
    """The engine of the earlier commit, in a process of its own that waits while others have their turn.

    Attributes:
        digest: Hash of the weights of a student that it has trained.
    """

    def __init__(self, name: str, tree: Path, home: Path) -> None:
        content = json.dumps(asdict(RANDOM[name]) if name in RANDOM else None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _EARLIER_CODE, name, content, str(home / "earlier")],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.digest = self._line()

    def speed(self) -> float:
        """Return examples/s of the training of one run."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"the engine of {EARLIER} ended; what it said stands above")
        return line


def digest(student: nn.Module) -> str:
    """Return the hash of a student's weights."""
    running = hashlib.sha256()
    for name, value in sorted(weights_of(student).items()):
        running.update(name.encode() + value.tobytes())
    return running.hexdigest()
