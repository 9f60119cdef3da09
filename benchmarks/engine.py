"""What the training engine costs: a run beside the same optimizer steps in a bare PyTorch loop.

    python benchmarks/engine.py [--study digits] [--pair 4,9] [--repeats 20] [--home DIRECTORY]

Both train the same student for the same steps, in one process on one thread, in turns. The bare loop has
all that it needs as float tensors in memory and does nothing but its steps: no uint8 images to normalise, no
losses to keep, nobody to report to. A ratio of 1 means that the engine costs nothing. The last line is a
whole run as the search makes them, setting up and evaluation at every rung included.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from autokd.compute import Compute
from autokd.distillation import Run, distillation_loss, examples
from autokd.federation import Federation, batches, make_optimizer, network, prepare
from autokd.plan import StudyPlan
from autokd.recipes import read_plan
from autokd.setting import Pair, Setting, Split, TransferSet

SETTING = Setting(temperature=2.0, alpha=0.5, transfer_set=TransferSet.BOTH)


def engine(federation: Federation, pair: Pair, plan: StudyPlan) -> tuple[float, float]:
    """Examples/s of a run's training alone, and of a whole run with its rungs on validation."""
    began = perf_counter()
    *_, last = Run(
        federation,
        pair,
        SETTING,
        seed=0,
        recipe=plan.distillation,
        rungs=plan.rungs,
        splits=(Split.VALIDATION,),
        compute=Compute(),
    )
    trained = last.examples_per_second * last.seconds
    return last.examples_per_second, trained / (perf_counter() - began)


def bare(federation: Federation, pair: Pair, plan: StudyPlan) -> float:
    """Examples/s of the same steps and nothing else."""
    data, where = federation.data, examples(federation, pair, SETTING.transfer_set)
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (data.mean, data.std))
    images = (torch.from_numpy(data.images[where]).float() - mean) / std
    labels = torch.from_numpy(data.labels[where])
    teacher = torch.from_numpy(federation.logits[pair.teacher, where])
    student, order = network(federation, pair.student).train(), torch.Generator().manual_seed(0)
    optimizer = make_optimizer(plan.distillation, student.parameters())
    began = perf_counter()
    for _ in range(plan.distillation.epochs):
        for chosen in batches(len(where), plan.distillation.batch_size, order):
            loss = distillation_loss(student(images[chosen]), teacher[chosen], labels[chosen], SETTING).total
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return plan.distillation.epochs * len(where) / (perf_counter() - began)


def spread(ratios: NDArray[np.float64]) -> str:
    """Median and quartiles."""
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return f"{middle:.3f} (quartiles {low:.3f} to {high:.3f})"


def main() -> None:
    """Print the three speeds and what they are of the bare one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", default="digits")
    parser.add_argument("--pair", type=Pair.parse, default=Pair(teacher=4, student=9))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--home", type=Path, help="where federations lie; by default made and thrown away")
    options = parser.parse_args()
    torch.set_num_threads(1)
    plan, pair = read_plan(options.study), options.pair
    with tempfile.TemporaryDirectory() as scratch:
        federation = prepare(plan.federation, home=options.home or Path(scratch), compute=Compute())
    rows = [
        (*engine(federation, pair, plan), bare(federation, pair, plan)) for _ in range(1 + options.repeats)
    ]
    # The first turn pays for what PyTorch sets up once.
    training, whole, plain = np.array(rows[1:]).T
    print(f"{federation.name} {pair} {SETTING}: median examples/s of {options.repeats} turns, 1 thread")
    print(f"  bare PyTorch loop     {np.median(plain):8,.0f}")
    print(f"  a run, training only  {np.median(training):8,.0f}  ratio {spread(training / plain)}")
    print(f"  a whole run           {np.median(whole):8,.0f}  ratio {spread(whole / plain)}")


if __name__ == "__main__":
    main()
