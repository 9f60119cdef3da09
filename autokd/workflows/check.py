"""Checking a study before anything is done: all its problems at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from autokd.compute.device import Compute
from autokd.config.defaults import EFFECT
from autokd.config.external import ExternalFederation
from autokd.config.space import read_space
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.finding import Finding
from autokd.errors import InputError, PlanError
from autokd.federation.external import load_external
from autokd.federation.findings import Findings
from autokd.federation.measured import Measured
from autokd.federation.preparation import check
from autokd.statistics.detectable import detectable
from autokd.workflows.study_warnings import check_target, fewest_examples, study_warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantCheck:
    """A participant.

    Attributes:
        private: Number of private examples.
        accuracy: Accuracy on these, in [0, 1]; None if the model is not trained yet.
        splits: Accuracy on each labelled common split; empty if the model is not trained yet, or if there are
            problems.
        name: Its name; None if it has a number only.
        split_examples: Number of its examples that the model was asked for, which are evenly spread.
    """

    number: int
    architecture: str
    private: int
    accuracy: float | None = None
    splits: Mapping[str, float] = field(default_factory=dict)
    split_examples: Mapping[str, int] = field(default_factory=dict)
    name: str | None = None

    @classmethod
    def of(cls, measured: Measured) -> ParticipantCheck:
        """Return what was measured of a model that was trained elsewhere."""
        return cls(
            number=measured.number,
            architecture=measured.architecture,
            private=measured.own.of,
            accuracy=measured.own.accuracy,
            splits={name: share.accuracy for name, share in measured.splits.items()},
            split_examples={name: share.of for name, share in measured.splits.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The result of checking a study.

    Attributes:
        problems: What has to be corrected; each names file and field.
        warnings: What the author should know.
        members: Participants; if there are problems, those whose models could be asked.
        splits: Number of examples of each common split; None if there are problems.
        detectable: Smallest gain on confirmation that is likely to be told from 0, in pp, for the participant
            whose target leaves the fewest effective examples.
    """

    problems: tuple[PlanError, ...] = ()
    warnings: tuple[Finding, ...] = ()
    members: tuple[ParticipantCheck, ...] = ()
    splits: Mapping[str, int] | None = None
    detectable: float | None = None

    def to_json(self, study: str) -> dict[str, Any]:
        """Return what `autokd check --json` prints of the study of that name."""
        return {
            "study": study,
            "problems": [problem.to_json() for problem in self.problems],
            "warnings": [warning.to_json() for warning in self.warnings],
            "participants": [_member(member) for member in self.members],
            "splits": self.splits,
            "detectable": self.detectable,
        }


def inspect(study: str, *, effect: float = EFFECT) -> Inspection:
    """Check everything that a study names; nothing is written, and all problems are in one list.

    Args:
        study: Name of a shipped study, or a YAML file.
        effect: Gain that is sought, in pp; splits that are too small to detect it cause a warning.
    """
    try:
        config = read_study_config(study)
    except PlanError as error:
        return Inspection(problems=error.all)
    except InputError as error:
        return Inspection(problems=(PlanError(source=study, field="", problem=str(error)),))
    problems = _space_problems(study, config)
    federation = config.federation
    if isinstance(federation, ExternalFederation):
        findings = Findings(federation.source)
        external = load_external(federation, Compute(), findings)
        problems += findings.problems
        warnings = findings.told
        if external is None or problems:
            return Inspection(
                problems=tuple(problems), warnings=warnings, members=members(findings, federation)
            )
        checked = external
        asked = members(findings, federation)
    else:
        try:
            checked = check(federation)
        except InputError as error:
            problems.append(_within(study, error))
        if problems:
            return Inspection(problems=tuple(problems))
        asked = tuple(
            ParticipantCheck(
                number=number, architecture=federation.architecture(number).name, private=len(own)
            )
            for number, own in enumerate(checked.layout.private)
        )
        warnings = checked.warnings
    try:
        facts = check_target(config, checked, source=study)
    except PlanError as error:
        return Inspection(problems=error.all, warnings=warnings)
    splits = {split.value: len(where) for split, where in checked.layout.splits.items()}
    return Inspection(
        warnings=(*warnings, *study_warnings(config, facts, source=study, effect=effect)),
        members=asked,
        splits={**splits, "public": len(checked.layout.public)},
        detectable=detectable(fewest_examples(facts), config.confirmation.confidence),
    )


def _member(member: ParticipantCheck) -> dict[str, Any]:
    """Return a participant; the key `name` is absent if it has a number only, as in earlier versions."""
    return {name: value for name, value in asdict(member).items() if (name, value) != ("name", None)}


def members(findings: Findings, federation: ExternalFederation) -> tuple[ParticipantCheck, ...]:
    """Return the participants whose models could be asked, in the order of their numbers."""
    asked = [ParticipantCheck.of(measured) for _, measured in sorted(findings.measured.items())]
    return tuple(
        replace(participant, name=federation.names.name(participant.number) or None) for participant in asked
    )


def _space_problems(study: str, config: StudyConfig) -> list[PlanError]:
    try:
        read_space(config.space).permitted(config.forbidden)
    except PlanError as error:
        return list(error.all)
    except InputError as error:
        return [PlanError(source=study, field="space", problem=str(error))]
    return []


def _within(study: str, error: InputError) -> PlanError:
    """Return a problem of a federation that autokd makes, with the file that it is in."""
    if isinstance(error, PlanError) and error.source == "federation":
        return PlanError(source=study, field=f"federation.{error.field}", problem=error.problem)
    return PlanError(source=study, field="federation", problem=str(error))
