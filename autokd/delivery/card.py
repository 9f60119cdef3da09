"""The card of a distilled model: where it comes from and how good it is, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from autokd.config.external import ExternalFederation
from autokd.config.federation import ArchitectureConfig, ExternalArchitecture, FederationConfig
from autokd.config.target import ClassShares, TargetName, target_json
from autokd.config.training import DistillationConfig
from autokd.core.participant_names import ParticipantNames
from autokd.core.setting import Split
from autokd.delivery.request import DistillationRequest
from autokd.delivery.target_prior import AddedPrior
from autokd.statistics.paired import Interval
from autokd.statistics.probability_scores import ProbabilityScores

FORMAT: Final = 1
"""Version of the card's JSON format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Scores for one class of a split; accuracies in [0, 1], None if the split has no example of it."""

    name: str
    examples: int
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScores:
    """Scores on a split whose examples are weighted to a target distribution; accuracies in [0, 1].

    Attributes:
        as_trained: Accuracy of the model before a log-prior was added.
        gain: As in `Scores`.
    """

    before: float
    as_trained: float
    after: float
    gain: Interval

    def to_json(self) -> dict[str, object]:
        """Return the scores as the card's JSON names them."""
        return {
            "accuracy_before": self.before,
            "accuracy_as_trained": self.as_trained,
            "accuracy": self.after,
            "gain": self.gain.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores on one split before and after distillation; accuracies in [0, 1].

    Attributes:
        before, after: Accuracies on the target distribution of the study.
        gain: After minus before in pp. The interval is over examples: it holds for this model, not for
            models of other seeds.
        forgetting: Accuracy lost on the student's own label distribution, in pp; negative if it grew.
        probabilities_before, probabilities: How good the model's probabilities are, before and after, on the
            target distribution of the study.
        targets: Scores by target distribution: `common`, `own`, `shares` if the model is for others, and
            `study` if the study judges by others.
    """

    examples: int
    before: float
    after: float
    gain: Interval
    forgetting: float
    probabilities_before: ProbabilityScores
    probabilities: ProbabilityScores
    targets: Mapping[str, TargetScores]
    classes: tuple[ClassScores, ...]

    def to_json(self) -> dict[str, object]:
        """Return the scores as the card's JSON names them."""
        return {
            "examples": self.examples,
            "accuracy_before": self.before,
            "accuracy": self.after,
            "gain": self.gain.to_json(),
            "forgetting": self.forgetting,
            "probabilities": {
                "before": self.probabilities_before.to_json(),
                "after": self.probabilities.to_json(),
            },
            "targets": {name: scores.to_json() for name, scores in self.targets.items()},
            "per_class": [
                {"class": label.name, "examples": label.examples}
                | {"accuracy_before": label.before, "accuracy": label.after}
                for label in self.classes
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFormat:
    """Format of the images that the model takes, and the classes that it returns.

    Attributes:
        size: Height in pixels.
        width: Width in pixels; None for squares.
        mean, std: Mean and standard deviation per channel, in units of the stored pixel values; pixels are
            normalised by them.
        classes: Class names by index.
    """

    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    width: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return all fields; `width` only if images are no squares."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFormat:
    """Format of the tensors, no images, that the model takes as they are, and the classes that it returns.

    Attributes:
        inputs: Shape of one input.
        whole: Whether they are whole numbers (int64); else they are float32.
        classes: Class names by index.
    """

    inputs: tuple[int, ...]
    whole: bool
    classes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return all fields."""
        return {
            "inputs": list(self.inputs),
            "type": "int64" if self.whole else "float32",
            "classes": self.classes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The federation that the model comes from.

    Attributes:
        name: Name with the content hash.
        sha256: Hashes in hex of what the run used: `data`, `layout`, `logits`, and the initial weights of
            `teacher` and `student`.
    """

    name: str
    recipe: FederationConfig | ExternalFederation
    sha256: Mapping[str, str]


def is_owners(architecture: ArchitectureConfig, added: AddedPrior | None) -> bool:
    """Return whether a delivered model is just the network that its owner brought, with other weights.

    It is not where autokd had to add a layer: for classes that the network lacks, or for a log-prior.
    """
    external = isinstance(architecture, ExternalArchitecture) and -1 not in architecture.labels
    return external and (added is None or added.layer is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything about one distilled model; equal requests give equal cards.

    Attributes:
        recipe: How the student was trained.
        added: The log-prior that was added to the logits; None for the target `common`.
        scores: Scores of the weights in the file, by split.
        target: Target distribution of the study: what the recommendation was made for.
        sha256: Hash of the weights' file, in hex.
        versions: Versions of the software.
    """

    request: DistillationRequest
    recipe: DistillationConfig
    architecture: ArchitectureConfig
    images: ImageFormat | InputFormat
    origin: Origin
    added: AddedPrior | None
    scores: Mapping[Split, Scores]
    sha256: str
    versions: Mapping[str, str]
    target: TargetName | ClassShares = "common"

    @property
    def names(self) -> ParticipantNames:
        """Names of the federation's participants."""
        return self.origin.recipe.names

    @property
    def is_owners(self) -> bool:
        """Whether the file has the names of the owner's own network."""
        return is_owners(self.architecture, self.added)

    def to_json(self) -> dict[str, object]:
        """Return the content of the JSON file beside the weights."""
        request = self.request
        compute = {
            "device": request.compute.device,
            "precision": request.compute.precision or "float32",
            "memory_format": request.compute.memory_format,
            # A key of earlier versions.
            "channels_last": request.compute.memory_format == "channels_last",
            "threads": request.compute.threads,
        }
        return {
            "format": FORMAT,
            "pair": request.pair.to_json(),
            **self.names.beside(request.pair),
            "setting": request.setting.to_json(),
            "chosen_by": "hand" if request.expected is None else "recommendation",
            "promised": request.expected and request.expected.to_json(),
            "for": {
                "target": request.target if isinstance(request.target, str) else "shares",
                "added": self.added and self.added.to_json(self.images.classes),
            },
            **target_json(self.target),
            "scores": {split.value: scores.to_json() for split, scores in self.scores.items()},
            "model": {
                "file": request.file,
                "sha256": self.sha256,
                "architecture": self.architecture.model_dump(mode="json"),
                **self.images.to_json(),
            },
            "federation": {
                "name": self.origin.name,
                "recipe": self.origin.recipe.model_dump(mode="json"),
                "sha256": dict(self.origin.sha256),
            },
            "distillation": self.recipe.model_dump(mode="json"),
            "seed": request.seed,
            "seed_index": request.seed_index,
            "compute": compute,
            "versions": dict(self.versions),
            "command": request.command,
        }
