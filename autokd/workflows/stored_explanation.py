"""What the stored runs of a pair's alternatives come to, and which are missing; nothing is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from autokd.core.records import Correctness, FederationFacts, RunRecord
from autokd.core.run_spec import RunSpec
from autokd.core.setting import AnyPair, Pair, Split, TransferSet
from autokd.errors import NotTuned
from autokd.explanation.alternatives import ComparedPair, repeated, wanted
from autokd.explanation.attribution import between
from autokd.explanation.best_elsewhere import best_elsewhere
from autokd.explanation.explanation import Explanation, ExplanationInputs
from autokd.explanation.explanation import explain as explain_runs
from autokd.explanation.steps import chain
from autokd.federation.federation import Federation
from autokd.recommendation import Recommendation
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.position import Advice
from autokd.recommendation.race import records_of, to_be_run
from autokd.recommendation.verdict import WITH_RIVALS
from autokd.workflows.readable import read_each
from autokd.workflows.results import StoredResults

Runs = Mapping[AnyPair, Sequence[RunRecord]]
"""Runs of the alternatives, of a pair and of the reverse pair."""


def stored_explanation(results: StoredResults, federation: Federation, pair: Pair) -> Explanation | None:
    """Return the explanation from the runs that are there, which may be incomplete; None if none ran.

    Raises:
        NotTuned: If the pair has no recommendation yet, or its runs failed.
    """
    sides: tuple[AnyPair, ...] = (pair, pair.reverse)
    records = read_each(sides, results.records)
    runs = {side: records[side].alternative_runs if side in records else () for side in sides}
    return ExplanationTask.of(results, federation, pair).explanation(runs) if runs[pair] else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExplanationTask:
    """A judged pair, and the alternatives to compare it with.

    Attributes:
        recommendation: Recommendation of the pair.
        compared: The facts that decide the alternatives.
        reverse: Judgement and facts of the reverse pair, if its model is the one to adopt.
        federation: Models whose outputs are averaged.
        facts: The federation's models as they are.
    """

    recommendation: Recommendation
    compared: ComparedPair
    reverse: tuple[Judgement, ComparedPair] | None
    federation: Federation
    facts: FederationFacts

    @classmethod
    def of(cls, results: StoredResults, federation: Federation, pair: Pair) -> ExplanationTask:
        """Return the task of a pair.

        Raises:
            NotTuned: If the pair has no recommendation yet, or its runs failed.
        """
        recommendation = results.recommendation(pair)
        if recommendation.judgement is None:
            raise NotTuned(f"pair {pair} has nothing to explain: {recommendation.reason}")
        reverse = None
        if recommendation.of_pair[1].advice is Advice.TEACHER:
            judgement = results.judged(pair.reverse)
            assert isinstance(judgement, Judgement), "the advice is to adopt its model"
            reverse = judgement, _compared(results, federation, pair.reverse, judgement)
        compared = _compared(results, federation, pair, recommendation.judgement)
        rest = [number for number in range(len(results.facts.participants)) if number not in pair.meeting]
        others = read_each((Pair(*sides) for sides in permutations(rest, 2)), results.swept)
        elsewhere = best_elsewhere(list(others.values()), results.facts, transfer_sets=compared.transfer_sets)
        return cls(
            recommendation=recommendation,
            compared=replace(compared, elsewhere=elsewhere),
            reverse=reverse,
            federation=federation,
            facts=results.facts,
        )

    def wanted(self, runs: Runs) -> Sequence[RunSpec]:
        """Return all runs of the explanation, done or not, as far as `runs` decide them."""
        compared, pair = self.compared, self.recommendation.pair
        steps = chain(compared.setting).settings if compared.with_priors else between(compared.setting)
        specs = wanted(compared, runs[pair], steps=list(steps.values()))
        if self.reverse is None or compared.with_priors:
            return specs
        reverse = self.reverse[1]
        return (*specs, *repeated(reverse, list(between(reverse.setting).values())))

    def explanation(self, runs: Runs) -> Explanation:
        """Return the explanation that the runs come to; it says which runs are missing."""
        (pair, _), specs = self.recommendation.of_pair, set(self.wanted(runs))
        owed = [
            to_be_run(records_of(runs[spec.pair], spec.stage, spec.setting, spec.seed), self.compared.retries)
            for spec in specs
        ]
        return explain_runs(
            ExplanationInputs(
                recommendation=self.recommendation,
                compared=self.compared,
                runs=runs[pair],
                reverse=None if self.reverse is None else self.reverse[0],
                reverse_runs=[run for run in runs[pair.reverse] if RunSpec.of(pair.reverse, run) in specs],
                partner=self.facts.participants[pair.teacher].correct,
                averaged={split: self.federation.averaged(sorted(pair.meeting), split) for split in Split},
                owed=sum(owed),
                **self._without_priors(),
            )
        )

    def _without_priors(self) -> dict[str, Mapping[Split, Correctness]]:
        """Return what both models get right without their label priors, by rule 3."""
        (pair, _), student = self.recommendation.of_pair, self.recommendation.student
        partner = self.facts.participants[pair.teacher].corrected
        if not (self.compared.with_priors and partner and student.corrected):
            return {}
        return {
            "partner_without_prior": partner,
            "without_priors": {
                split: self.federation.averaged(sorted(pair.meeting), split, without_priors=True)
                for split in Split
            },
        }


def _compared(
    results: StoredResults, federation: Federation, pair: Pair, judgement: Judgement
) -> ComparedPair:
    evidence, config = judgement.evidence, results.config
    return ComparedPair(
        pair=pair,
        setting=judgement.shown.setting,
        confirmed=tuple(arm.setting for arm in evidence.arms.values()),
        seeds=evidence.seeds,
        transfer_sets=tuple(
            transfer_set
            for transfer_set in results.space.transfer_set
            if transfer_set not in (TransferSet.PUBLIC, TransferSet.STUDENT_PUBLIC)
            or len(federation.public) > 1
        ),
        learning_rate=config.distillation.learning_rate,
        rate_seeds=config.confirmation.race_seeds,
        retries=config.search.retries,
        weights=judgement.weights,
        with_priors=judgement.rule >= WITH_RIVALS,
        budgets={} if judgement.basis is None else judgement.basis.alternatives,
    )
