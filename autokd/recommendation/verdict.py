"""The verdict of a pair, decided on the confirmation split by a rule on three intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from autokd.config.study import ConfirmationConfig, Objective
from autokd.core.example_weights import ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import Setting, Split, derive_seed, plain
from autokd.core.verdict_basis import VariancePrior, VarianceSample, VerdictBasis
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.evidence import Arm, Evidence
from autokd.statistics.looks import correlations, p_value_of_all
from autokd.statistics.paired import (
    Interval,
    VarianceComponents,
    Weights,
    paired_p_value,
    variance_components,
)

RULE: Final = 2
"""Version of the verdict's rule that new studies get; a study keeps the version that it was created with.

Rule 1: a race, five seeds, each pair alone. Rule 2: a `VerdictBasis`, looks, the seeds' variance moderated.
"""
_PLAIN_RULE: Final = 1


DEFAULT_GAIN, WINNER_GAIN, IMPROVEMENT = "default gain", "winner gain", "improvement"
"""Names of the three comparisons of `Figures`."""


class Verdict(StrEnum):
    """What can be shown about a pair."""

    TUNED = "tuned"
    """The winner beats the default and as-is."""
    DEFAULT = "default"
    """The default beats as-is, and nothing is shown to beat it."""
    SKIP = "skip"
    """Neither can gain as much as `min_improvement`."""
    UNDECIDED = "undecided"
    """None of these can be shown: the advice is as-is."""
    FAILED = "failed"
    """There are no runs to judge."""

    @property
    def answer(self) -> str:
        """What to use: the setting found (`tuned`), the default setting, or the model as it is (`as-is`)."""
        return self.value if self in (Verdict.TUNED, Verdict.DEFAULT) else "as-is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The three comparisons of a pair on one split, in pp of its student.

    Attributes:
        default_gain: Default minus as-is.
        winner_gain: Winner minus as-is; None if there is no winner.
        improvement: Winner minus default, paired by seed; None if there is no winner.
    """

    default_gain: Interval
    winner_gain: Interval | None = None
    improvement: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingCheck:
    """Forgetting of the arms on confirmation, in pp, if the study limits it.

    An arm is allowed if its mean keeps the limit. With some hundred examples an interval is wider than most
    limits: its upper end would reject nearly every setting, and its lower end none.
    """

    limit: float
    default: Interval
    winner: Interval | None

    @property
    def default_allowed(self) -> bool:
        return self.default.mean <= self.limit

    @property
    def winner_allowed(self) -> bool:
        return self.winner is None or self.winner.mean <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A verdict with the figures behind it.

    Attributes:
        confirmation: Gains on the split where the verdict was decided.
        test: The same comparisons where they are reported.
        decisive: Figures that decided: the gains of `confirmation`, or their values by the study's objective.
        confidence: Confidence of the intervals on confirmation.
        p_beats_default: One-sided p-value of winner minus default; None if there is no allowed winner.
        forgotten: Forgetting of the arms; None if the study does not limit it.
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
    basis: VerdictBasis | None = None

    @property
    def weights(self) -> ExampleWeights:
        """Weights of the examples on the target distribution of the pair's student."""
        return self.evidence.weights

    @property
    def rule(self) -> int:
        """Version of the rule that decided."""
        return _PLAIN_RULE if self.basis is None else RULE

    @property
    def priors(self) -> Mapping[str, VariancePrior]:
        """What other pairs have shown about the variance between seeds, by split and comparison."""
        return {} if self.basis is None else self.basis.priors

    @property
    def shown(self) -> Arm:
        """The arm that represents the pair: the default if that is the answer, else the winner."""
        default, winner = self.evidence.default, self.evidence.winner
        return default if self.verdict is Verdict.DEFAULT or winner is None else winner

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

    @property
    def gain_of_shown(self) -> str:
        """The comparison of the arm shown with the model as it is."""
        return DEFAULT_GAIN if self.shown is self.evidence.default else WINNER_GAIN

    def components(self, comparison: str, split: Split) -> VarianceComponents:
        """Return where the uncertainty of a comparison comes from; on confirmation, by the objective."""
        evidence, on_test = self.evidence, split is Split.TEST
        arms: dict[str, Arm | None] = {WINNER_GAIN: evidence.winner, IMPROVEMENT: evidence.winner}
        arm = arms.get(comparison, evidence.default)
        assert arm is not None
        second = evidence.default.correct if comparison == IMPROVEMENT else evidence.own
        return variance_components(
            arm.correct[split],
            second[split],
            weights=evidence.weights.of(split) if on_test else objective_weights(self.aims, evidence, split),
            prior=self.priors.get(f"{split.value}/{comparison}"),
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
        names = (DEFAULT_GAIN,) if self.evidence.winner is None else (DEFAULT_GAIN, WINNER_GAIN, IMPROVEMENT)
        alone = replace(self, basis=None)
        found = {}
        for split in (Split.CONFIRMATION, Split.TEST):
            for name in names:
                parts = alone.components(name, split)
                sample = VarianceSample(parts.between_seeds, parts.seeds - 1, parts.of_examples)
                found[f"{split.value}/{name}"] = sample
        return found


def decide(
    figures: Figures, *, min_improvement: float, default_allowed: bool = True, winner_allowed: bool = True
) -> Verdict:
    """Return the verdict; if several rules hold, the first counts.

        skip       high(winner - as-is) < min_improvement and high(default - as-is) < min_improvement
        tuned      low(winner - default) > 0 and low(winner - as-is) > 0
        default    low(default - as-is) > 0
        undecided  otherwise

    Without a winner, its conditions are left out and `tuned` is impossible. The conditions on an arm that
    breaks the study's constraints, so is not allowed, are left out as well: it can neither be the answer nor
    stand in the way of one.
    """
    default = figures.default_gain if default_allowed else None
    gain = figures.winner_gain if winner_allowed else None
    if all(arm.high < min_improvement for arm in (default, gain) if arm is not None):
        return Verdict.SKIP
    if gain is not None and gain.low > 0:
        improvement = figures.improvement
        if default is None or (improvement is not None and improvement.low > 0):
            return Verdict.TUNED
    return Verdict.DEFAULT if default is not None and default.low > 0 else Verdict.UNDECIDED


def compare(
    evidence: Evidence, split: Split, bootstrap: Bootstrap, *, weights: Weights | None = None
) -> Figures:
    """Return the three comparisons on confirmation or test; `weights` as in `paired_interval`."""

    def interval(name: str, first: Arm, second: Correctness) -> Interval:
        return bootstrap.interval(first.correct[split], second, split.value, name, weights=weights)

    own, default, winner = evidence.own[split], evidence.default, evidence.winner
    return Figures(
        default_gain=interval(DEFAULT_GAIN, default, own),
        winner_gain=None if winner is None else interval(WINNER_GAIN, winner, own),
        improvement=None if winner is None else interval(IMPROVEMENT, winner, default.correct[split]),
    )


def judge(
    evidence: Evidence,
    confirmation: ConfirmationConfig,
    *,
    seed: int,
    aims: Objective | None = None,
    confidence: float | None = None,
    basis: VerdictBasis | None = None,
) -> Judgement:
    """Decide on confirmation, and compute the gains on test, which have no influence.

    Args:
        evidence: Evidence of one pair, with `local` weights unless only gain counts.
        aims: Objective and constraints; by default only gain counts.
        confidence: Confidence on confirmation; by default that of `basis`, else that of `confirmation`.
        basis: As in `Judgement`.
    """
    aims, split, winner = aims or Objective(), Split.CONFIRMATION, evidence.winner
    priors: Mapping[str, VariancePrior] = {} if basis is None else basis.priors
    on_test = Bootstrap.of(confirmation, seed, priors=priors)
    decided = confirmation.confidence if basis is None else basis.confidence
    bootstrap = replace(on_test, confidence=confidence or decided)
    weights = objective_weights(aims, evidence, split)
    gains = decisive = compare(evidence, split, bootstrap, weights=evidence.weights.of(split))
    if aims.objective != "gain":
        decisive = compare(evidence, split, bootstrap, weights=weights)
    forgotten = _forgotten(evidence, aims.constraints.limit, bootstrap)
    default_allowed = forgotten is None or forgotten.default_allowed
    winner_allowed = forgotten is None or forgotten.winner_allowed
    p_value = None
    if winner is not None and winner_allowed:
        p_value = paired_p_value(
            winner.correct[split],
            evidence.default.correct[split],
            resamples=confirmation.resamples,
            seed=derive_seed(seed, split.value, IMPROVEMENT),
            weights=weights,
            prior=priors.get(f"{split.value}/{IMPROVEMENT}"),
        )
        if basis is not None:
            p_value = p_value_of_all(p_value, correlations(basis.looks, basis.seed_share))
    return Judgement(
        verdict=decide(
            decisive,
            min_improvement=confirmation.min_improvement,
            default_allowed=default_allowed,
            winner_allowed=winner_allowed,
        ),
        evidence=evidence,
        confirmation=gains,
        test=compare(evidence, Split.TEST, on_test, weights=evidence.weights.of(Split.TEST)),
        decisive=decisive,
        aims=aims,
        confidence=bootstrap.confidence,
        p_beats_default=p_value,
        forgotten=forgotten,
        basis=basis,
    )


def _forgotten(evidence: Evidence, limit: float | None, bootstrap: Bootstrap) -> ForgettingCheck | None:
    if limit is None:
        return None
    split = Split.CONFIRMATION

    def forgetting(arm: Arm) -> Interval:
        name, own, local = str(arm.setting), evidence.own[split], evidence.local[split]
        return bootstrap.interval(own, arm.correct[split], "forgotten", name, weights=local)

    winner = None if evidence.winner is None else forgetting(evidence.winner)
    return ForgettingCheck(limit=limit, default=forgetting(evidence.default), winner=winner)


def objective_weights(aims: Objective, evidence: Evidence, split: Split) -> Weights | None:
    """Return the weight of each example for an objective; None if all count 1.

    A gain is measured with the weights of the target distribution. `gain_local` has a plus where forgetting
    has a minus: what a student forgets is local accuracy it loses. That is so whatever the target is, and a
    sum of two means over the same examples has the sum of their weights.
    """
    target = evidence.weights.of(split)
    match aims.objective:
        case "gain":
            return target
        case "gain_local":
            return evidence.local[split]
        case "gain_minus_forgetting":
            return (1 if target is None else target) + evidence.local[split]


def described(setting: Setting) -> str:
    """Return a setting in words; one without a teacher is called fine-tuning."""
    if setting.alpha == 0:
        return f"fine-tuning on {setting.transfer_set}{plain(setting).more} (α = 0: the teacher is not used)"
    return str(setting)
