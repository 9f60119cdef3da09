"""Sweeps a pair of a federation that is larger than Ray's whole object store; run by its test.

    python -m tests.execution.beyond_the_store FOLDER

The store has 80 MiB, the images have 128, and lie in a file below FOLDER. Prints as JSON what was found.
A process of its own, since Ray's store has one size as long as Ray runs.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import ray

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.core.records import RunState
from autokd.core.setting import Pair, Split
from autokd.data import mapped_arrays
from autokd.distillation import Run
from autokd.execution.driver import distilling, drive
from autokd.execution.run_queue import FixedRunQueue
from autokd.search.study_names import sweep_name
from autokd.store import Store, sqlite_url
from tests.distillation.conftest import make_federation
from tests.search.worlds import open_space, tiny_plan

STORE_BYTES: Final = 80 * 2**20
IMAGES: Final = 2**21
PAIR: Final = Pair(0, 1)


def main(home: Path) -> None:
    small, config = make_federation(), tiny_plan()
    images = np.random.default_rng(0).integers(0, 17, (IMAGES, 1, 8, 8), dtype=np.uint8)
    # Of its ends, so that runs ask for what lies far apart.
    half = len(small.data.images) // 2
    images[:half], images[half - len(small.data.images) :] = (
        small.data.images[:half],
        small.data.images[half:],
    )
    mapped_arrays.write(home / "images", {"images": images})
    where = np.where(np.arange(len(small.data.images)) < half, 0, IMAGES - len(small.data.images))
    there = np.arange(len(small.data.images)) + where
    labels, logits = np.zeros(IMAGES, np.int64), np.zeros((2, IMAGES, 4), np.float32)
    labels[there], logits[:, there] = small.data.labels, small.logits
    federation = replace(
        small,
        data=replace(small.data, images=mapped_arrays.read(home / "images")["images"], labels=labels),
        splits={split: there[rows] for split, rows in small.splits.items()},
        public=there[small.public],
        participants=tuple(
            replace(participant, private=there[participant.private]) for participant in small.participants
        ),
        logits=logits,
    )
    grid = open_space(temperature=[1, 4], alpha=[0.3], transfer_set=["both"]).grid()
    name = sweep_name(federation.name, config, PAIR)
    os.environ["RAY_AUTH_MODE"] = "disabled"  # Else Ray leaves a token in the user's own folder.
    ray.init(
        num_cpus=2,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    with Store.open(sqlite_url(home / "store.db")) as store:
        store.put_federation(federation.facts())
        store.create_study(name, attributes={})
        sweeper = FixedRunQueue.of_sweep(grid=grid, names={PAIR: name}, seeds=1, retries=3, store=store)
        trainable = distilling(config, federation, Compute(image_bytes=0))
        done = drive(sweeper, trainable, home=home, workers=Resources())
        runs = store.runs(name)
    failed = [run.reason for run in runs if run.state is not RunState.COMPLETE]
    runs = tuple(run for run in runs if run.state is RunState.COMPLETE)
    same = []
    for run, split in product(runs, Split):
        *_, rung = Run(
            small,
            PAIR,
            run.setting,
            seed=run.seed,
            recipe=config.distillation,
            rungs=(config.distillation.epochs,),
            splits=(split,),
            compute=Compute(),
        )
        same.append(bool((run.correct[split] == rung.evaluations[split].correct).all()))
    facts = {
        "done": done,
        "runs": len(runs),
        "failed": failed,
        "same": same,
        "store": ray.cluster_resources()["object_store_memory"],
        "images": images.nbytes,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
