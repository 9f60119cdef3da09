"""All facts of a report: each is computed once, when it is first used, for page, files and dashboard."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from autokd.core.records import FederationFacts, TrialRecord
from autokd.core.setting import Pair, Setting, Split
from autokd.report.facts.costs import AnytimeFacts, CostFacts, anytime_facts, cost_facts
from autokd.report.facts.dimensions import (
    BestFacts,
    Forgotten,
    ImportanceFacts,
    best_facts,
    forgotten,
    importance,
)
from autokd.report.facts.federation import HeadlineFacts, MatrixFacts, headline_facts, matrices
from autokd.report.facts.pairs import (
    CurveFacts,
    LandscapeFacts,
    chosen_setting,
    curve_facts,
    landscape_facts,
)
from autokd.report.facts.participants import ParticipantsFacts, participants_facts
from autokd.report.facts.poster import PosterTable, poster_tables
from autokd.report.facts.provenance import Entry, ProvenanceFacts, pair_provenance, provenance_facts
from autokd.report.facts.trials import ClassRow, TrialRow, class_rows, trial_rows
from autokd.report.material import Material, PairMaterial


class PairFacts:
    """The facts of one pair.

    Attributes:
        data: What the store has of the pair.
        federation: None if it was never prepared or is not needed; then there are no facts by class.
    """

    def __init__(self, data: PairMaterial, federation: FederationFacts | None = None) -> None:
        self.data = data
        self.federation = federation
        self.pair = data.pair
        self.found = data.found

    def with_trials(self, trials: list[TrialRecord]) -> PairFacts:
        """Return the facts of the same pair with these trials instead of its own."""
        records = replace(self.data.records, trials=trials)
        return PairFacts(replace(self.data, records=records), self.federation)

    @cached_property
    def chosen(self) -> Setting | None:
        """Setting that the race chose."""
        return chosen_setting(self.found)

    @cached_property
    def initial_accuracy(self) -> float | None:
        """Accuracy of the student before distilling, on validation, in [0, 1]; None if it is not known."""
        if self.found is not None:
            student = self.found.student
        elif self.federation is not None:
            student = self.federation.participants[self.pair.student]
        else:
            return None
        return float(student.correct[Split.VALIDATION].mean())

    @cached_property
    def landscape(self) -> LandscapeFacts:
        return landscape_facts(self.data.records.trials, self.chosen, own=self.initial_accuracy)

    @cached_property
    def curves(self) -> CurveFacts:
        return curve_facts(self.data.records.trials, self.chosen, own=self.initial_accuracy)

    @cached_property
    def classes(self) -> tuple[ClassRow, ...]:
        return class_rows(self.found, self.federation)

    @cached_property
    def trials(self) -> tuple[TrialRow, ...]:
        records = self.data.records
        return trial_rows(records.trials, records.reports, own=self.initial_accuracy)

    @cached_property
    def provenance(self) -> tuple[Entry, ...]:
        return pair_provenance(self.data)


class ReportFacts:
    """The facts of a whole federation, or of one of its pairs.

    Attributes:
        data: What the store has.
        pair: The only pair that is reported; None for all.
        pairs: Facts of each reported pair.
    """

    def __init__(self, data: Material, pair: Pair | None = None) -> None:
        self.data = data
        self.pair = pair
        reported = data.pairs if pair is None else [data.of(pair)]
        self.pairs = tuple(PairFacts(pair_data, data.federation) for pair_data in reported)

    @cached_property
    def headline(self) -> HeadlineFacts:
        return headline_facts(self.data)

    @cached_property
    def participants(self) -> ParticipantsFacts:
        return participants_facts(self.data)

    @cached_property
    def matrices(self) -> tuple[MatrixFacts, ...]:
        return matrices(self.data)

    @cached_property
    def posters(self) -> tuple[PosterTable, ...]:
        return poster_tables(self.data)

    @cached_property
    def best(self) -> BestFacts:
        return best_facts(self.data)

    @cached_property
    def forgotten(self) -> tuple[Forgotten, ...]:
        return forgotten(self.data)

    @cached_property
    def importance(self) -> ImportanceFacts:
        return importance(self.data)

    @cached_property
    def cost(self) -> CostFacts:
        return cost_facts(self.data)

    @cached_property
    def anytime(self) -> AnytimeFacts | None:
        return anytime_facts(self.data)

    @cached_property
    def provenance(self) -> ProvenanceFacts:
        return provenance_facts(self.data, self.pair)
