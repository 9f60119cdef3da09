"""The verdict of a pair, decided on the confirmation split by one rule on three intervals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autokd.plan import ConfirmationRecipe
from autokd.recommendation.evidence import Arm, Evidence
from autokd.recommendation.statistics import Interval, paired_interval
from autokd.setting import Setting, Split, derive_seed


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A verdict with what it rests on.

    Attributes:
        confirmation: Where it was decided.
        test: The same comparisons where they are reported.
    """

    verdict: Verdict
    evidence: Evidence
    confirmation: Figures
    test: Figures

    @property
    def shown(self) -> Arm:
        """The arm whose figures stand for the pair: the default where that is the answer, else the winner."""
        winner = self.evidence.winner
        return self.evidence.default if self.verdict is Verdict.DEFAULT or winner is None else winner

    def gain(self, split: Split) -> Interval:
        """Of the arm shown, on confirmation or test."""
        figures = self.test if split is Split.TEST else self.confirmation
        if self.shown is self.evidence.default or figures.winner_gain is None:
            return figures.default_gain
        return figures.winner_gain


def decide(figures: Figures, *, min_improvement: float) -> Verdict:
    """The rule; of two that hold, the one named first counts.

        skip       high(winner - as-is) < min_improvement and high(default - as-is) < min_improvement
        tuned      low(winner - default) > 0 and low(winner - as-is) > 0
        default    low(default - as-is) > 0
        undecided  otherwise

    Where the default stands alone, what is said of the winner is left out and `tuned` cannot come.

    Args:
        figures: On the confirmation split.
        min_improvement: In pp; a smaller gain is not worth a distillation, however surely it is there.
    """
    gain, default, improvement = figures.winner_gain, figures.default_gain, figures.improvement
    if default.high < min_improvement and (gain is None or gain.high < min_improvement):
        return Verdict.SKIP
    if gain is not None and improvement is not None and improvement.low > 0 and gain.low > 0:
        return Verdict.TUNED
    return Verdict.DEFAULT if default.low > 0 else Verdict.UNDECIDED


def compare(evidence: Evidence, split: Split, plan: ConfirmationRecipe, *, seed: int) -> Figures:
    """The three comparisons on `split`; `seed` is the bootstrap's."""

    def interval(name: str, first: Arm, second: Arm | None) -> Interval:
        return paired_interval(
            first.correct[split],
            evidence.own[split] if second is None else second.correct[split],
            confidence=plan.confidence,
            resamples=plan.resamples,
            seed=derive_seed(seed, split.value, name),
        )

    default_gain = interval("default gain", evidence.default, None)
    if evidence.winner is None:
        return Figures(default_gain=default_gain)
    return Figures(
        default_gain=default_gain,
        winner_gain=interval("winner gain", evidence.winner, None),
        improvement=interval("improvement", evidence.winner, evidence.default),
    )


def judge(evidence: Evidence, plan: ConfirmationRecipe, *, seed: int) -> Judgement:
    """Decide on confirmation, and work out the same figures on test; those have no say.

    Args:
        evidence: Of one pair.
        plan: Confidence, resamples and `min_improvement`.
        seed: Of the bootstrap.
    """
    confirmation = compare(evidence, Split.CONFIRMATION, plan, seed=seed)
    return Judgement(
        verdict=decide(confirmation, min_improvement=plan.min_improvement),
        evidence=evidence,
        confirmation=confirmation,
        test=compare(evidence, Split.TEST, plan, seed=seed),
    )


def described(setting: Setting) -> str:
    """A setting in words; without a teacher's part it is called what it is."""
    if setting.alpha == 0:
        return f"fine-tuning on {setting.transfer_set} (α = 0: the teacher is not used)"
    return str(setting)
