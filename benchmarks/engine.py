"""What the training engine costs: a run beside the same optimizer steps in a bare PyTorch loop.

    python benchmarks/engine.py [--cases digits cnn resnet18] [--repeats 20] [--workers 1 2] [--home DIR]

Both train the same student for the same steps, on one thread, in turns, of which every second one begins with
the bare loop. The bare loop has all that it needs as float tensors in memory and does nothing but its steps:
no uint8 images to normalise, no losses to keep, nobody to report to. A ratio of 1 means that the engine costs
nothing.

`digits` is a student of the built-in federation; there `a whole run` is one as the search makes them, setting
up and evaluation at every rung included. `cnn` (three blocks with BatchNorm) and `resnet18` (with the stem
for small images) train on random images of CIFAR-10's shape, 3 x 32 x 32: speed does not depend on what they
show. With several workers as many processes do the same thing at the same time, and their examples/s are
added up.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autokd.compute.device import Compute
from autokd.config.federation import ArchitectureConfig, FederationConfig
from autokd.config.training import DistillationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Setting, Split, TransferSet, derive_seed
from autokd.data.dataset import Dataset
from autokd.distillation import Run, distillation_loss, examples
from autokd.federation.federation import Federation, Participant, network
from autokd.federation.preparation import prepare
from autokd.models.building import build
from autokd.models.training import batches, make_optimizer
from autokd.models.weights import weights_of

STUDY: Final = "digits"
SETTING: Final = Setting(temperature=2.0, alpha=0.5, transfer_set=TransferSet.BOTH)
CLASSES: Final = 10
HELD_OUT: Final = 200
"""Images that a run on random ones is judged on at a rung, as many as `digits` has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Random:
    """A student on random images of CIFAR-10's shape.

    Attributes:
        images: Of the transfer set, half of them the student's.
    """

    architecture: str
    options: Mapping[str, Any]
    images: int
    batch_size: int
    epochs: int


RANDOM: Final[Mapping[str, Random]] = {
    "cnn": Random(architecture="cnn", options={"widths": [32, 64, 128]}, images=512, batch_size=64, epochs=2),
    "resnet18": Random(
        architecture="resnet18", options={"stem": "cifar"}, images=64, batch_size=32, epochs=1
    ),
}
CASES: Final = (STUDY, *RANDOM)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What both sides do."""

    federation: Federation
    pair: Pair
    recipe: DistillationConfig
    rungs: Sequence[int]


def case(name: str, home: Path) -> Case:
    """One of `CASES`.

    Args:
        home: Where the built-in federation lies, or is put.
    """
    config = read_study_config(STUDY)
    if name == STUDY:
        federation = prepare(config.federation, home=home, compute=Compute())
        return Case(federation=federation, pair=Pair(4, 9), recipe=config.distillation, rungs=config.rungs)
    what = RANDOM[name]
    recipe = config.distillation.model_copy(update={"batch_size": what.batch_size, "epochs": what.epochs})
    return Case(
        federation=random_federation(what, config.federation),
        pair=Pair(0, 1),
        recipe=recipe,
        rungs=(what.epochs,),
    )


def random_federation(what: Random, usual: FederationConfig) -> Federation:
    """Two untrained participants on random images, with random logits.

    Args:
        usual: A recipe to begin with; nothing is made from it.
    """
    dice = np.random.default_rng(0)
    count = what.images + HELD_OUT
    architecture = ArchitectureConfig(name=what.architecture, options=dict(what.options))
    weights = weights_of(build(architecture, channels=3, size=32, classes=CLASSES))
    halves = np.array_split(np.arange(what.images), 2)
    return Federation(
        name=f"random-{what.architecture}",
        recipe=usual.model_copy(update={"participants": 2, "architectures": (architecture,)}),
        data=Dataset(
            images=dice.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8),
            labels=dice.integers(0, CLASSES, count),
            classes=tuple(map(str, range(CLASSES))),
            mean=(127.5,) * 3,
            std=(73.9,) * 3,
        ),
        splits={Split.VALIDATION: np.arange(what.images, count)},
        public=np.arange(0),
        participants=tuple(
            Participant(number=number, architecture=architecture, weights=weights, private=half)
            for number, half in enumerate(halves)
        ),
        logits=dice.standard_normal((2, count, CLASSES), dtype=np.float32),
    )


def engine(what: Case) -> tuple[float, float]:
    """Examples/s of a run's training alone, and of a whole run with its rungs on validation."""
    began = perf_counter()
    *_, last = Run(
        what.federation,
        what.pair,
        SETTING,
        seed=0,
        recipe=what.recipe,
        rungs=what.rungs,
        splits=(Split.VALIDATION,),
        compute=Compute(),
    )
    trained = last.examples_per_second * last.seconds
    return last.examples_per_second, trained / (perf_counter() - began)


def bare(what: Case) -> tuple[float, nn.Module]:
    """Examples/s of the same steps and nothing else, and the student."""
    federation, pair, recipe = what.federation, what.pair, what.recipe
    data, where = federation.data, examples(federation, pair, SETTING.transfer_set)
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (data.mean, data.std))
    images = (torch.from_numpy(data.images[where]).float() - mean) / std
    labels = torch.from_numpy(data.labels[where])
    teacher = torch.from_numpy(federation.logits[pair.teacher, where])
    student = network(federation, pair.student).train()
    order = torch.Generator().manual_seed(derive_seed(federation.name, str(pair), 0))
    optimizer = make_optimizer(recipe, student.parameters())
    began = perf_counter()
    for _ in range(recipe.epochs):
        for chosen in batches(len(where), recipe.batch_size, order):
            loss = distillation_loss(student(images[chosen]), teacher[chosen], labels[chosen], SETTING).total
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return recipe.epochs * len(where) / (perf_counter() - began), student


def turns(what: Case, repeats: int, together: Barrier) -> NDArray[np.float64]:
    """Examples/s of training, of a whole run and of the bare loop, shape (repeats, 3).

    Args:
        together: Every worker begins each half of a turn at the same time.
    """
    rows = []
    # The first turn pays for what PyTorch sets up once.
    for turn in range(1 + repeats):
        row = np.empty(3)
        for side in (0, 1) if turn % 2 else (1, 0):
            together.wait()
            if side:
                row[2], _ = bare(what)
            else:
                row[:2] = engine(what)
        rows.append(row)
    return np.array(rows[1:])


def _work(name: str, home: Path, repeats: int, together: Barrier, answers: Any) -> None:
    torch.set_num_threads(1)
    answers.put(turns(case(name, home), repeats, together))


def measured(name: str, home: Path, repeats: int, workers: int) -> NDArray[np.float64]:
    """Examples/s of all workers together, as `turns` has them."""
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=_work, args=(name, home, repeats, together, answers), daemon=True)
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    # A worker that dies leaves the others at the barrier, so it is not waited for in vain.
    found: list[NDArray[np.float64]] = []
    while len(found) < workers:
        try:
            found.append(answers.get(timeout=5))
        except queue.Empty:
            if any(process.exitcode for process in processes):
                for process in processes:
                    process.terminate()
                raise RuntimeError(f"a worker of {name} died; what it said stands above") from None
    for process in processes:
        process.join()
    total: NDArray[np.float64] = np.sum(found, axis=0)
    return total


def spread(ratios: NDArray[np.float64]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def main() -> None:
    """Print speeds and what they are of the bare loop's."""
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
    kept: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        for name in options.cases:
            # Made, or read, before any worker needs it.
            case(name, home)
            for workers in options.workers:
                training, whole, plain = measured(name, home, options.repeats, workers).T
                print(
                    f"{name}, {workers} at once, 1 thread each: median examples/s of {options.repeats} turns "
                    "and ratio with quartiles"
                )
                print(f"  bare PyTorch loop     {np.median(plain):8,.0f}")
                rows = {"a run, training only": training, "a whole run": whole}
                # A few steps on random images beside an evaluation are not what a run is made of.
                for words in list(rows)[: 1 if name in RANDOM else 2]:
                    speed = rows[words]
                    low, middle, high = spread(speed / plain)
                    print(
                        f"  {words:<22}{np.median(speed):8,.0f}  {middle:.3f} ({low:.3f} to {high:.3f})",
                        flush=True,
                    )
                    kept.setdefault(name, {}).setdefault(str(workers), {})[words] = [low, middle, high]
    if options.out:
        options.out.write_text(json.dumps({"torch": str(torch.__version__), "ratios": kept}) + "\n")


if __name__ == "__main__":
    main()
