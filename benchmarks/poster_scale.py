"""What the poster's set-up would take: `studies/cifar10_resnet18.yaml`, whose 90 pairs have not been run.

    python -m benchmarks.poster_scale [--device cpu] [--precision float32] [--memory-format auto]
        [--seconds 60] [--sustained 20 60] [--search 0.24] [--confirmation 0.21]

Counts the examples that are trained on, from the study's own recipe, and how many a second autokd's
engine trains ResNet-18 with the stem for small images on here, one thread on a CPU. That gives hours on a
device like this one. For another device they are told by the floating-point operations of an example, counted
by PyTorch, and what that device is supposed to sustain; nothing here measures a device that is not here.

The search is counted by its epochs as a share of the sweep's, race and confirmation, too, as
`autokd status` told them of a batch of `digits`. All of its runs count as if they were on both participants'
data, the most that one can have. Not counted: evaluation at rungs, which trains nothing, and waiting.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from time import perf_counter
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from autokd.compute.device import Compute
from autokd.config.federation import ArchitectureConfig, FederationConfig
from autokd.config.space import read_space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Pair, Split, TransferSet
from autokd.distillation import Run
from autokd.models.building import build
from benchmarks.engine_cases import CLASSES, SETTING, Random, random_federation

STUDY: Final = "cifar10_resnet18"
IMAGES: Final = 50_000
"""CIFAR-10's training images, of which the study cuts everything."""
FORWARD_AND_BACKWARD: Final = 3
"""Times the operations of a forward pass: the backward pass takes two matrix products for each of its one."""


def counts(config: StudyConfig, *, search: float, confirmation: float) -> Mapping[str, float]:
    """Examples that are trained on, by what for.

    Args:
        search: Epochs as a share of the sweep's.
        confirmation: The same of the confirmation, the race included.
    """
    federation = config.federation
    assert isinstance(federation, FederationConfig)
    splits = federation.splits
    public = splits.public
    private = IMAGES - splits.validation - splits.confirmation - splits.test - public
    own = private / federation.participants
    # On average; which participant has how many depends on the partition.
    sizes = {
        TransferSet.STUDENT: own,
        TransferSet.TEACHER: own,
        TransferSet.BOTH: 2 * own,
        TransferSet.PUBLIC: public,
    }
    pairs, epochs = federation.participants * (federation.participants - 1), config.distillation.epochs
    grid = read_space("poster_sweep").grid()
    most = pairs * len(grid) * epochs * sizes[TransferSet.BOTH]
    return {
        "pre-training": federation.pretraining.epochs * private,
        "the sweep": pairs * epochs * sum(sizes[setting.transfer_set] for setting in grid),
        "autokd's search, at most": search * most,
        "race and confirmation, at most": confirmation * most,
    }


def operations(architecture: ArchitectureConfig) -> int:
    """Floating-point operations to train on one image of 3 x 32 x 32 once."""
    network = build(architecture, channels=3, size=32, classes=CLASSES).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    return FORWARD_AND_BACKWARD * int(counter.get_total_flops())


def speed(config: StudyConfig, compute: Compute, seconds: float) -> float:
    """Examples/s of autokd's engine in training, of the runs that began within so many seconds."""
    recipe = config.distillation.model_copy(update={"epochs": 1})
    usual = config.federation
    assert isinstance(usual, FederationConfig)
    architecture = usual.architectures[0]
    # A GPU is faster by orders of magnitude, and takes longer to get going.
    images = recipe.batch_size * (1 if compute.device == "cpu" else 100)
    what = Random(
        architecture=architecture.name,
        options=architecture.options,
        images=images,
        batch_size=recipe.batch_size,
        epochs=1,
    )
    federation, trained, spent = random_federation(what, usual), 0.0, 0.0
    began, warm = perf_counter(), False
    while not spent or perf_counter() < began + seconds:
        *_, last = Run(
            federation,
            Pair(0, 1),
            SETTING,
            seed=0,
            recipe=recipe,
            rungs=(1,),
            splits=(Split.VALIDATION,),
            compute=compute,
        )
        # The first one pays for what PyTorch sets up once.
        if warm:
            trained += last.examples_per_second * last.seconds
            spent += last.seconds
        warm = True
    return trained / spent


def main() -> None:
    """Count, measure, multiply, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--memory-format", default="auto", choices=("auto", "channels_last", "contiguous"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--sustained", nargs="+", type=float, default=(20.0, 60.0), help="of another device, in TFLOP/s"
    )
    parser.add_argument("--search", type=float, default=0.24)
    parser.add_argument("--confirmation", type=float, default=0.21)
    options = parser.parse_args()
    torch.set_num_threads(1)
    compute = Compute(device=options.device, precision=options.precision, memory_format=options.memory_format)
    compute.check()
    config = read_study_config(STUDY)
    assert isinstance(config.federation, FederationConfig)
    each, here = operations(config.federation.architectures[0]), speed(config, compute, options.seconds)
    print(f"{compute}: {here:,.1f} examples/s, {each / 1e9:.2f} GFLOP each, {here * each / 1e9:,.0f} GFLOP/s")
    others = "".join(f"  hours at {rate:g} TFLOP/s" for rate in options.sustained)
    print(f"{'':32}{'examples':>16}  hours on this device{others}")
    for words, count in counts(config, search=options.search, confirmation=options.confirmation).items():
        hours = [count / here / 3600, *(count * each / (rate * 1e12) / 3600 for rate in options.sustained)]
        print(f"{words:<32}{count:>16,.0f}" + "".join(f"{hour:>21,.1f}" for hour in hours))


if __name__ == "__main__":
    main()
