"""Weights of the common splits' examples for the target distribution that a study recipe names.

They are made here, once for a command. They go with a participant (`ParticipantFacts.weights`), and with the
records of each pair in which it learns (`PairRecords.weights`), to wherever accuracy is a mean over examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.target import BALANCED, ClassShares, TargetName, in_order
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import FederationFacts
from autokd.core.setting import Split
from autokd.errors import PlanError
from autokd.statistics.label_weights import local_weights, target_weights
from autokd.statistics.paired import Weights

FEWEST: Final = 100
"""Effective examples of a split below which weights deserve a warning: two models that differ on a tenth of
them have an accuracy difference with a standard error of 3 pp."""
TRUSTED: Final = 20
"""Effective examples from which 95% intervals hold as often as they say: in simulations 96% of the time with
20 to 80 of 300, and 78% with 8, where a heavy class has some six examples."""
_LEFT_OUT: Final = 0.05
"""Largest share of a student's own examples whose classes a split may lack."""
_ROUNDING: Final = 1e-9
"""Weights this close to 1 are 1: the target has the class shares of the split."""

Labels = Mapping[Split, NDArray[np.int64]]
"""Class indices of the examples of the common splits, shape (examples,)."""


def aimed(federation: FederationFacts, target: TargetName | ClassShares, *, source: str) -> FederationFacts:
    """Return the same federation with the weights of each participant on its target distribution.

    Raises:
        PlanError: If the target does not fit the federation's classes, or a split lacks a class of it; it
            names `source`, the field `target`, split and class.
    """
    if target == "common":
        return federation
    labels, classes = federation.labels, federation.classes
    # Participants with one target share one object, so that it can be seen that they do.
    shared = None if target == "own" else weights_on(target, labels, classes, (), source=source)
    participants = [
        replace(
            participant,
            weights=shared or weights_on(target, labels, classes, participant.histogram, source=source),
        )
        for participant in federation.participants
    ]
    return replace(federation, participants=tuple(participants))


def weights_on(
    target: TargetName | ClassShares,
    labels: Labels,
    classes: Sequence[str],
    histogram: Sequence[int],
    *,
    source: str,
) -> ExampleWeights:
    """Return the weights of the examples on a target distribution.

    An example of class c counts share(c) ÷ (share of c among the examples of its split).

    Args:
        classes: Class names by index.
        histogram: The student's private examples by class; only the target `own` needs them.

    Raises:
        PlanError: As in `aimed`.
    """
    if target == "common":
        return EVEN
    equal = [1 / len(classes)] * len(classes) if target == BALANCED else None
    shares = equal if isinstance(target, str) else in_order(target, classes, source=source, field="target")
    weights_of: dict[Split, Weights] = {}
    for split, known in labels.items():
        try:
            if shares is None:
                _check_own(known, histogram, classes)
                weights = local_weights(known, histogram)
            else:
                weights = target_weights(known, shares, classes)
        except ValueError as error:
            named = "leave it out of the target" if shares else "give the target as shares of its classes"
            way_out = "give the shares of the other classes as target instead" if equal else named
            problem = f"split {split} has {error}; put examples of it into the split, or {way_out}"
            raise PlanError(
                source=source, field="objective" if equal else "target", problem=problem
            ) from None
        if not np.allclose(weights, 1, rtol=0, atol=_ROUNDING):
            weights_of[split] = weights
    return ExampleWeights(weights_of) if weights_of else EVEN


def weak_points(federation: FederationFacts) -> Iterator[str]:
    """Yield what weights do to a federation that its owners should know, in words, by split.

    Splits of which heavy weights leave few effective examples have wide intervals. Where the target is `own`,
    a class of a student that a split lacks does not count there.

    Args:
        federation: Result of `aimed`.
    """
    for split, labels in federation.labels.items():
        if split is Split.TEST:
            continue
        left = {
            participant.number: participant.weights.effective(split, len(labels))
            for participant in federation.participants
        }
        weighted = {
            participant.number
            for participant in federation.participants
            if participant.weights.of(split) is not None
        }
        few = {number: count for number, count in left.items() if number in weighted and count < FEWEST}
        if few:
            worst = min(few, key=few.__getitem__)
            wide = "wide" if few[worst] >= TRUSTED else "too narrow to be trusted"
            yield (
                f"split {split}: with the weights of the target its {len(labels)} examples tell as much as "
                f"{few[worst]:.0f} for participant {worst}"
                + (
                    f", and fewer than {FEWEST} for {len(few)} of {len(left)} participants"
                    if len(few) > 1
                    else ""
                )
                + f"; intervals will be {wide}, and more examples of the classes with large shares would help"
            )


def lacking(federation: FederationFacts, target: TargetName | ClassShares) -> Iterator[str]:
    """Yield which classes of students a split lacks, in words, where the target is `own`."""
    if target != "own":
        return
    for split, labels in federation.labels.items():
        for participant in federation.participants:
            names, share = _without_examples(labels, participant.histogram, federation.classes)
            if names:
                yield (
                    f"split {split} has no example of class {', '.join(names)}, {share:.1%} of the examples "
                    f"of participant {participant.number}; they do not count there"
                )


def _check_own(labels: NDArray[np.int64], histogram: Sequence[int], classes: Sequence[str]) -> None:
    names, share = _without_examples(labels, histogram, classes)
    if share > _LEFT_OUT:
        raise ValueError(f"no example of class {', '.join(names)}, {share:.0%} of a student's own examples")


def _without_examples(
    labels: NDArray[np.int64], histogram: Sequence[int], classes: Sequence[str]
) -> tuple[list[str], float]:
    """Return the classes that a participant has examples of and a split has none, and their share."""
    counts = np.bincount(labels, minlength=len(classes))
    private = np.array(histogram, dtype=np.float64)
    without = (private > 0) & (counts == 0)
    names = [name for name, lacks in zip(classes, without, strict=True) if lacks]
    return names, float(private[without].sum() / max(private.sum(), 1))
