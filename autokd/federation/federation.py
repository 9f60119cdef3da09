"""The federation as a value: data, splits, participants and their logits, all NumPy and read-only.

NumPy rather than torch, since Ray shares NumPy arrays between workers without copying, and torch tensors not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from autokd.config.federation import AnyFederation, ArchitectureConfig
from autokd.core.finding import Finding
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.core.weights import Weights
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import release
from autokd.text.quoting import counted

INITIAL_SEEDS: Final = 5
"""Number of confirmation seeds for which untrained students are evaluated; further ones repeat them."""


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """A pre-trained classifier with its private training data.

    Attributes:
        number: Number of the participant, from 0.
        private: Indices of its examples in the data set, shape (m,).
    """

    number: int
    architecture: ArchitectureConfig
    weights: Weights
    private: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Federation:
    """The participants, the held-out splits, and the label space they share.

    Attributes:
        name: Name with the hash of data, layout, recipe and weights, e.g. `digits-1a2b3c4d`; the first part
            of the name of each of its studies.
        recipe: Recipe that it was made from.
        data: Examples of all parts.
        splits: Indices into `data` of each common labelled split.
        public: Indices of the shared examples, whose labels no run may use.
        participants: Participants in the order of their numbers.
        logits: Logits of every participant on all of `data`, in eval mode, float32; shape (participants, n,
            classes).
        code: SHA-256 of each file of own code, in hex, by field of the recipe and path below its folder.
        warnings: What was found when it was prepared that the recipe's author should know.
        initial: What untrained students get right before a run, by participant and split, for the first
            `INITIAL_SEEDS` seeds of confirmation runs; shape (seeds, examples).
    """

    name: str
    recipe: AnyFederation
    data: Dataset
    splits: Mapping[Split, NDArray[np.int64]]
    public: NDArray[np.int64]
    participants: tuple[Participant, ...]
    logits: NDArray[np.float32]
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    initial: Mapping[int, Mapping[Split, NDArray[np.bool_]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Federation {self.name}: {counted(len(self.participants), 'participant')}>"

    def release_memory(self) -> None:
        """Free the memory of arrays that are mapped from files; they are read again when needed."""
        release([self.data.images, self.data.labels, self.logits, self.public, *self.splits.values()])
        for participant in self.participants:
            release([participant.private, *participant.weights.values()])

    def label_counts(self, participant: int) -> NDArray[np.int64]:
        """Return the number of private examples of each class, shape (classes,)."""
        private = self.participants[participant].private
        return np.bincount(self.data.labels[private], minlength=len(self.data.classes)).astype(np.int64)

    def label_distribution(self, participant: int) -> NDArray[np.float64]:
        """Return the share of each class in the private data, shape (classes,), summing to 1."""
        counts = self.label_counts(participant)
        shares: NDArray[np.float64] = counts / counts.sum()
        return shares

    def correct(self, participant: int, split: Split) -> NDArray[np.bool_]:
        """Return which examples the model as it is gets right, shape (examples of the split,)."""
        rows = self.splits[split]
        right: NDArray[np.bool_] = self.logits[participant, rows].argmax(axis=1) == self.data.labels[rows]
        return right

    def own_accuracy(self, participant: int) -> float:
        """Return the accuracy of the model as it is on its own private data, in [0, 1]."""
        rows = self.participants[participant].private
        return float((self.logits[participant, rows].argmax(axis=1) == self.data.labels[rows]).mean())

    def without_prior(self, participant: int, split: Split) -> NDArray[np.float64]:
        """Return a model's logits with its label prior divided out, shape (examples of the split, classes).

        p(c) ÷ (n(c) + 1), n(c) the number of private examples of class c, is log(n(c) + 1) less in the
        logits. Nothing is trained. Source: Menon et al. 2021, arXiv:2007.07314, section 4.1.
        """
        logits = self.logits[participant, self.splits[split]].astype(np.float64)
        divided: NDArray[np.float64] = logits - np.log(self.label_counts(participant) + 1)
        return divided

    def corrected(self, participant: int, split: Split) -> NDArray[np.bool_]:
        """Return which examples the model `without_prior` gets right, shape (examples of the split,)."""
        labels = self.data.labels[self.splits[split]]
        right: NDArray[np.bool_] = self.without_prior(participant, split).argmax(axis=1) == labels
        return right

    def _corrected_of(self, participant: int) -> dict[Split, NDArray[np.bool_]]:
        """Return `corrected` by split; nothing for untrained students, which have learned no label prior."""
        if participant in self.recipe.untrained:
            return {}
        return {split: self.corrected(participant, split) for split in self.splits}

    def averaged(
        self, participants: Collection[int], split: Split, *, without_priors: bool = False
    ) -> NDArray[np.bool_]:
        """Return which examples the mean of several models' probabilities gets right.

        The shape is (examples of the split,). Nothing is trained or calibrated: probabilities are at T = 1.

        Args:
            without_priors: Divide each model's label prior out first.
        """
        rows = self.splits[split]
        logits = [
            self.without_prior(number, split)
            if without_priors
            else self.logits[number, rows].astype(np.float64)
            for number in participants
        ]
        probabilities = softmax(np.stack(logits), axis=2)
        right: NDArray[np.bool_] = probabilities.mean(axis=0).argmax(axis=1) == self.data.labels[rows]
        return right

    def averaged_without_priors(self, participants: Collection[int]) -> dict[Split, NDArray[np.bool_]]:
        """Return `averaged` with label priors divided out on each split, without who is not trained."""
        numbers = sorted({*participants} - {*self.recipe.untrained})
        return {split: self.averaged(numbers, split, without_priors=True) for split in self.splits}

    def facts(self) -> FederationFacts:
        """Return the values that the store keeps."""
        return FederationFacts(
            name=self.name,
            classes=self.data.classes,
            labels={split: self.data.labels[where] for split, where in self.splits.items()},
            participants=tuple(
                ParticipantFacts(
                    number=participant.number,
                    architecture=participant.architecture.name,
                    histogram=tuple(int(count) for count in self.label_counts(participant.number)),
                    correct={split: self.correct(participant.number, split) for split in self.splits},
                    corrected=self._corrected_of(participant.number),
                    initial=self.initial.get(participant.number, {}),
                    weight_bytes=sum(array.nbytes for array in participant.weights.values()),
                    logits=OwnLogits(self.logits[participant.number], self.splits),
                )
                for participant in self.participants
            ),
            example_bytes=self.data.images[0].nbytes + self.data.labels.itemsize,
            public=len(self.public),
            warnings=self.warnings,
            averaged=self.averaged_without_priors,
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class OwnLogits(Mapping[Split, NDArray[np.float32]]):
    """The logits of a participant's model as it is, by split; each look copies those of one split.

    Attributes:
        logits: On all of the federation's data, shape (n, classes).
    """

    logits: NDArray[np.float32]
    splits: Mapping[Split, NDArray[np.int64]]

    def __getitem__(self, split: Split) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self.logits[self.splits[split]]
        return logits

    def __iter__(self) -> Iterator[Split]:
        return iter(self.splits)

    def __len__(self) -> int:
        return len(self.splits)
