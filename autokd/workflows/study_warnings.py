"""What a study asks of its federation: a target that fits the classes, and examples enough to show a gain."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autokd.config.defaults import EFFECT
from autokd.config.study import StudyConfig
from autokd.core.finding import Finding, tell
from autokd.core.records import FederationFacts, ParticipantFacts
from autokd.core.setting import Split
from autokd.data.dataset import Dataset
from autokd.federation.federation import Federation
from autokd.statistics.detectable import too_few
from autokd.statistics.target_weights import aimed, lacking, weak_points

if TYPE_CHECKING:  # What is checked may have to be asked with PyTorch; what is stored may not.
    from autokd.federation.external import Checked


def check_target(config: StudyConfig, of: Federation | Checked, *, source: str) -> FederationFacts:
    """Return the labels of a federation with the weights of the study's target.

    Args:
        of: The federation, or what it will be made of.
        source: Name of the study recipe in error messages.

    Raises:
        PlanError: If the target does not fit the federation's classes, or a split lacks a class of it.
    """
    if isinstance(of, Federation):
        facts = _labels(of.data, of.splits, [participant.private for participant in of.participants])
    else:
        facts = _labels(of.data, of.layout.splits, of.layout.private)
    return aimed(facts, config.target, source=source)


def study_warnings(
    config: StudyConfig, facts: FederationFacts, *, source: str, effect: float = EFFECT
) -> tuple[Finding, ...]:
    """Return what the owners of a study should know of its target and of the size of its splits.

    Args:
        facts: Federation with the weights of the target.
        effect: Gain that is sought, in pp.
    """
    of_target = [*lacking(facts, config.target), *weak_points(facts)]
    findings = [Finding(source, "target", problem) for problem in of_target]
    few = too_few(fewest_examples(facts), config.confirmation.confidence, effect)
    if few is not None:
        findings.append(Finding(source, "federation.splits (confirmation)", few))
    return tuple(findings)


def fewest_examples(facts: FederationFacts) -> float:
    """Return the effective confirmation examples of the participant whose target leaves the fewest."""
    count = len(facts.labels[Split.CONFIRMATION])
    return min(participant.weights.effective(Split.CONFIRMATION, count) for participant in facts.participants)


def warned_facts(config: StudyConfig, facts: FederationFacts, *, source: str) -> FederationFacts:
    """Return what judging and reporting need to know of a federation, with the warnings of this study, too.

    Raises:
        PlanError: As `check_target`.
    """
    facts = aimed(facts, config.target, source=source)
    findings = [
        finding for finding in study_warnings(config, facts, source=source) if finding not in facts.warnings
    ]
    return replace(facts, warnings=(*facts.warnings, *findings))


def tell_warnings(
    config: StudyConfig, of: Federation | Checked | None, *, source: str, logger: logging.Logger
) -> None:
    """Tell whoever calls autokd what `study_warnings` finds.

    Raises:
        PlanError: As `check_target`.
    """
    if of is not None:
        facts = check_target(config, of, source=source)
        tell(study_warnings(config, facts, source=source), logger)


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
