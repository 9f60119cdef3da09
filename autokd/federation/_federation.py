"""The federation as a value: data, splits, participants and their logits, all NumPy and read-only.

NumPy rather than torch, since Ray shares NumPy arrays between workers without copying, and torch tensors not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from autokd.config.defaults import STUDY, usual_home
from autokd.config.external import ExternalFederation
from autokd.config.federation import ArchitectureConfig, FederationConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import let_go
from autokd.errors import NotTuned

if TYPE_CHECKING:
    from autokd.compute.device import Compute
    from autokd.federation.memory import Examples, Member


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """A pre-trained classifier with its private training data.

    Attributes:
        number: From 0.
        architecture: How to build its network.
        weights: The state dict, by name.
        private: Indices of its examples in the data set, shape (m,).
    """

    number: int
    architecture: ArchitectureConfig
    weights: Mapping[str, NDArray[np.generic]]
    private: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Federation:
    """The participants, the held-out splits, and the label space they share.

    Attributes:
        name: With the content hash of data, partition, recipe and weights, e.g. `digits-1a2b3c4d`; the
            first part of the name of each of its studies.
        recipe: What it was made from.
        data: All examples of all parts.
        splits: Indices into `data` of each common labelled split.
        public: Indices of the shared examples, whose labels no run may look at.
        participants: By number.
        logits: Of every participant on all of `data`, in eval mode, float32; shape (participants, n,
            classes).
    """

    name: str
    recipe: FederationConfig | ExternalFederation
    data: Dataset
    splits: Mapping[Split, NDArray[np.int64]]
    public: NDArray[np.int64]
    participants: tuple[Participant, ...]
    logits: NDArray[np.float32]

    @classmethod
    def load(cls, study: str | Path = STUDY, *, home: str | Path | None = None) -> Federation:
        """The prepared federation of a study, from disk; all of its content is checked.

        Args:
            study: A shipped study's name, or a YAML file.
            home: Where it lies; by default `$AUTOKD_HOME`, or else `autokd-home` in the present folder.

        Raises:
            NotTuned: If it has not been prepared there.
            InputError: If the recipe does not exist or does not hold.
            FederationError: If what lies there is damaged.

        >>> import autokd
        >>> federation = autokd.Federation.load("mine.yaml")
        >>> len(federation.participants)
        3
        """
        # Imported here: that module makes federations, and so imports this one.
        from autokd.federation.folder import find

        folder = Path(home) if home else usual_home()
        found = find(folder, read_study_config(str(study)).federation)
        if found is None:
            problem = f"the federation of study {study} has not been prepared under {folder}"
            raise NotTuned(f"{problem}; run autokd prepare, or Workspace.prepare")
        return found

    @classmethod
    def from_models(
        cls,
        name: str,
        members: Sequence[Member],
        *,
        validation: Examples,
        confirmation: Examples,
        test: Examples,
        public: Examples | None = None,
        classes: Sequence[str] | None = None,
        home: str | Path | None = None,
        compute: Compute | None = None,
    ) -> Federation:
        """A federation of models and data that are in memory; it is kept under `home` like any other.

        Its `recipe` goes into a `StudyConfig`, which `tune` and `Workspace.open` take in place of a study.

        Args:
            name: Begins the federation's name.
            members: The participants, by number.
            validation: A data set of (image, label), or a pair of arrays; as the next three.
            confirmation: Where the verdict looks.
            test: Only reported.
            public: Shared, its labels unused.
            classes: Names by label; by default the labels' numbers, or what a data set itself says.
            home: As in `load`.
            compute: Where the models are asked; by default on the CPU.

        Raises:
            InputError: If something does not hold, as `autokd check` would tell.

        >>> import autokd, numpy as np
        >>> from autokd.federation.architectures import Cnn, Shape
        >>> models = [Cnn(widths=(4,)).build(Shape(channels=1, size=8, classes=2)) for _ in range(2)]
        >>> images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
        >>> parts = [(images[n : n + 12], np.arange(12) % 2) for n in range(0, 60, 12)]
        >>> members = [
        ...     autokd.Member(model=model, data=data, architecture="cnn", options={"widths": (4,)})
        ...     for model, data in zip(models, parts)
        ... ]
        >>> federation = autokd.Federation.from_models(
        ...     "memory", members, validation=parts[2], confirmation=parts[3], test=parts[4]
        ... )
        >>> len(federation.participants), federation.data.classes
        (2, ('0', '1'))
        """
        # Imported here: that module makes federations, and so imports this one.
        from autokd.compute.device import Compute
        from autokd.federation.memory import from_models

        splits = {"validation": validation, "confirmation": confirmation, "test": test}
        return from_models(
            name,
            members,
            splits=splits if public is None else splits | {"public": public},
            classes=classes,
            home=Path(home) if home else usual_home(),
            compute=compute or Compute(),
        )

    def let_go(self) -> None:
        """Give back the memory of what was read from files; what is looked at again is read again.

        Of a federation that is in memory as a whole nothing is given back.
        """
        let_go([self.data.images, self.data.labels, self.logits, self.public, *self.splits.values()])
        for one in self.participants:
            let_go([one.private, *one.weights.values()])

    def label_counts(self, participant: int) -> NDArray[np.int64]:
        """Private examples per class, shape (classes,)."""
        private = self.participants[participant].private
        return np.bincount(self.data.labels[private], minlength=len(self.data.classes)).astype(np.int64)

    def label_distribution(self, participant: int) -> NDArray[np.float64]:
        """Share of each class in the private data, shape (classes,), summing to 1."""
        counts = self.label_counts(participant)
        shares: NDArray[np.float64] = counts / counts.sum()
        return shares

    def correct(self, participant: int, split: Split) -> NDArray[np.bool_]:
        """Per-example correctness of the model as it is, shape (examples of the split,)."""
        where = self.splits[split]
        right: NDArray[np.bool_] = self.logits[participant, where].argmax(axis=1) == self.data.labels[where]
        return right

    def averaged(self, participants: Collection[int], split: Split) -> NDArray[np.bool_]:
        """Correctness of the mean of several models' probabilities, shape (examples of the split,).

        Nothing is trained, and nothing calibrated: the probabilities are those of T = 1, so how sure a model
        is of itself counts as it is.
        """
        where = self.splits[split]
        probabilities = softmax(self.logits[list(participants)][:, where].astype(np.float64), axis=2)
        right: NDArray[np.bool_] = probabilities.mean(axis=0).argmax(axis=1) == self.data.labels[where]
        return right

    def facts(self) -> FederationFacts:
        """What the store keeps."""
        return FederationFacts(
            name=self.name,
            classes=self.data.classes,
            labels={split: self.data.labels[where] for split, where in self.splits.items()},
            participants=tuple(
                ParticipantFacts(
                    number=one.number,
                    architecture=one.architecture.name,
                    histogram=tuple(int(count) for count in self.label_counts(one.number)),
                    correct={split: self.correct(one.number, split) for split in self.splits},
                    weight_bytes=sum(array.nbytes for array in one.weights.values()),
                )
                for one in self.participants
            ),
            example_bytes=self.data.images[0].nbytes + self.data.labels.itemsize,
            public=len(self.public),
        )
