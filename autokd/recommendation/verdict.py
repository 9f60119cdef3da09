"""The verdict of a pair, decided on the confirmation split by one rule on three intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from autokd.config.study import ConfirmationConfig, Objective
from autokd.core.setting import Setting, Split, derive_seed
from autokd.recommendation.evidence import Arm, Evidence
from autokd.recommendation.race import ANY
from autokd.statistics.paired import (
    Interval,
    Weights,
    paired_interval,
    paired_p_value,
    variance_components,
)

RULE: Final = 1
"""Version of the verdict's rule that new studies get; a study keeps the version that it was created with."""


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
        winner_gain: Winner minus as-is; None if the default stands alone.
        improvement: Winner minus default, paired by seed; None likewise.
    """

    default_gain: Interval
    winner_gain: Interval | None = None
    improvement: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What the arms forgot on confirmation, in pp, where the plan has a limit to it.

    An arm is allowed if its mean keeps the limit: with some hundred examples an interval is wider than most
    limits, so to ask for more would reject nearly every setting, and to ask for less none. The interval
    says how sure it is.
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
    """A verdict with what it rests on.

    Attributes:
        confirmation: Gains on the split where it was decided.
        test: The same comparisons where they are reported.
        decisive: What was decided on: the gains of `confirmation`, or what the plan's objective makes of
            the same runs.
        confidence: Of the intervals on confirmation.
        p_beats_default: How likely the winner would look this much better than the default if it were not;
            None if there is no winner that is allowed.
        forgotten: None where the plan has no limit to it.
        rule: Version of the rule that decided.
    """

    verdict: Verdict
    evidence: Evidence
    confirmation: Figures
    test: Figures
    decisive: Figures
    aims: Objective
    confidence: float
    p_beats_default: float | None
    forgotten: Forgotten | None
    rule: int = RULE

    @property
    def shown(self) -> Arm:
        """The arm whose figures stand for the pair: the default where that is the answer, else the winner."""
        winner = self.evidence.winner
        return self.evidence.default if self.verdict is Verdict.DEFAULT or winner is None else winner

    def figures(self, split: Split) -> Figures:
        """On confirmation or test."""
        return self.test if split is Split.TEST else self.confirmation

    def gain(self, split: Split) -> Interval:
        """Of the arm shown, on confirmation or test."""
        figures = self.figures(split)
        if self.shown is self.evidence.default or figures.winner_gain is None:
            return figures.default_gain
        return figures.winner_gain

    def single_run(self, confidence: float) -> Interval:
        """What one further run of the arm shown would gain, by its runs on test; a user gets one model."""
        gain = self.gain(Split.TEST).mean
        spread = variance_components(self.shown.correct[Split.TEST], self.evidence.own[Split.TEST])
        reach = spread.single_run(confidence)
        return Interval(gain, gain - reach, gain + reach)


def decide(
    figures: Figures, *, min_improvement: float, default_allowed: bool = True, winner_allowed: bool = True
) -> Verdict:
    """The rule; of two that hold, the one named first counts.

        skip       high(winner - as-is) < min_improvement and high(default - as-is) < min_improvement
        tuned      low(winner - default) > 0 and low(winner - as-is) > 0
        default    low(default - as-is) > 0
        undecided  otherwise

    Where the default stands alone, what is said of the winner is left out and `tuned` cannot come. What is
    said of an arm that is not allowed is left out likewise: it is no answer, and no rival.

    Args:
        figures: On the confirmation split.
        min_improvement: In pp; a smaller gain is not worth a distillation, however surely it is there.
        default_allowed: Whether the default keeps the plan's constraints.
        winner_allowed: Likewise.
    """
    default = figures.default_gain if default_allowed else None
    gain = figures.winner_gain if winner_allowed else None
    if all(one.high < min_improvement for one in (default, gain) if one is not None):
        return Verdict.SKIP
    if gain is not None and gain.low > 0:
        improvement = figures.improvement
        if default is None or (improvement is not None and improvement.low > 0):
            return Verdict.TUNED
    return Verdict.DEFAULT if default is not None and default.low > 0 else Verdict.UNDECIDED


def compare(
    evidence: Evidence,
    split: Split,
    plan: ConfirmationConfig,
    *,
    seed: int,
    confidence: float | None = None,
    weights: Weights | None = None,
) -> Figures:
    """The three comparisons on `split`.

    Args:
        evidence: Of one pair.
        split: Confirmation or test.
        plan: Confidence and resamples.
        seed: Of the bootstrap.
        confidence: In place of the plan's.
        weights: Of the examples; see `paired_interval`.
    """

    def interval(name: str, first: Arm, second: Arm | None) -> Interval:
        return paired_interval(
            first.correct[split],
            evidence.own[split] if second is None else second.correct[split],
            confidence=confidence or plan.confidence,
            resamples=plan.resamples,
            seed=derive_seed(seed, split.value, name),
            weights=weights,
        )

    default_gain = interval("default gain", evidence.default, None)
    if evidence.winner is None:
        return Figures(default_gain=default_gain)
    return Figures(
        default_gain=default_gain,
        winner_gain=interval("winner gain", evidence.winner, None),
        improvement=interval("improvement", evidence.winner, evidence.default),
    )


def judge(
    evidence: Evidence,
    plan: ConfirmationConfig,
    *,
    seed: int,
    aims: Objective = ANY,
    confidence: float | None = None,
) -> Judgement:
    """Decide on confirmation, and work out the gains on test, too; those have no say.

    Args:
        evidence: Of one pair; with `local` weights, unless only gain counts and nothing is forbidden.
        plan: Confidence, resamples and `min_improvement`.
        seed: Of the bootstrap.
        aims: What settings are wanted for, and what they must keep.
        confidence: On confirmation, in place of the plan's.
    """
    confidence = confidence or plan.confidence
    split = Split.CONFIRMATION
    weights = objective_weights(aims, evidence.local, split)
    gains = compare(evidence, split, plan, seed=seed, confidence=confidence)
    decisive = gains
    if weights is not None:
        decisive = compare(evidence, split, plan, seed=seed, confidence=confidence, weights=weights)
    forgotten = _forgotten(evidence, plan, aims, seed=seed, confidence=confidence)
    winner, p_value = evidence.winner, None
    if winner is not None and (forgotten is None or forgotten.winner_allowed):
        p_value = paired_p_value(
            winner.correct[split],
            evidence.default.correct[split],
            resamples=plan.resamples,
            seed=derive_seed(seed, split.value, "improvement"),
            weights=weights,
        )
    return Judgement(
        verdict=decide(
            decisive,
            min_improvement=plan.min_improvement,
            default_allowed=forgotten is None or forgotten.default_allowed,
            winner_allowed=forgotten is None or forgotten.winner_allowed,
        ),
        evidence=evidence,
        confirmation=gains,
        test=compare(evidence, Split.TEST, plan, seed=seed),
        decisive=decisive,
        aims=aims,
        confidence=confidence,
        p_beats_default=p_value,
        forgotten=forgotten,
    )


def _forgotten(
    evidence: Evidence, plan: ConfirmationConfig, aims: Objective, *, seed: int, confidence: float
) -> Forgotten | None:
    limit = aims.constraints.limit
    if limit is None:
        return None

    def lost(arm: Arm) -> Interval:
        return paired_interval(
            evidence.own[Split.CONFIRMATION],
            arm.correct[Split.CONFIRMATION],
            confidence=confidence,
            resamples=plan.resamples,
            seed=derive_seed(seed, "forgotten", str(arm.setting)),
            weights=evidence.local[Split.CONFIRMATION],
        )

    winner = None if evidence.winner is None else lost(evidence.winner)
    return Forgotten(limit=limit, default=lost(evidence.default), winner=winner)


def objective_weights(aims: Objective, local: Mapping[Split, Weights], split: Split) -> Weights | None:
    """Return the weight of each example for an objective; None if all count 1.

    `gain_local` has a plus where forgetting has a minus: what a student forgets is local accuracy it loses.
    """
    match aims.objective:
        case "gain":
            return None
        case "gain_local":
            return local[split]
        case "gain_minus_forgetting":
            return 1 + local[split]


def described(setting: Setting) -> str:
    """A setting in words; without a teacher's part it is called what it is."""
    if setting.alpha == 0:
        return f"fine-tuning on {setting.transfer_set} (α = 0: the teacher is not used)"
    return str(setting)
