"""Ends searches and fixes what verdicts rest on, as trials end; every change is written to the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from autokd.config.space import Space
from autokd.config.study import StudyConfig
from autokd.core.price import Prices
from autokd.core.records import FederationFacts, TrialRecord
from autokd.core.setting import AnyPair, Setting, Split, derive_seed
from autokd.core.verdict_basis import VerdictBasis
from autokd.recommendation.interim_looks import seeds_wanted
from autokd.recommendation.race import looks_of, pending
from autokd.search.basis import fix_basis, needs_basis, promise, why_ended
from autokd.search.budget import trials_ended
from autokd.search.ending import Prospects, outlook
from autokd.search.next_work import PairSearch, searches_over
from autokd.search.objective import scalarise
from autokd.search.rivals import RivalChoice
from autokd.search.spending import BUDGET_ENDED
from autokd.search.tpe import Sampler
from autokd.statistics.moderation import VariancePool
from autokd.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """What the search queue knows beyond the records: beliefs, looks, and the bases of verdicts.

    Attributes:
        space_of: What is searched for a pair or group, and so what its rivals may be.
        noise: What the confirmations of finished pairs have shown about noise.
        answers_of: Returns for a group the judged settings of its pairs; see `RivalChoice`.
    """

    config: StudyConfig
    space_of: Callable[[AnyPair], Space]
    federation: FederationFacts
    sampler: Sampler
    store: Store
    noise: VariancePool
    answers_of: Callable[[AnyPair], Mapping[Setting, float]] = lambda pair: {}

    def examples(self, study: PairSearch) -> float:
        """Return the number of validation examples, as many as their weights for a pair's student leave."""
        student = self.federation.participants[study.pair.student]
        return student.weights.effective(Split.VALIDATION, len(self.federation.labels[Split.VALIDATION]))

    def fewest_examples(self, meeting: Sequence[PairSearch]) -> float:
        """Return the smaller number of effective validation examples of a meeting's pairs."""
        return min(map(self.examples, meeting))

    def scalarised(self, study: PairSearch) -> Sequence[TrialRecord]:
        """Return the trials of a study with values of the objective in place of accuracies."""
        return [scalarise(trial, self.config.aims, study.initial_accuracy) for trial in study.trials]

    def look_ahead(self, study: PairSearch) -> None:
        """See whether a pair's search may end by itself, once a trial has ended."""
        # Without a trial nothing ends, and of thousands of pairs it would take minutes to say so.
        if study.trials and study.records.rule > 1 and study.is_open(self.config.search):
            seen = self._prospects(study)
            if seen is not None:
                ended = trials_ended(study.trials)
                study.outlook = outlook(
                    self.config.search,
                    seen,
                    trials=ended,
                    validation_examples=self.examples(study),
                    seed=derive_seed(study.records.study, "ending", ended),
                )

    def update_seeds(self, study: PairSearch) -> None:
        """Look whether a pair needs more seeds, if it has several looks."""
        fixed = study.records.rule == 1 or study.records.basis is not None
        if fixed and len(looks_of(self.config, study.records)) > 1:
            study.seeds = seeds_wanted(self.config, self.federation, study.records, since=study.seeds or 0)

    def fix(self, meeting: Sequence[PairSearch]) -> None:
        """Store what verdicts rest on, for the pairs whose search is over, before any confirmation run."""
        examples = self.fewest_examples(meeting)
        for study in searches_over(self.config, meeting, validation_examples=examples):
            if needs_basis(self.config, study.records):
                self._fix(study)

    def pause(self, study: PairSearch) -> None:
        """Note whether the confirmation was left because the budget has ended."""
        basis = study.records.basis
        paused = BUDGET_ENDED if pending(self.config, study.records, seeds=study.seeds) else ""
        if basis is not None and basis.paused != paused:
            self._put(study, (*study.records.bases[:-1], replace(basis, paused=paused)))

    def _fix(self, study: PairSearch) -> None:
        seen, name, trials = self._prospects(study), study.records.study, self.scalarised(study)
        study.promise = promise(seen)
        bases = fix_basis(
            self.config,
            study.records,
            ended=why_ended(
                self.config, study.records, study.outlook, exhausted=study.exhausted, closed=study.closed
            ),
            seen=seen,
            offset=self.config.aims.value(100 * study.initial_accuracy, 0.0),
            others=self.noise.others(name),
            prices=Prices.of_pair(self.federation, study.pair, epochs=self.config.distillation.epochs),
            choice=RivalChoice(
                config=self.config,
                space=self.space_of(study.pair),
                trials=trials,
                believe=lambda settings: self.sampler.expected(name, trials, settings),
                pair=study.pair,
                answers=self.answers_of(study.pair),
            ),
        )
        self._put(study, bases)
        study.seeds = None  # The looks may be others now.
        self.update_seeds(study)

    def _put(self, study: PairSearch, bases: tuple[VerdictBasis, ...]) -> None:
        self.store.put_bases(study.records.study, bases)
        study.records = replace(study.records, bases=bases)

    def _prospects(self, study: PairSearch) -> Prospects | None:
        return self.sampler.prospects(study.records.study, self.scalarised(study), self.config.aims)
