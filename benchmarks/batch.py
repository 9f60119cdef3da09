"""What the driver costs: a meeting tuned on Ray workers, then the same runs again in one plain process.

    python benchmarks/batch.py [--study digits] [--pair 4,9]

The second time there is no Ray, no store and no sampler: each run of the search, the race and the
confirmation goes as far as it went the first time, and has to give the same answer to the last bit. What
workers took beyond that is the price of handing out, reporting and recording. Start-up (Ray, the workers'
imports) stands apart, since it is paid once a command.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

from autokd.cluster import session
from autokd.compute import Compute
from autokd.distillation import Run
from autokd.federation import Federation
from autokd.recommendation import Recommendation
from autokd.records import RunState
from autokd.search.assignment import Assignment, Job
from autokd.search.progress import Progress
from autokd.setting import Split
from autokd.workspace import Listener, Workspace


@dataclass(slots=True)
class Watch:
    """When things happened, in seconds of `perf_counter`, and how much the driver's process had computed.

    Attributes:
        first: The first report of any worker.
        last: The latest change.
        processed: CPU seconds of this process at `first` and `last`.
        ended: Runs that had ended by `last`.
    """

    first: float = 0.0
    last: float = 0.0
    processed: tuple[float, float] = (0.0, 0.0)
    ended: int = 0

    def __call__(self, progress: Progress) -> None:
        if not self.first and not any(study.epochs for study in progress.studies):
            return
        self.last = perf_counter()
        self.first = self.first or self.last
        self.processed = (self.processed[0] or process_time(), process_time())
        self.ended = progress.ended


def assignments(found: Recommendation) -> Iterator[tuple[Assignment, int, object]]:
    """Every run of a pair that came to an answer: what it was, its epochs, and what it answered."""
    for trial in found.searched.trials:
        if trial.epochs:
            yield Assignment(found.pair, trial.setting, trial.seed, None), trial.epochs, trial.accuracy
    for run in found.searched.runs:
        if run.state is RunState.COMPLETE:
            yield Assignment(found.pair, run.setting, run.seed, run.stage), run.epochs, run.correct


def again(federation: Federation, job: Job, given: Assignment, epochs: int) -> object:
    """The same run in this process, as far as it went; its last accuracy, or its correctness by split."""
    run = Run(
        federation,
        given.pair,
        given.setting,
        seed=given.seed,
        recipe=job.recipe,
        rungs=job.rungs_for(given),
        splits=job.splits_for(given),
        compute=job.compute,
    )
    rung = next(rung for rung in run if rung.epoch == epochs)
    if given.stage is None:
        return rung.evaluations[Split.VALIDATION].accuracy
    return {split: seen.correct for split, seen in rung.evaluations.items()}


def same(one: object, other: object) -> bool:
    """Whether two answers agree to the last bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
    return one == other


def main() -> None:
    """Tune, repeat, and print what the difference is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits")
    parser.add_argument("--pair", default="4,9")
    options = parser.parse_args()
    torch.set_num_threads(1)
    compute, watch = Compute(), Watch()
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.open(options.study, home=Path(home))
        pair = workspace.pair(options.pair)
        began = perf_counter()
        with session():
            started = perf_counter()
            federation = workspace.prepare(compute, progress=lambda done, total: None)
            prepared = perf_counter()
            outcome = workspace.tune(pair, compute=compute, listener=Listener(searching=watch))
            done = perf_counter()
            second = workspace.tune(pair, compute=compute)
            asked_again = perf_counter() - done
    assert second.ran == 0
    job, slots = Job.of(workspace.plan, compute), os.cpu_count() or 1
    answered = [one for found in outcome.recommendations for one in assignments(found)]
    repeat = perf_counter()
    differing = sum(
        not same(again(federation, job, given, epochs), answer) for given, epochs, answer in answered
    )
    alone = perf_counter() - repeat
    working, driver = watch.last - watch.first, watch.processed[1] - watch.processed[0]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{federation.name}, meeting of {pair}, {slots} cores, load {load}")
    print(f"  start of Ray                 {started - began:7.1f} s")
    print(f"  pre-training                 {prepared - started:7.1f} s")
    print(f"  until a worker reports       {watch.first - prepared:7.1f} s")
    print(f"  search, race, confirmation   {working:7.1f} s for {outcome.ran} runs")
    print(f"  to the recommendation        {done - watch.last:7.1f} s")
    print(f"  the same call again          {asked_again:7.1f} s, no run")
    print(f"  the same runs in one process {alone:7.1f} s, {differing} of {len(answered)} differ")
    print(
        f"  a run: {1e3 * working * slots / outcome.ran:.0f} ms of a worker, of which it needs "
        f"{1e3 * alone / len(answered):.0f} ms; the driver computes {1e3 * driver / outcome.ran:.0f} ms"
    )


if __name__ == "__main__":
    main()
