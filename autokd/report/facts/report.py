"""All facts of a report: each is computed once, when it is first used, for page, files and dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from autokd.core.records import FederationFacts, TrialRecord
from autokd.core.setting import Pair, Split
from autokd.report.data import PairData, ReportData
from autokd.report.facts.costs import anytime_facts, cost_facts
from autokd.report.facts.decisions import answer_facts, pair_rows, participant_rows
from autokd.report.facts.dimensions import best_facts, forgotten, importance, importance_of
from autokd.report.facts.federation import headline_facts, matrices
from autokd.report.facts.pairs import chosen_setting, curve_facts, landscape_facts
from autokd.report.facts.participants import participants_facts
from autokd.report.facts.poster import poster_tables
from autokd.report.facts.provenance import pair_provenance, provenance_facts
from autokd.report.facts.several import group_rows, round_rows
from autokd.report.facts.trials import class_rows, trial_rows


class PairFacts:
    """The facts of one pair.

    Attributes:
        data: What the store has of the pair.
        federation: None if it was never prepared or is not needed; then there are no facts by class.
    """

    def __init__(self, data: PairData, federation: FederationFacts | None = None) -> None:
        self.data = data
        self.federation = federation
        self.records = data.records
        self.pair = data.records.pair
        self.recommendation = data.recommendation

    def with_trials(self, trials: Sequence[TrialRecord]) -> PairFacts:
        """Return the facts of the same pair with these trials instead of its own."""
        records = replace(self.records, trials=trials)
        return PairFacts(replace(self.data, records=records), self.federation)

    @cached_property
    def own(self) -> float | None:
        """Accuracy of the student's model as it is on validation, in [0, 1]; None if it is not known."""
        if self.recommendation is not None:
            student = self.recommendation.student
        elif self.federation is not None:
            student = self.federation.participants[self.pair.student]
        else:
            return None
        return student.accuracy(Split.VALIDATION)

    chosen = cached_property(lambda self: chosen_setting(self.recommendation))
    landscape = cached_property(lambda self: landscape_facts(self.records.trials, self.chosen, own=self.own))
    curves = cached_property(lambda self: curve_facts(self.records.trials, self.chosen, own=self.own))
    classes = cached_property(lambda self: class_rows(self.recommendation, self.federation))
    trials = cached_property(lambda self: trial_rows(self.records.trials, self.records.reports, own=self.own))
    importance = cached_property(lambda self: importance_of(self.records.trials))
    provenance = cached_property(lambda self: pair_provenance(self.data))


class ReportFacts:
    """The facts of a whole federation, or of one of its pairs.

    Attributes:
        pair: The only pair that is reported; None for all.
        pairs: Facts of each reported pair.
    """

    def __init__(self, data: ReportData, pair: Pair | None = None) -> None:
        self.data = data
        self.pair = pair
        reported = data.pairs if pair is None else [data.of(pair)]
        self.pairs = tuple(PairFacts(pair_data, data.federation) for pair_data in reported)

    rows = cached_property(lambda self: pair_rows(self.data))
    decisions = cached_property(lambda self: participant_rows(self.data))
    answer = cached_property(lambda self: answer_facts(self.data, self.rows, self.decisions))
    headline = cached_property(lambda self: headline_facts(self.data))
    participants = cached_property(lambda self: participants_facts(self.data, self.decisions))
    matrices = cached_property(lambda self: matrices(self.data))
    posters = cached_property(lambda self: poster_tables(self.data))
    best = cached_property(lambda self: best_facts(self.data))
    forgotten = cached_property(lambda self: forgotten(self.data))
    importance = cached_property(lambda self: importance(self.data))
    groups = cached_property(lambda self: group_rows(self.data))
    rounds = cached_property(lambda self: round_rows(self.data))
    cost = cached_property(lambda self: cost_facts(self.data))
    anytime = cached_property(lambda self: anytime_facts(self.data))
    provenance = cached_property(lambda self: provenance_facts(self.data, self.pair))
