"""How much memory a large federation takes: 50,000 images, ten ResNet-18, two workers, the real driver.

    python -m benchmarks.memory [--images 50000] [--out FILE]

A federation of random images of CIFAR-10's shape and ten untrained ResNet-18 (with the CIFAR stem) is
written to disk, and a pair of it is tuned by a driver of its own with two workers, in the batches of 128
of the shipped study `cifar10_resnet18`. Speed is not what is asked here, so participants have few private
images, each run is one epoch long, and nothing is trained on the others, which are public: the memory of a
run does not depend on how long it is, and beyond the images themselves (3 KB each) not on how many there
are.

While it runs, the memory of the driver and of all processes that it has started, Ray's own included, is
read every 0.2 s: what is theirs alone, plus each shared page once (Linux's PSS), plus what Ray's
object store has in /dev/shm. The same is done for a federation of ten tiny networks and small
images, which needs PyTorch, Ray and the same processes, and next to nothing else. The difference of the two
highest figures is what the large federation takes; it is to be at most 3 GB. What the system keeps of files
on disk, since nobody else wants the memory just now, is not counted. About four minutes on two cores; Linux
only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from autokd.compute.ray_cluster import session
from autokd.compute.resources import Resources
from autokd.config.federation import ArchitectureConfig
from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Position, Split
from autokd.data.dataset import Dataset
from autokd.federation.hashing import assemble
from autokd.federation.layout import Layout
from autokd.federation.pretraining import Pretrained
from autokd.federation.storage import federations_folder, save
from autokd.models.building import build
from autokd.models.weights import weights_of
from autokd.workflows.tune import tune
from autokd.workspace import Workspace, storage_url
from benchmarks.ten_pairs import machine

BOUND_GB: Final = 3.0
WORKERS: Final = 2
PARTICIPANTS: Final = 10
PRIVATE: Final = 136
"""Images of a participant: a whole batch, and a smaller one."""
HELD_OUT: Final = 350
"""Images of each common split: more than a student is asked about at once."""
_SECONDS: Final = 0.2
_SHARED: Final = "/dev/shm/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A federation to be measured with.

    Attributes:
        images: How many.
        size: Height and width, pixels; three channels.
    """

    images: int
    size: int
    architecture: str
    options: Mapping[str, Any]


def kinds(images: int) -> dict[str, Kind]:
    """The tiny federation, and the large one with so many images."""
    least = PARTICIPANTS * PRIVATE + 3 * HELD_OUT + 100
    return {
        "tiny": Kind(images=least, size=8, architecture="mlp", options={"widths": [8]}),
        "large": Kind(images=max(images, least), size=32, architecture="resnet18", options={"stem": "cifar"}),
    }


def plan_for(kind: Kind) -> StudyConfig:
    """The shipped study of this size, on such a federation, and as short as it can be."""
    usual = read_study_config("cifar10_resnet18")
    content = usual.model_dump(mode="json", exclude_unset=True)
    content["federation"] |= {
        "name": "memory",
        "dataset": "digits",  # Never read: the federation is on disk already.
        "splits": {
            "validation": HELD_OUT,
            "confirmation": HELD_OUT,
            "test": HELD_OUT,
            "public": kind.images - PARTICIPANTS * PRIVATE - 3 * HELD_OUT,
        },
        "partition": {"scheme": "iid"},
        "architectures": [{"name": kind.architecture, "options": dict(kind.options)}],
    }
    content["distillation"] |= {"epochs": 1}
    content["search"] = {"trials": 2, "startup_trials": 2, "stopping": {"rungs": []}}
    content["confirmation"] = {"candidates": 1, "race_seeds": 1, "seeds": 2, "resamples": 200}
    return StudyConfig.model_validate(content)


def make(kind: Kind, home: Path) -> None:
    """Write such a federation: everything random, nothing trained."""
    config = plan_for(kind)
    dice = np.random.default_rng(0)
    ends = np.cumsum([HELD_OUT] * 3 + [PRIVATE] * PARTICIPANTS)
    validation, confirmation, test, *private, public = np.split(np.arange(kind.images), ends)
    data = Dataset(
        images=dice.integers(0, 256, (kind.images, 3, kind.size, kind.size), dtype=np.uint8),
        labels=dice.integers(0, 10, kind.images),
        classes=tuple(map(str, range(10))),
        mean=(127.5,) * 3,
        std=(73.9,) * 3,
    )
    layout = Layout(
        splits={Split.VALIDATION: validation, Split.CONFIRMATION: confirmation, Split.TEST: test},
        public=public,
        private=tuple(private),
    )
    architecture = ArchitectureConfig(name=kind.architecture, options=dict(kind.options))
    pretrained = [
        Pretrained(
            weights=weights_of(build(architecture, channels=3, size=kind.size, classes=10, seed=number)),
            logits=dice.standard_normal((kind.images, 10), dtype=np.float32),
        )
        for number in range(PARTICIPANTS)
    ]
    federation = assemble(config.federation, data, layout, pretrained)
    save(federation, federations_folder(home) / federation.name)


def play(kind: Kind, home: Path) -> None:
    """What is measured: a pair is tuned; prints how many runs that took."""
    space = Space.model_validate(
        {
            "name": "memory",
            "temperature": {"low": 0.5, "high": 16, "log": True},
            "alpha": {"low": 0, "high": 1},
            "transfer_set": ["both"],
        }
    )
    workspace = Workspace(config=plan_for(kind), space=space, home=home, storage=storage_url(None, home))
    with session(cpus=WORKERS):
        outcome = tune(
            workspace, Pair(4, 9), position=Position.STUDENT, workers=Resources(concurrency=WORKERS)
        )
    assert {recommendation.verdict.value for recommendation in outcome.recommendations}.isdisjoint(
        {"failed"}
    ), outcome
    print(outcome.ran)


@dataclass(slots=True)
class Reading:
    """Memory at one moment, in bytes.

    Attributes:
        driver: Memory of the driver, by PSS.
        workers: Memory of the processes that hold PyTorch for runs, by PSS.
        others: Memory of Ray's own processes, by PSS.
        shared: Memory in /dev/shm.
    """

    driver: int = 0
    workers: int = 0
    others: int = 0
    shared: int = 0

    @property
    def all(self) -> int:
        return self.driver + self.workers + self.others + self.shared


def read(driver: psutil.Process) -> Reading:
    """Of a driver and all that it has started."""
    reading, stores = Reading(), dict[int, int]()
    for process in [driver, *driver.children(recursive=True)]:
        try:
            pages = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            title = " ".join(process.cmdline()[:1])
            if process.name() == "raylet":
                stores |= _in_shared(process.pid)
        except (OSError, psutil.Error):
            continue  # It has ended meanwhile.
        # Shared memory is counted where it lies.
        size = _kib(pages, "Pss_Anon:") + _kib(pages, "Pss_File:")
        if process.pid == driver.pid:
            reading.driver += size
        elif title.startswith("ray::"):
            reading.workers += size
        else:
            reading.others += size
    reading.shared = sum(stores.values())
    return reading


def _kib(pages: str, name: str) -> int:
    return next(1024 * int(line.split()[1]) for line in pages.splitlines() if line.startswith(name))


def _in_shared(pid: int) -> dict[int, int]:
    """Bytes of the files in /dev/shm that a process holds open, by inode; Ray removes their names at once."""
    files = [
        descriptor
        for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        if str(descriptor.readlink()).startswith(_SHARED)
    ]
    return {about.st_ino: 512 * about.st_blocks for about in (descriptor.stat() for descriptor in files)}


def measured(name: str, home: Path, images: int) -> tuple[Reading, int, float]:
    """The highest reading while a federation is tuned, the runs that ended, and the seconds it took."""
    command = [sys.executable, "-m", "benchmarks.memory", "--images", str(images), "--home", str(home)]
    subprocess.run([*command, "--make", name], check=True)
    began, highest = time.monotonic(), Reading()
    with subprocess.Popen([*command, "--play", name], stdout=subprocess.PIPE, text=True) as played:
        # What Ray says goes through the pipe as well: it has to be emptied all the time.
        said: list[str] = []
        assert played.stdout is not None
        reader = threading.Thread(target=said.extend, args=(played.stdout,))
        reader.start()
        driver = psutil.Process(played.pid)
        while played.poll() is None:
            try:
                now = read(driver)
            except psutil.NoSuchProcess:
                break
            highest = max(highest, now, key=lambda reading: reading.all)
            time.sleep(_SECONDS)
        reader.join()
    if played.returncode:
        sys.exit(f"the driver of the {name} federation ended with {played.returncode}")
    return highest, int(said[-1]), time.monotonic() - began


def main(arguments: Sequence[str]) -> None:
    """Measure both, and print the difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--out", type=Path, help="keep every number in this file")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", choices=("tiny", "large"), help=argparse.SUPPRESS)
    parser.add_argument("--play", choices=("tiny", "large"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    known = kinds(options.images)
    if options.make:
        make(known[options.make], options.home)
        return
    if options.play:
        play(known[options.play], options.home)
        return
    about = machine()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; GB at the highest moment of each")
    print(
        f"{'federation':<12}{'all':>7}{'driver':>9}{'workers':>9}{'Ray':>7}{'shared':>8}{'runs':>6}{'s':>6}"
    )
    readings: dict[str, Reading] = {}
    rows: dict[str, dict[str, float]] = {}
    for name in known:
        with tempfile.TemporaryDirectory() as scratch:
            readings[name], runs, seconds = measured(name, Path(scratch), options.images)
        reading = readings[name]
        parts = [
            part / 1e9
            for part in (reading.all, reading.driver, reading.workers, reading.others, reading.shared)
        ]
        rows[name] = dict(zip(("all", "driver", "workers", "ray", "shared"), parts, strict=True))
        rows[name] |= {"runs": runs, "seconds": round(seconds, 1)}
        print(
            f"{name:<12}{parts[0]:>7.2f}{parts[1]:>9.2f}{parts[2]:>9.2f}{parts[3]:>7.2f}{parts[4]:>8.2f}"
            f"{runs:>6}{seconds:>6.0f}",
            flush=True,
        )
    above = (readings["large"].all - readings["tiny"].all) / 1e9
    kept = "kept" if above <= BOUND_GB else "missed"
    print(f"above PyTorch and Ray: {above:.2f} GB of at most {BOUND_GB:g}, {kept}")
    if options.out:
        content = {
            "images": options.images,
            "machine": about,
            "gigabytes": rows,
            "above": above,
            "bound": BOUND_GB,
        }
        options.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
