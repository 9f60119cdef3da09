"""The position of one participant: learn from the partner, teach it and adopt the result, or neither.

For participant s with partner t, and acc(·) on one split common to all:

    gain as student    acc(run t->s) - acc(s)
    gain as teacher    acc(run s->t) - acc(s)      s adopts the model that results
    gain by adoption   acc(t) - acc(s)             s takes the partner's model as it is

By rule 3 each model as it is has a rival that takes no training either: itself with its label prior divided
out.

For both participants together

    as_student_s(t) - as_teacher_t(s) = acc(t) - acc(s) = as_teacher_s(t) - as_student_t(s)

which is the identity of the poster's tables. It holds here since both participants use the same runs, and as
long as both are judged by one target distribution.

Each participant asks this question for itself, so all of its figures are on its own target distribution.
Where the target is `own`, the partner judges the run s->t by another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import Position, Split
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.judgement import Judgement
from autokd.statistics.paired import Interval


class Advice(StrEnum):
    """Which of the meeting's two pairs a participant should use."""

    STUDENT = "student"
    TEACHER = "teacher"
    NONE = "none"
    """Neither; `why` says whether adopting the partner's model as it is would gain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Gain of each option on one split, in pp of the participant; None if it is not known.

    Attributes:
        by_correction: Gain of its own model with the label prior divided out.
        by_corrected_adoption: Gain of the partner's model with the partner's label prior divided out.
    """

    as_student: Interval | None
    as_teacher: Interval | None
    by_adoption: Interval
    by_correction: Interval | None = None
    by_corrected_adoption: Interval | None = None

    def to_json(self) -> dict[str, dict[str, float] | None]:
        """Return the gains by their names; those of corrected models only by rule 3."""
        gains = {name: getattr(self, name) for name in ("as_student", "as_teacher", "by_adoption")}
        later = {name: getattr(self, name) for name in ("by_correction", "by_corrected_adoption")}
        gains |= {name: gain for name, gain in later.items() if gain is not None}
        return {f"gain_{name}": None if gain is None else gain.to_json() for name, gain in gains.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAdvice:
    """The advice with its figures.

    Attributes:
        confirmation: Options on the split where the advice was decided.
        test: Options on the split where it is reported.
    """

    advice: Advice
    confirmation: Options
    test: Options
    why: str

    def to_json(self) -> dict[str, object]:
        """Return the means on test, and intervals and the decisive figures beside them."""
        test = self.test.to_json()
        return {
            "advice": self.advice.value,
            **{name: None if gain is None else gain["mean"] for name, gain in test.items()},
            "why": self.why,
            "intervals": test,
            "decided_on": {"split": Split.CONFIRMATION.value, **self.confirmation.to_json()},
        }


def advise(
    own: Mapping[Split, Correctness],
    partner: Mapping[Split, Correctness],
    *,
    as_student: Judgement | None,
    as_teacher: Judgement | None,
    bootstrap: Bootstrap,
    weights: ExampleWeights = EVEN,
    forbidden: Collection[Position] = (),
    own_corrected: Mapping[Split, Correctness] | None = None,
    partner_corrected: Mapping[Split, Correctness] | None = None,
    only_learns: bool = False,
) -> PositionAdvice:
    """Return the position of s in its meeting with t, decided on confirmation and reported on test.

    An option that needs training must be shown to beat both models as they are:

        student   the verdict of t->s is `tuned` or `default` (it beats s's own model), and if the
                  partner's model is the better one, low(run t->s - t) > 0
        teacher   the verdict of s->t is `tuned` or `default` (it beats the partner's model), and
                  low(run s->t - s) > 0

    Where t's target is another one than s's, its verdict does not say that the run beats t's model on s's.
    So if the partner's model is the better one there, low(run s->t - t) > 0 on s's target is wanted, too.
    By rule 3 the corrected model of each has to be beaten as well, as the model as it is.

    If both pass, the one with the higher mean on confirmation is advised, the student's on a tie. A position
    that the study forbids is shown if its gain is known, and never advised.

    Args:
        own: Correctness of s's model as it is, by split, shape (examples,); `partner` is that of t's.
        own_corrected: Correctness of s's model with its label prior divided out; None before rule 3. So is
            `partner_corrected`.
        as_student: Judgement of the pair t->s; None if there is none.
        as_teacher: Judgement of the pair s->t; None if there is none.
        weights: Weights of the examples on s's target distribution.
        only_learns: Whether s is untrained: it neither teaches nor adopts, so t's model need not be beaten.
    """

    def interval(name: str, split: Split, judgement: Judgement, fixed: Correctness) -> Interval:
        return judgement.shown_beside(fixed, bootstrap, split, split.value, name, weights=weights)

    def options(split: Split) -> Options:
        return Options(
            as_student=None if as_student is None else as_student.gain(split),
            as_teacher=None if as_teacher is None else interval("teacher", split, as_teacher, own[split]),
            by_adoption=bootstrap.interval(
                partner[split], own[split], split.value, "adoption", weights=weights.of(split)
            ),
            by_correction=fixed("correction", split, own_corrected),
            by_corrected_adoption=fixed("corrected adoption", split, partner_corrected),
        )

    def fixed(name: str, split: Split, model: Mapping[Split, Correctness] | None) -> Interval | None:
        if model is None:
            return None
        return bootstrap.interval(model[split], own[split], split.value, name, weights=weights.of(split))

    def beats(name: str, judgement: Judgement, model: Mapping[Split, Correctness] | None) -> bool:
        return model is None or interval(name, split, judgement, model[split]).low > 0

    split = Split.CONFIRMATION
    confirmation = options(split)
    passed: dict[Advice, Interval] = {}
    if as_student is not None and as_student.verdict.answer != "as-is":
        better = {
            "student beyond partner": (confirmation.by_adoption, partner),
            "student beyond corrected partner": (confirmation.by_corrected_adoption, partner_corrected),
        }
        if only_learns or all(
            gain is None or gain.mean <= 0 or beats(name, as_student, model)
            for name, (gain, model) in better.items()
        ):
            passed[Advice.STUDENT] = as_student.gain(split)
    if as_teacher is not None and as_teacher.verdict.answer != "as-is":
        adopted = confirmation.as_teacher
        beats_partner = (
            as_teacher.weights.same_as(weights)
            or confirmation.by_adoption.mean <= 0
            or interval("teacher beyond partner", split, as_teacher, partner[split]).low > 0
        )
        beats_corrected = beats("teacher beyond corrected", as_teacher, own_corrected)
        if adopted is not None and adopted.low > 0 and beats_partner and beats_corrected:
            passed[Advice.TEACHER] = adopted
    for position in forbidden:
        passed.pop(Advice(position.value), None)
    advice = max(passed, key=lambda option: passed[option].mean, default=Advice.NONE)
    why = _why_of_the_untrained(passed) if only_learns else _why(advice, passed, confirmation)
    why += "".join(f"; the study forbids position {position}" for position in forbidden)
    return PositionAdvice(advice=advice, confirmation=confirmation, test=options(Split.TEST), why=why)


def _why_of_the_untrained(passed: Mapping[Advice, Interval]) -> str:
    gain = passed.get(Advice.STUDENT)
    if gain is None:
        return "no training is shown to beat the untrained model, which only learns"
    return f"as student it gains {gain} on confirmation; an untrained model only learns"


def _why(advice: Advice, passed: Mapping[Advice, Interval], options: Options) -> str:
    if advice is Advice.NONE:
        free = {
            "adopting the partner's model as it is": options.by_adoption,
            "adopting the partner's model with its label prior divided out": options.by_corrected_adoption,
            "dividing out the own model's label prior": options.by_correction,
        }
        shown = {name: gain for name, gain in free.items() if gain is not None and gain.low > 0}
        if shown:
            name = max(shown, key=lambda name: shown[name].mean)
            return f"{name} gains {shown[name]} on confirmation, and no training is shown to beat that"
        untried = "" if options.as_teacher is not None else "; nothing is known of the position of teacher"
        return f"no position is shown to beat both models as they are on confirmation{untried}"
    gain = f"as {advice.value} it gains {passed[advice]} on confirmation"
    other = Advice.TEACHER if advice is Advice.STUDENT else Advice.STUDENT
    if other in passed:
        return f"{gain}, as {other.value} {passed[other]}"
    figure = options.as_teacher if other is Advice.TEACHER else options.as_student
    if figure is None:
        return f"{gain}; nothing is known of the position of {other.value}"
    return f"{gain}; as {other.value} ({figure}) it is not shown to beat both models as they are"
