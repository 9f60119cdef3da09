"""What the training engine costs: a run beside the same steps in the best loop that anybody would write.

    python -m benchmarks.engine [--cases digits cnn cnn_large resnet18] [--repeats 20] [--workers 1 2]

All train the same student for the same steps, on one thread, in turns whose order changes. The bare loop does
all that is known to be faster: convolutions in channels_last, images resident, normalised once and stored so
that a batch has the layout already, targets softened once, a fused optimizer. It does nothing but its steps:
no losses to keep, nobody to report to. A ratio of 1 means that the engine costs nothing. Beside them runs the
engine of an earlier commit, which first shows that contiguous runs still have its bits. Time is that of the
CPU, so that other work on the machine counts little.

`digits` is a student of the built-in federation; there `a whole run` is one as the search makes them, setting
up and evaluation at every rung included. `cnn` (three blocks of 16, 32 and 64 channels with BatchNorm),
`cnn_large` (32, 64, 128) and `resnet18` (with the stem for small images) train on random images of CIFAR-10's
shape, 3 x 32 x 32: speed does not depend on what they show. With several workers as many processes do the
same thing at the same time, and their examples/s are added up.

The file that `--out` names keeps what it has of other cases, so that slow ones can have fewer repeats, unless
it is from another kind of machine or another version.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import process_time
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.compute.tensor_formats import choose_format, fast_precision
from autokd.core.setting import Split, derive_seed
from autokd.distillation import Run, examples, trainer
from autokd.federation.networks import network
from autokd.models.training import batches
from benchmarks.earlier_engine import Earlier, digest
from benchmarks.engine_cases import CASES, RANDOM, SETTING, Case, case
from benchmarks.reads import EARLIER, earlier_tree

SIDES: Final = ("training", "whole", "bare", "earlier", "bfloat16")
"""Columns of a turn, in examples/s: training of a run, a whole run, the bare loop, training of a run of the
earlier engine, and of one in bfloat16 (NaN where the processor does not compute in it)."""
RATIOS: Final = {
    "a run, of the best bare loop": ("training", "bare"),
    "a whole run, of the best bare loop": ("whole", "bare"),
    "a run, of the earlier engine's": ("training", "earlier"),
    "a run in bfloat16, of one in float32": ("bfloat16", "training"),
}
"""What is divided by what; of random images no whole run, since a few steps beside an evaluation are none."""


def engine(what: Case, compute: Compute) -> tuple[float, float]:
    """Return examples/s of a run's training alone, and of a whole run with its rungs on validation."""
    began = process_time()
    with patch.object(trainer, "perf_counter", process_time):
        *_, last = run_of(what, compute)
    trained = last.examples_per_second * last.seconds
    return last.examples_per_second, trained / (process_time() - began)


def run_of(what: Case, compute: Compute) -> Run:
    """Return the run that both engines do."""
    return Run(
        what.federation,
        what.pair,
        SETTING,
        seed=0,
        recipe=what.recipe,
        rungs=what.rungs,
        splits=(Split.VALIDATION,),
        compute=compute,
    )


def bare(what: Case) -> tuple[float, nn.Module]:
    """Return examples/s of the same steps and nothing else, and the student."""
    federation, pair, recipe = what.federation, what.pair, what.recipe
    data, where = federation.data, examples(federation, pair, SETTING.transfer_set)
    pixels = torch.from_numpy(data.images[where]).permute(0, 2, 3, 1).float()
    images = ((pixels - torch.tensor(data.mean)) / torch.tensor(data.std)).contiguous()
    labels = torch.from_numpy(data.labels[where])
    temperature, alpha = SETTING.temperature, SETTING.alpha or 0.0
    teacher = torch.from_numpy(federation.logits[pair.teacher, where])
    targets = F.log_softmax(teacher / temperature, dim=1)
    student = network(federation, pair.student).train().to(memory_format=torch.channels_last)
    order = torch.Generator().manual_seed(derive_seed(federation.name, str(pair), 0))
    optimizer = torch.optim.SGD(
        student.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, fused=True
    )
    began = process_time()
    for _ in range(recipe.epochs):
        for chosen in batches(len(where), recipe.batch_size, order):
            logits = student(images.index_select(0, chosen).permute(0, 3, 1, 2))
            soft = F.kl_div(
                F.log_softmax(logits / temperature, dim=1),
                targets.index_select(0, chosen),
                reduction="batchmean",
                log_target=True,
            )
            hard = F.cross_entropy(logits, labels.index_select(0, chosen))
            loss = alpha * temperature**2 * soft + (1 - alpha) * hard
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return recipe.epochs * len(where) / (process_time() - began), student


def turns(what: Case, repeats: int, together: Barrier, earlier: Earlier | None = None) -> NDArray[np.float64]:
    """Return examples/s of each side, as `SIDES` has them, shape (repeats, sides).

    Args:
        together: Every worker begins each part of a turn at the same time.
        earlier: None to leave it out.
    """
    _, *images = what.federation.data.images.shape
    # Chosen once for a study, and not by every run.
    compute = Compute().in_format(
        choose_format(Compute(), network(what.federation, what.pair.student), images)
    )
    half = replace(compute, precision="bfloat16") if fast_precision("cpu") == "bfloat16" else None
    measures: list[Callable[[], Sequence[float]]] = [
        lambda: engine(what, compute),
        lambda: bare(what)[:1],
        lambda: (earlier.speed() if earlier else np.nan,),
        lambda: (engine(what, half)[0] if half else np.nan,),
    ]
    rows = []
    # The first turn pays for what PyTorch sets up once.
    for turn in range(1 + repeats):
        speeds: dict[int, Sequence[float]] = {}
        for side in (np.arange(len(measures)) + turn) % len(measures):
            together.wait()
            speeds[int(side)] = measures[side]()
        rows.append([speed for side in sorted(speeds) for speed in speeds[side]])
    return np.array(rows[1:])


def _work(name: str, home: Path, tree: Path | None, repeats: int, together: Barrier, answers: Any) -> None:
    torch.set_num_threads(1)
    what = case(name, home)
    if tree is None:
        answers.put(turns(what, repeats, together))
        return
    earlier = Earlier(name, tree, home)
    run = run_of(what, Compute(memory_format="contiguous"))
    list(run)
    if digest(run.student) != earlier.digest:
        raise RuntimeError(f"a contiguous run of {name} has other bits than with the engine of {EARLIER}")
    answers.put(turns(what, repeats, together, earlier))
    earlier.close()


def measured(
    name: str, home: Path, repeats: int, workers: int, tree: Path | None = None
) -> NDArray[np.float64]:
    """Return examples/s of all workers together, as `turns` has them.

    Args:
        tree: Source tree of the earlier commit; None to leave it out.
    """
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=_work, args=(name, home, tree, repeats, together, answers), daemon=True)
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    # A worker that dies leaves the others at the barrier, so it is not waited for in vain.
    times: list[NDArray[np.float64]] = []
    while len(times) < workers:
        try:
            times.append(answers.get(timeout=5))
        except queue.Empty:
            if any(process.exitcode for process in processes):
                for process in processes:
                    process.terminate()
                raise RuntimeError(f"a worker of {name} died; what it said stands above") from None
    for process in processes:
        process.join()
    total: NDArray[np.float64] = np.sum(times, axis=0)
    return total


def spread(ratios: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return lower quartile, median, upper quartile."""
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def main() -> None:
    """Print speeds and their ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cores = os.cpu_count() or 1
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--workers", nargs="+", type=int, default=sorted({1, cores}))
    parser.add_argument("--home", type=Path, help="where federations lie; by default made and thrown away")
    parser.add_argument("--out", type=Path, help="keep every number in this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        home = options.home or Path(scratch)
        tree = stack.enter_context(earlier_tree(Path(scratch) / "tree"))
        for name in options.cases:
            # Made, or read, before any worker needs it.
            case(name, home)
            for workers in options.workers:
                speeds = measured(name, home, options.repeats, workers, tree)
                figures = shown(name, workers, speeds)
                if options.out:
                    keep(options.out, name, workers, figures)


def keep(out: Path, name: str, workers: int, figures: dict[str, Any]) -> None:
    """Write the figures of one case into a file, beside those of others from the same kind of machine."""
    measured_with = {
        "torch": str(torch.__version__),
        "earlier_commit": EARLIER,
        "processor": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}",
    }
    content = json.loads(out.read_text()) if out.exists() else {}
    cases = content.pop("cases", {}) if content.items() >= measured_with.items() else {}
    cases.setdefault(name, {})[str(workers)] = figures
    ordered = {name: cases[name] for name in CASES if name in cases}
    out.write_text(json.dumps({**measured_with, "cases": ordered}, indent=1) + "\n")


def shown(name: str, workers: int, speeds: NDArray[np.float64]) -> dict[str, Any]:
    """Print the figures of one case, and return them."""
    by_side = dict(zip(SIDES, speeds.T, strict=True))
    medians = {side: round(float(np.median(speed)), 1) for side, speed in by_side.items()}
    print(f"{name}, {workers} at once, 1 thread each, {len(speeds)} turns")
    print(f"  median examples per CPU second: {medians}")
    ratios = {}
    for words, (above, below) in RATIOS.items():
        ratio = by_side[above] / by_side[below]
        if np.isnan(ratio).any() or (above == "whole" and name in RANDOM):
            continue
        ratios[words] = [round(value, 4) for value in spread(ratio)]
        low, middle, high = ratios[words]
        print(f"  {words:<38}{middle:.3f} ({low:.3f} to {high:.3f})", flush=True)
    return {"turns": len(speeds), "examples_per_second": medians, "ratios": ratios}


if __name__ == "__main__":
    main()
