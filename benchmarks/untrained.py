"""What a trained teacher is worth to a student that begins untrained: digits, against training without it.

    python -m benchmarks.untrained [--seeds 5]

The teacher, a larger network, has been trained on 700 digits; the student, a small one, has 100 others. Both
arms have the recipe's budget, the student's examples, and the same seeds and initial weights; only one has a
teacher, by a setting that was fixed before (T = 4, α = 0.9). Nothing is searched or chosen here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.config.training import DistillationConfig
from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.distillation.run import Run
from autokd.federation.federation import Federation
from autokd.federation.preparation import prepare
from autokd.models.architectures import Cnn, Shape
from autokd.statistics.paired import paired_interval

RESULTS: Final = Path(__file__).parent / "results" / "untrained.json"
PARTS: Final = {"teacher": 700, "student": 100, "validation": 100, "confirmation": 100, "test": 797}
BUDGETS: Final = (40, 200)
"""Epochs: about those that fine-tuning takes, and a whole training."""
SETTINGS: Final = {
    "with the teacher": Setting(temperature=4.0, alpha=0.9, transfer_set=TransferSet.STUDENT),
    "without it": Setting(temperature=1.0, alpha=0.0, transfer_set=TransferSet.STUDENT),
}


def write(folder: Path) -> ExternalFederation:
    """Write the data and the trained teacher, and return the federation's recipe."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images, labels = (digits.images[order] * 15).astype(np.uint8), digits.target[order]
    ends = dict(zip(PARTS, np.cumsum(list(PARTS.values())), strict=True))
    for name, size in PARTS.items():
        rows = slice(ends[name] - size, ends[name])
        np.savez(folder / f"{name}.npz", images=images[rows], labels=labels[rows])
    torch.manual_seed(0)
    teacher = Cnn(widths=(32, 64)).build(Shape(channels=1, size=8, classes=10))
    pixels = torch.tensor(images[: PARTS["teacher"]])[:, None] / 255
    right = torch.tensor(labels[: PARTS["teacher"]])
    optimizer = torch.optim.Adam(teacher.parameters(), lr=0.003)
    for _ in range(400):
        rows_of_step = torch.randint(len(pixels), (64,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(teacher(pixels[rows_of_step]), right[rows_of_step])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.save(teacher.state_dict(), folder / "teacher.pt")

    def source(name: str) -> dict[str, str]:
        return {"kind": "npz", "path": f"{name}.npz"}

    content: dict[str, Any] = {
        "name": "untrained",
        "participants": [
            {
                "architecture": {"name": "cnn", "options": {"widths": list(widths)}},
                "checkpoint": checkpoint,
                "data": source(name),
            }
            for name, widths, checkpoint in (
                ("teacher", (32, 64), "teacher.pt"),
                ("student", (8, 16), "none"),
            )
        ],
        "splits": {"kind": "separate", **{split.value: source(split.value) for split in Split}},
    }
    return ExternalFederation.model_validate(content).located(folder / "mine.yaml")


def _at(federation: Federation, epochs: int, seeds: int) -> dict[str, object]:
    """Return accuracies of both arms on test, and their difference with its interval."""
    recipe = DistillationConfig(optimizer="adam", learning_rate=0.003, batch_size=32, epochs=epochs)
    arms = {}
    for name, setting in SETTINGS.items():
        correct = []
        for seed in range(seeds):
            run = Run(
                federation,
                Pair(0, 1),
                setting,
                seed=seed,
                recipe=recipe,
                rungs=(epochs,),
                splits=[Split.TEST],
                compute=Compute(),
            )
            (rung,) = list(run)
            correct.append(rung.evaluations[Split.TEST].correct)
        arms[name] = np.array(correct)
    first, second = arms.values()
    worth = paired_interval(first, second, confidence=0.95, resamples=4000, seed=0)
    return {
        **{f"{name}, % of test": round(100 * float(arm.mean()), 1) for name, arm in arms.items()},
        "the teacher's worth, pp": worth.to_json(),
    }


def main() -> None:
    """Run both arms, print, and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures: dict[str, Any] = {"seeds": options.seeds}
    with tempfile.TemporaryDirectory() as place:
        federation = prepare(write(Path(place)), home=Path(place) / "home", compute=Compute())
        rows = federation.splits[Split.TEST]
        right = federation.logits[0, rows].argmax(axis=1) == federation.data.labels[rows]
        figures["teacher, % of test"] = round(100 * float(right.mean()), 1)
        for epochs in BUDGETS:
            figures[f"{epochs} epochs"] = _at(federation, epochs, options.seeds)
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
