"""The card of a distilled model: all that is to be known of it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from autokd.config.external import ExternalFederation
from autokd.config.federation import ArchitectureConfig, FederationConfig
from autokd.config.training import DistillationConfig
from autokd.core.setting import Split
from autokd.delivery.order import Order, Promise
from autokd.statistics.paired import Interval

FORMAT: Final = 1
"""Of the card's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """One class of a split; accuracies in [0, 1], None where the split has no example of it."""

    name: str
    examples: int
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The model on one split, beside the participant's own model before; accuracies in [0, 1].

    Attributes:
        gain: After minus before in pp. The interval is over examples: it is of this very model, and says
            nothing of another seed.
        forgetting: Accuracy lost on the student's own label distribution, in pp; negative where it grew.
    """

    examples: int
    before: float
    after: float
    gain: Interval
    forgetting: float
    classes: tuple[ClassScores, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "examples": self.examples,
            "accuracy_before": self.before,
            "accuracy": self.after,
            "gain": self.gain.to_json(),
            "forgetting": self.forgetting,
            "per_class": [
                {
                    "class": one.name,
                    "examples": one.examples,
                    "accuracy_before": one.before,
                    "accuracy": one.after,
                }
                for one in self.classes
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What the model takes and answers.

    Attributes:
        channels: Of an image.
        size: Height and width, pixels.
        mean: Per channel, in units of the stored pixel values; subtracted first.
        std: Likewise; divided by then.
        classes: Names by class index.
    """

    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The federation that the model comes from.

    Attributes:
        name: With its content hash.
        sha256: In hex, of the parts that decided the run: `data`, `layout`, `logits`, and the weights of
            `teacher` and `student` as they were.
    """

    name: str
    recipe: FederationConfig | ExternalFederation
    sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything about one distilled model; the same order gives the same card.

    Attributes:
        recipe: How the student went on training.
        scores: By split, of the weights in the file.
        sha256: Of the weights' file, in hex.
        versions: Of what made it.
    """

    order: Order
    recipe: DistillationConfig
    architecture: ArchitectureConfig
    images: Images
    origin: Origin
    scores: Mapping[Split, Scores]
    sha256: str
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """The card as it is written beside the weights."""
        order, images = self.order, self.images
        return {
            "format": FORMAT,
            "pair": {"teacher": order.pair.teacher, "student": order.pair.student},
            "setting": order.setting.to_json(),
            "chosen_by": "hand" if order.promise is None else "recommendation",
            "promised": None if order.promise is None else _promise(order.promise),
            "scores": {split.value: scores.to_json() for split, scores in self.scores.items()},
            "model": {
                "file": order.file,
                "sha256": self.sha256,
                "architecture": self.architecture.model_dump(mode="json"),
                "channels": images.channels,
                "size": images.size,
                "mean": list(images.mean),
                "std": list(images.std),
                "classes": list(images.classes),
            },
            "federation": {
                "name": self.origin.name,
                "recipe": self.origin.recipe.model_dump(mode="json"),
                "sha256": dict(self.origin.sha256),
            },
            "distillation": self.recipe.model_dump(mode="json"),
            "seed": order.seed,
            "seed_index": order.seed_index,
            "compute": {
                "device": order.compute.device,
                "precision": order.compute.precision,
                "channels_last": order.compute.channels_last,
                "threads": order.compute.threads,
            },
            "versions": dict(self.versions),
            "command": order.command,
        }


def _promise(promise: Promise) -> dict[str, object]:
    return {
        "study": promise.study,
        "verdict": promise.verdict,
        "reason": promise.reason,
        "split": Split.TEST.value,
        "gain": promise.gain and promise.gain.to_json(),
        "default_gain": promise.default_gain and promise.default_gain.to_json(),
        "single_run": promise.single_run and promise.single_run.to_json(),
        "seeds": promise.seeds,
    }
