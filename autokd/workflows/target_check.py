"""Checking a recipe's target against the classes of federation and splits, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autokd.config.study import StudyConfig
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.data.dataset import Dataset
from autokd.federation.external import Checked
from autokd.federation.federation import Federation
from autokd.statistics.target_weights import aimed, lacking, weak_points


def check_target(
    config: StudyConfig, of: Federation | Checked, *, source: str
) -> tuple[FederationFacts, list[str]]:
    """Return the labels of a federation with the weights of the target, and what its owners should know.

    Args:
        of: The federation, or what it will be made of.
        source: Name of the study recipe in error messages.

    Raises:
        PlanError: If the target does not fit the federation's classes, or a split lacks a class of it.
    """
    if isinstance(of, Federation):
        facts = _labels(of.data, of.splits, [one.private for one in of.participants])
    else:
        facts = _labels(of.data, of.layout.splits, of.layout.private)
    weighted = aimed(facts, config.target, source=source)
    return weighted, [*lacking(weighted, config.target), *weak_points(weighted)]


def target_warnings(config: StudyConfig, of: Federation | Checked | None, *, source: str) -> list[str]:
    """Return what `check_target` warns of; with the target `common` there is nothing to check."""
    if config.target == "common" or of is None:
        return []
    return check_target(config, of, source=source)[1]


def _labels(
    data: Dataset, splits: Mapping[Split, NDArray[np.int64]], private: Sequence[NDArray[np.int64]]
) -> FederationFacts:
    """Return what is known of a federation without asking a model."""
    return FederationFacts(
        name="",
        classes=data.classes,
        labels={split: data.labels[rows] for split, rows in splits.items()},
        participants=tuple(
            ParticipantFacts(
                number=number,
                architecture="",
                histogram=tuple(np.bincount(data.labels[rows], minlength=len(data.classes)).tolist()),
                correct={},
            )
            for number, rows in enumerate(private)
        ),
    )
