"""The judgement of a pair: its verdict, with the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.objective import Objective
from autokd.core.example_weights import ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import Split, derive_seed
from autokd.core.verdict_basis import DEFAULT_BUDGET, VariancePrior, VarianceSample, VerdictBasis
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.comparisons import (
    BEYOND_BUDGET,
    COMPARISONS,
    DEFAULT_GAIN,
    IMPROVEMENT,
    MEASURED,
    WINNER_GAIN,
    Figures,
    compare,
)
from autokd.recommendation.evidence import CORRECTED, Arm, Evidence
from autokd.recommendation.race import DEFAULT_ARM, WINNER, differs_in_budget_only
from autokd.recommendation.verdict import PLAIN_RULE, RULE, WITH_RIVALS, Verdict, beats_all, decide
from autokd.statistics.looks import correlations, p_value_of_all
from autokd.statistics.paired import (
    NOTHING,
    Interval,
    VarianceComponents,
    Weights,
    paired_p_value,
    variance_components,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingCheck:
    """Forgetting on confirmation, in pp, if the study limits it.

    An arm is allowed if its mean keeps the limit. With some hundred examples an interval is wider than most
    limits: its upper end would reject nearly every setting, and its lower end none.

    Attributes:
        forgotten: By the name of the arm, or of the corrected own model.
    """

    limit: float
    forgotten: Mapping[str, Interval]

    @property
    def excluded(self) -> frozenset[str]:
        """What forgets too much: it can neither be the answer nor stand in the way of one."""
        return frozenset(name for name, lost in self.forgotten.items() if lost.mean > self.limit)

    @property
    def default(self) -> Interval:
        return self.forgotten[DEFAULT_ARM]

    @property
    def winner(self) -> Interval | None:
        return self.forgotten.get(WINNER)

    @property
    def default_allowed(self) -> bool:
        return DEFAULT_ARM not in self.excluded

    @property
    def winner_allowed(self) -> bool:
        return WINNER not in self.excluded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A verdict with the figures behind it.

    Attributes:
        confirmation: Gains on the split where the verdict was decided.
        test: The same comparisons where they are reported.
        decisive: Figures that decided: the gains of `confirmation`, or their values by the study's objective.
        confidence: Confidence of the intervals on confirmation.
        p_beats_default: One-sided p-value of winner minus default, at the recipe's budget and at its own
            (the larger one); None if no allowed winner differs from it in more than its budget.
        forgotten: Forgetting of the arms; None if the study does not limit it.
        rule: Version of the rule that decided.
        basis: What the verdict rests on beside the runs; None by rule 1.
    """

    verdict: Verdict
    evidence: Evidence
    confirmation: Figures
    test: Figures
    decisive: Figures
    aims: Objective
    confidence: float
    p_beats_default: float | None
    forgotten: ForgettingCheck | None
    rule: int = PLAIN_RULE
    basis: VerdictBasis | None = None

    @property
    def weights(self) -> ExampleWeights:
        """Weights of the examples on the target distribution of the pair's student."""
        return self.evidence.weights

    @property
    def priors(self) -> Mapping[str, VariancePrior]:
        """What other pairs have shown about the variance between seeds, by split and comparison."""
        return {} if self.basis is None else self.basis.priors

    @property
    def excluded(self) -> frozenset[str]:
        """Names of what breaks the study's constraints."""
        return frozenset() if self.forgotten is None else self.forgotten.excluded

    @property
    def budget_only(self) -> bool:
        """Whether the winner is the default at another budget."""
        winner = self.evidence.winner
        return self.rule >= WITH_RIVALS and winner is not None and differs_in_budget_only(winner.setting)

    @property
    def shown(self) -> Arm:
        """The arm that represents the pair: the default if that is the answer, else the winner.

        A default whose answer is a budget of its own is the winner.
        """
        default, winner = self.evidence.default, self.evidence.winner
        if winner is None:
            return default
        longer = self.budget_only and beats_all(self.decisive, self.excluded)
        return default if self.verdict is Verdict.DEFAULT and not longer else winner

    def figures(self, split: Split) -> Figures:
        """Return the comparisons on confirmation or test."""
        return self.test if split is Split.TEST else self.confirmation

    def gain(self, split: Split) -> Interval:
        """Return the gain of the arm shown, on confirmation or test."""
        figures = self.figures(split)
        if self.shown is self.evidence.default or figures.winner_gain is None:
            return figures.default_gain
        return figures.winner_gain

    def single_run(self, confidence: float) -> Interval:
        """Return the gain on test that one further run of the arm shown would have."""
        gain = self.gain(Split.TEST).mean
        reach = self.components(self.gain_of_shown, Split.TEST).single_run(confidence)
        return Interval(gain, gain - reach, gain + reach)

    def teacher_part(self, split: Split) -> Interval | None:
        """Return what of the winner's gain is the teacher's, in pp; on confirmation, by the objective.

        It is 0 where no teacher is used, and None without a winner, or where it was not measured.
        """
        winner = self.evidence.winner
        if winner is not None and winner.setting.alpha == 0:
            return NOTHING
        return (self.test if split is Split.TEST else self.decisive).teacher_part

    @property
    def shown_teacher_part(self) -> Interval | None:
        """What of the gain on test of the arm shown is the teacher's; None if it was not measured."""
        return self.teacher_part(Split.TEST) if self.shown is self.evidence.winner else None

    @property
    def gain_of_shown(self) -> str:
        """The comparison of the arm shown with the model as it is."""
        return DEFAULT_GAIN if self.shown is self.evidence.default else WINNER_GAIN

    def components(self, comparison: str, split: Split) -> VarianceComponents:
        """Return where the uncertainty of a comparison comes from; on confirmation, by the objective."""
        evidence, on_test = self.evidence, split is Split.TEST
        first, second, noise = COMPARISONS[comparison][1:]
        pair = evidence.paired(first, second, split)
        assert pair is not None
        return variance_components(
            *pair,
            weights=evidence.weights.of(split) if on_test else objective_weights(self.aims, evidence, split),
            prior=self.priors.get(f"{split.value}/{noise}"),
        )

    def shown_beside(
        self,
        fixed: Correctness,
        bootstrap: Bootstrap,
        split: Split,
        *name: str,
        weights: ExampleWeights | None = None,
    ) -> Interval:
        """Return how much better the arm shown is than a fixed model, with what is known of its seeds.

        Args:
            weights: Weights by which both are compared; by default those of the pair's student.
        """
        noise = f"{split.value}/{self.gain_of_shown}"
        with_priors = replace(bootstrap, priors=self.priors)
        by = (weights or self.weights).of(split)
        return with_priors.interval(self.shown.correct[split], fixed, *name, weights=by, noise=noise)

    def variance_samples(self) -> dict[str, VarianceSample]:
        """Return the noise of each comparison on both splits, from these runs alone."""
        names = (DEFAULT_GAIN,) if self.evidence.winner is None else MEASURED
        alone = replace(self, basis=None)
        samples = {}
        for split in (Split.CONFIRMATION, Split.TEST):
            for name in names:
                parts = alone.components(name, split)
                sample = VarianceSample(parts.between_seeds, parts.seeds - 1, parts.of_examples)
                samples[f"{split.value}/{name}"] = sample
        return samples


def judge(
    evidence: Evidence,
    confirmation: ConfirmationConfig,
    *,
    seed: int,
    aims: Objective | None = None,
    confidence: float | None = None,
    basis: VerdictBasis | None = None,
    rule: int | None = None,
) -> Judgement:
    """Decide on confirmation, and compute the gains on test, which have no influence.

    Args:
        evidence: Evidence of one pair, with `local` weights unless only gain counts.
        aims: Objective and constraints; by default only gain counts.
        confidence: Confidence on confirmation; by default that of `basis`, else that of `confirmation`.
        basis: As in `Judgement`.
        rule: As in `Judgement`; by default the present one, without a basis rule 1.
    """
    aims, split = aims or Objective(), Split.CONFIRMATION
    priors: Mapping[str, VariancePrior] = {} if basis is None else basis.priors
    on_test = Bootstrap.of(confirmation, seed, priors=priors)
    decided = confirmation.confidence if basis is None else basis.confidence
    bootstrap = replace(on_test, confidence=confidence or decided)
    weights = objective_weights(aims, evidence, split)
    gains = decisive = compare(evidence, split, bootstrap, weights=evidence.weights.of(split))
    if not aims.is_gain:
        decisive = compare(evidence, split, bootstrap, weights=weights)
    judgement = Judgement(
        verdict=Verdict.UNDECIDED,
        evidence=evidence,
        confirmation=gains,
        test=compare(evidence, Split.TEST, on_test, weights=evidence.weights.of(Split.TEST)),
        decisive=decisive,
        aims=aims,
        confidence=bootstrap.confidence,
        p_beats_default=None,
        forgotten=_forgotten(evidence, aims.constraints.limit, bootstrap),
        rule=rule or (PLAIN_RULE if basis is None else RULE),
        basis=basis,
    )
    verdict = decide(
        decisive,
        min_improvement=confirmation.min_improvement,
        excluded=judgement.excluded,
        budget_only=judgement.budget_only,
        tunable=DEFAULT_BUDGET not in evidence.lost,
    )
    p_value = _p_beats_default(judgement, confirmation, seed, weights)
    return replace(judgement, verdict=verdict, p_beats_default=p_value)


def _p_beats_default(
    judgement: Judgement, confirmation: ConfirmationConfig, seed: int, weights: Weights | None
) -> float | None:
    """Return the p-value of beating each default, of the look in question corrected for the others.

    All of them are to be beaten, so it is the largest one: the union of the hypotheses that one is not.
    """
    evidence, basis, split = judgement.evidence, judgement.basis, Split.CONFIRMATION
    if evidence.winner is None or WINNER in judgement.excluded or judgement.budget_only:
        return None
    p_values = []
    for name in (IMPROVEMENT, BEYOND_BUDGET):
        _, first, second, noise = COMPARISONS[name]
        pair = evidence.paired(first, second, split)
        # NOTE: a default that forgets too much counts, as in rules 1 and 2.
        if pair is not None and (name == IMPROVEMENT or second not in judgement.excluded):
            p_value = paired_p_value(
                *pair,
                resamples=confirmation.resamples,
                seed=derive_seed(seed, split.value, name),
                weights=weights,
                prior=judgement.priors.get(f"{split.value}/{noise}"),
            )
            p_values.append(p_value)
    largest = max(p_values)
    return largest if basis is None else p_value_of_all(largest, correlations(basis.looks, basis.seed_share))


def _forgotten(evidence: Evidence, limit: float | None, bootstrap: Bootstrap) -> ForgettingCheck | None:
    if limit is None:
        return None
    split = Split.CONFIRMATION
    own, local = evidence.own[split], evidence.local[split]
    students = {name: (str(arm.setting), arm.correct[split]) for name, arm in evidence.arms.items()}
    if evidence.corrected is not None:
        students[CORRECTED] = (CORRECTED, evidence.corrected[split])
    return ForgettingCheck(
        limit=limit,
        forgotten={
            name: bootstrap.interval(own, correct, "forgotten", words, weights=local)
            for name, (words, correct) in students.items()
        },
    )


def objective_weights(aims: Objective, evidence: Evidence, split: Split) -> Weights | None:
    """Return the weight of each example for an objective; None if all count 1.

    A gain is measured with the weights of the target distribution. `gain_local` has a plus where forgetting
    has a minus: what a student forgets is local accuracy it loses. That is so whatever the target is, and a
    sum of two means over the same examples has the sum of their weights.
    """
    target = evidence.weights.of(split)
    match aims.objective:
        case "gain" | "balanced":
            return target
        case "gain_local":
            return evidence.local[split]
        case "gain_minus_forgetting":
            return (1 if target is None else target) + evidence.local[split]
