"""What a batch costs beyond its runs: it is tuned on Ray workers, then its runs again in one plain process.

    python benchmarks/batch.py [--study STUDY] [--pair 4,9 | --all] [--sample 200]

The second time there is no Ray, no store and no sampler: each run of the search, the race and the
confirmation goes as far as it went the first time, and has to give the same answer to the last bit. What
workers took beyond that is the price of handing out, reporting and recording. Start-up (Ray, the workers'
imports) stands apart, since it is paid once a command.

With `--all` only a sample of the runs is repeated. What all of them would take alone is estimated from it,
apart for search, race and confirmation: in each, time is taken as proportional to epochs times examples. The
batch is to last no longer than 1.5 times that, divided by the workers, and a minute. What it said would be
left, after a fifth of its runs, is held against what was.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
import torch

from autokd.compute.device import Compute
from autokd.compute.ray_cluster import session
from autokd.core.records import RunState, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Pair, Split
from autokd.distillation import Run, examples
from autokd.execution.run_context import RunContext
from autokd.federation.federation import Federation
from autokd.search.progress import Progress
from autokd.search.study_names import study_name
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.prepare import prepare
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from benchmarks.pairs import pair_of

FROZEN = Path(__file__).parent / "frozen" / "digits.yaml"


@dataclass(slots=True)
class Watch(Callbacks):
    """When things happened, in seconds of `perf_counter`, and how much the driver's process had computed.

    Attributes:
        first: The first report of any worker.
        last: The latest change.
        processed: CPU seconds of this process at `first` and `last`.
        ended: Runs that had ended by `last`.
        forecast: After a fifth of the runs: when that was, and how many seconds were said to be left.
    """

    first: float = 0.0
    last: float = 0.0
    processed: tuple[float, float] = (0.0, 0.0)
    ended: int = 0
    forecast: tuple[float, float] | None = None

    def on_search(self, progress: Progress) -> None:
        if not self.first and not any(study.spent.epochs for study in progress.studies):
            return
        self.last = perf_counter()
        self.first = self.first or self.last
        self.processed = (self.processed[0] or process_time(), process_time())
        self.ended = progress.ended
        left = progress.seconds_left
        if self.forecast is None and left is not None and progress.left <= 4 * progress.ended:
            self.forecast = self.last, left


class Done(NamedTuple):
    """A run that came to an answer.

    Attributes:
        answer: Its last accuracy, or its correctness by split.
    """

    given: RunSpec
    epochs: int
    answer: object


def answered(workspace: Workspace, federation: Federation, pairs: Iterable[Pair]) -> Iterator[Done]:
    """All runs that the store has an answer of."""
    with workspace.open_store(create=False) as store:
        for pair in pairs:
            name = study_name(federation.name, workspace.config, workspace.space, pair)
            for trial in store.trials(name):
                if trial.epochs:
                    spec = RunSpec(pair, trial.setting, trial.seed, None)
                    yield Done(spec, trial.epochs, trial.accuracy)
            for run in store.runs(name):
                if run.state is RunState.COMPLETE:
                    spec = RunSpec.of(pair, run)
                    yield Done(spec, run.epochs, run.correct)


@dataclass(frozen=True, slots=True)
class Repeated:
    """What runs take by themselves.

    Attributes:
        runs: Repeated.
        differing: Of these, runs that gave another answer.
        seconds: That they took.
        estimate: Seconds that all runs would have taken.
    """

    runs: int
    differing: int
    seconds: float
    estimate: float


def repeat(federation: Federation, job: RunContext, done: Sequence[Done], most: int) -> Repeated:
    """Do these runs again, or a sample of so many."""
    sample = random.Random(0).sample(done, min(most, len(done)))
    seconds, sampled = defaultdict[Stage | None, float](float), Counter[Stage | None]()
    differing = 0
    for ended in sample:
        began = perf_counter()
        differing += not same(again(federation, job, ended.given, ended.epochs), ended.answer)
        seconds[ended.given.stage] += perf_counter() - began
        sampled[ended.given.stage] += work(federation, ended)
    whole = Counter[Stage | None]()
    for ended in done:
        whole[ended.given.stage] += work(federation, ended)
    pace = sum(seconds.values()) / sum(sampled.values())
    estimate = sum(
        amount * (seconds[stage] / sampled[stage] if sampled[stage] else pace)
        for stage, amount in whole.items()
    )
    return Repeated(len(sample), differing, sum(seconds.values()), estimate)


def work(federation: Federation, done: Done) -> int:
    """Examples that a run trained on, each as often as it did."""
    return done.epochs * len(examples(federation, done.given.pair, done.given.setting.transfer_set))


def again(federation: Federation, job: RunContext, spec: RunSpec, epochs: int) -> object:
    """The same run in this process, as far as it went; its last accuracy, or its correctness by split."""
    run = Run(
        federation,
        spec.pair,
        spec.setting,
        seed=spec.seed,
        recipe=job.recipe,
        rungs=job.rungs_for(spec),
        splits=job.splits_for(spec),
        compute=job.compute,
    )
    rung = next(rung for rung in run if rung.epoch == epochs)
    if spec.stage is None:
        return rung.evaluations[Split.VALIDATION].accuracy
    return {split: seen.correct for split, seen in rung.evaluations.items()}


def same(first: object, other: object) -> bool:
    """Whether two answers agree to the last bit."""
    if isinstance(first, dict) and isinstance(other, dict):
        return first.keys() == other.keys() and all(np.array_equal(first[key], other[key]) for key in first)
    return first == other


def main() -> None:
    """Tune, repeat, and print what the difference is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default=str(FROZEN))
    parser.add_argument("--pair", default="4,9")
    parser.add_argument("--all", action="store_true", help="all pairs of the federation")
    parser.add_argument("--trials", type=int, help="a pair, in place of the study's own number")
    parser.add_argument("--sample", type=int, default=200, help="runs to repeat")
    options = parser.parse_args()
    torch.set_num_threads(1)
    compute, watch = Compute(), Watch()
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.open(options.study, home=Path(home), trials=options.trials)
        everybody = range(workspace.config.federation.size)
        pairs = (
            [Pair(*two) for two in permutations(everybody, 2)]
            if options.all
            else [workspace.pair(options.pair)]
        )
        began = perf_counter()
        with session():
            started = perf_counter()
            federation = prepare(workspace, compute, progress=lambda done, total: None)
            prepared = perf_counter()
            batch = tune_all(workspace, pairs, compute=compute, callbacks=watch)
            done = perf_counter()
            second = tune_all(workspace, pairs, compute=compute)
            asked_again = perf_counter() - done
        replies = list(answered(workspace, federation, map(pair_of, batch.answers)))
    assert second.ran == 0
    config, slots = workspace.config, os.cpu_count() or 1
    job = RunContext(config.distillation, config.rungs, compute)
    repeated = repeat(federation, job, replies, options.sample)
    working, driver = watch.last - watch.first, watch.processed[1] - watch.processed[0]
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    bound = 1.5 * repeated.estimate / slots + 60
    print(f"{federation.name}, {len(batch.answers)} pairs, {slots} cores, load {load}")
    print(f"  start of Ray                 {started - began:8.1f} s")
    print(f"  pre-training                 {prepared - started:8.1f} s")
    print(f"  until a worker reports       {watch.first - prepared:8.1f} s")
    print(f"  search, race, confirmation   {working:8.1f} s for {batch.ran} runs")
    print(f"  to the end of the command    {done - watch.last:8.1f} s")
    print(f"  all of it                    {done - began:8.1f} s")
    print(
        f"  the same runs by themselves  {repeated.estimate:8.1f} s, by {repeated.runs} of them, of which "
        f"{repeated.differing} differ"
    )
    kept = "kept" if done - began <= bound else "missed"
    print(f"  1.5 x that / {slots} workers + 60 s {bound:8.1f} s, {kept}")
    if watch.forecast is not None:
        when, said = watch.forecast
        off = 100 * (said / (watch.last - when) - 1)
        print(f"  said to be left at a fifth   {said:8.1f} s, {off:+.0f}% off")
    print(f"  the same call again          {asked_again:8.1f} s, no run")
    print(
        f"  a run: {1e3 * working * slots / batch.ran:.0f} ms of a worker, of which it needs "
        f"{1e3 * repeated.estimate / len(replies):.0f} ms; "
        f"the driver computes {1e3 * driver / batch.ran:.0f} ms"
    )


if __name__ == "__main__":
    main()
