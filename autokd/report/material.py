"""All that a report is made of, read from the store once; nothing in `report` reads anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autokd.core.records import FederationFacts, RungReport, RunRecord, TrialRecord
from autokd.core.setting import Pair
from autokd.plan import StudyPlan
from autokd.recommendation import Recommendation
from autokd.recommendation.explanation import Explanation
from autokd.recommendation.observation import Observation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairMaterial:
    """One pair.

    Attributes:
        study: Its name in the store.
        found: Its recommendation; None as long as it is not judged.
        missing: Why it is not judged, in words; empty if it is.
        trials: By number.
        reports: What each trial reported, by its number.
        runs: Of race and confirmation.
        swept: Of the sweep, which no verdict reads.
        explanation: Beside its rivals; None if none was run.
    """

    pair: Pair
    study: str
    found: Recommendation | None = None
    missing: str = ""
    trials: Sequence[TrialRecord] = ()
    reports: Mapping[int, Sequence[RungReport]] = field(default_factory=dict)
    runs: Sequence[RunRecord] = ()
    swept: Sequence[RunRecord] = ()
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """A federation under one plan and space.

    Attributes:
        federation: None if it was never prepared.
        space: As `Space.model_dump` gives it.
        pairs: Those of which the store has something, in order.
        sweep_epochs: What the frozen grid would cost on one pair.
        observations: The poster's, in this federation; empty if there is nothing to observe.
        versions: Of the packages that results depend on, by name.
        options: What is to be typed after a command so that it means the same study, e.g. `--study mine`.
    """

    plan: StudyPlan
    space: Mapping[str, Any]
    federation: FederationFacts | None = None
    pairs: Sequence[PairMaterial] = ()
    sweep_epochs: int = 0
    observations: Sequence[Observation] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    options: str = ""

    @property
    def participants(self) -> int:
        return self.plan.federation.size

    @property
    def found(self) -> Mapping[Pair, Recommendation]:
        """The recommendation of each pair that is judged."""
        return {one.pair: one.found for one in self.pairs if one.found is not None}

    def of(self, pair: Pair) -> PairMaterial:
        """What is known of a pair; of one without a study, that."""
        for one in self.pairs:
            if one.pair == pair:
                return one
        typed = f"{pair.teacher},{pair.student}{self.options}"
        return PairMaterial(
            pair=pair, study="", missing=f"it has not been tuned; autokd tune --pair {typed} does that"
        )
