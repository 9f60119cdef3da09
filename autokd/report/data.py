"""The data of a report, read from the store once; nothing in `report` reads anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autokd.claims.claim import Claim
from autokd.config.study import StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.participant_names import ParticipantNames
from autokd.core.records import FederationFacts
from autokd.core.setting import Pair, Split
from autokd.explanation.explanation import Explanation
from autokd.recommendation import Recommendation
from autokd.statistics.paired import POINTS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairData:
    """One pair.

    Attributes:
        recommendation: None as long as the pair is not judged.
        missing: Why the pair is not judged, in words; else empty.
        explanation: Comparison with the alternatives; None if none of them ran.
    """

    records: PairRecords
    recommendation: Recommendation | None = None
    missing: str = ""
    explanation: Explanation | None = None

    @property
    def pair(self) -> Pair:
        return self.records.of_pair


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportData:
    """A federation under one study recipe and space.

    Attributes:
        space: What `Space.model_dump` returns.
        federation: None if it was never prepared.
        pairs: Pairs with records in the store, in order.
        groups: Groups with records in the store; what is said of pairs does not count them.
        sweep_epochs: Cost of the sweep on one pair, in epochs.
        sweep_budget: Epochs of each of its runs: the largest budget that the space may give a trial.
        sweep_examples: Cost of the sweep by pair, in training examples; empty if that is unknown.
        observations: The poster's observations in this federation; empty if there is nothing to observe.
        versions: Versions of the packages that results depend on, by name.
        options: Options that make a command mean the same study, e.g. `--study mine`.
    """

    config: StudyConfig
    space: Mapping[str, Any]
    federation: FederationFacts | None = None
    pairs: Sequence[PairData] = ()
    sweep_epochs: int = 0
    sweep_budget: int = 0
    sweep_examples: Mapping[Pair, int] = field(default_factory=dict)
    observations: Sequence[Claim] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    groups: Sequence[PairData] = ()

    @property
    def recommendations(self) -> Mapping[Pair, Recommendation]:
        """The recommendation of each pair that is judged."""
        return {data.pair: data.recommendation for data in self.pairs if data.recommendation is not None}

    @property
    def involved(self) -> tuple[int, ...]:
        """The participants of pairs and groups with records; all of the federation if there are none."""
        numbers = {number for entry in (*self.pairs, *self.groups) for number in entry.records.pair.meeting}
        return tuple(sorted(numbers)) if numbers else tuple(self.accuracies)

    @property
    def names(self) -> ParticipantNames:
        """Names of the participants."""
        return self.config.federation.names

    @property
    def accuracies(self) -> Mapping[int, float]:
        """Accuracy of each participant's model as it is on test, by its own target, in [0, 1]."""
        participants = () if self.federation is None else self.federation.participants
        return {member.number: member.accuracy(Split.TEST) for member in participants}

    def by_adoption(self, partner: int, participant: int) -> float:
        """Return what a participant gains on test by taking a partner's model as it is, in pp."""
        assert self.federation is not None, "without a federation there are no participants"
        members = self.federation.participants
        taken = members[participant].accuracy_of(members[partner].correct, Split.TEST)
        return POINTS * (taken - members[participant].accuracy(Split.TEST))

    def of(self, pair: Pair) -> PairData:
        """Return the data of a pair; for a pair without records, how to tune it."""
        for data in self.pairs:
            if data.pair == pair:
                return data
        typed = f"{pair.teacher},{pair.student}{self.options}"
        return PairData(
            records=PairRecords(pair=pair, study=""),
            missing=f"it has not been tuned; autokd tune --pair {typed} does that",
        )
