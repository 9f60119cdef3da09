"""One decision for a participant, over all its pairs: an owner has one model, not one for each partner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from autokd.config.target import ClassShares, TargetName, target_json
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.setting import Group, Pair, Split, derive_seed
from autokd.errors import NotTuned
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.decision import Action, Decision, Way, decide
from autokd.recommendation.recommendation import Recommendation

_OF_THE_OWNER: Final = (Action.KEEP, Action.CORRECT)
"""Actions that are the same in every pair of a participant."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParticipantDecision:
    """What a participant's owner should do.

    Attributes:
        partners: Partners whose pairs were weighed.
        groups: Groups that were weighed beside them.
        unknown: Partners without a recommendation.
        choices: Number of ways among which the best was chosen.
        target: Class distribution that all figures are on.
        names: Names of the federation's participants.
    """

    student: int
    decision: Decision
    partners: tuple[int, ...]
    unknown: tuple[int, ...]
    choices: int
    groups: tuple[Group, ...] = ()
    target: TargetName | ClassShares = "common"
    names: ParticipantNames = NUMBERS_ONLY

    def to_json(self) -> dict[str, object]:
        """Return what `autokd advise --json` prints of a participant."""
        return {
            "student": self.student,
            **({"name": self.names.name(self.student) or None} if self.names else {}),
            "decision": self.decision.to_json(),
            "chosen_among": self.choices,
            "partners": list(self.partners),
            **({"groups": [group.to_json() for group in self.groups]} if self.groups else {}),
            "unknown": list(self.unknown),
            **target_json(self.target),
        }


def decide_for(
    student: int, recommendations: Sequence[Recommendation], *, unknown: Iterable[int] = ()
) -> ParticipantDecision:
    """Choose among all that a participant can do with all its partners.

    Of each action the way with the best mean on confirmation is weighed, with one's own data and with
    others'. The intervals are corrected for the number of all ways, and the gain is told from test.

    Args:
        recommendations: Recommendations of the pairs and groups in which the participant learns.
        unknown: Partners without a recommendation.

    Raises:
        NotTuned: If there is no recommendation.
    """
    if not recommendations:
        way_out = f"autokd tune --student {student}"
        raise NotTuned(f"participant {student} has no partner with a recommendation; run {way_out}")
    first = recommendations[0]
    everything = [way for each in recommendations for way in _named(each)]
    own = {way.action: way for way in everything if way.action in _OF_THE_OWNER}
    others = [way for way in everything if way.action not in _OF_THE_OWNER]
    weights, split = first.student.weights, Split.CONFIRMATION
    best: dict[tuple[Action, bool], Way] = {}
    for way in sorted(others, key=lambda way: way.simplicity):
        kind = way.action, way.moves_data
        accuracy = weights.accuracy(way.correct[split], split)
        if kind not in best or accuracy > weights.accuracy(best[kind].correct[split], split):
            best[kind] = way
    choices = len(own) + len(others)
    judged = [each.judgement for each in recommendations if each.judgement is not None]
    wanted = "; ".join(
        f"{each.names.arrow(each.pair)}: {each.what_would_decide}"
        for each in recommendations
        if each.what_would_decide
    )
    decision = decide(
        (*own.values(), *best.values()),
        Bootstrap.of(
            first.confirmation,
            derive_seed(first.federation, "participant", student),
            priors=max((judgement.priors for judgement in judged), key=len, default=None),
        ),
        weights=weights,
        min_improvement=first.confirmation.min_improvement,
        wanted=wanted,
        choices=choices,
    )
    return ParticipantDecision(
        student=student,
        decision=decision,
        partners=tuple(each.pair.teacher for each in recommendations if isinstance(each.pair, Pair)),
        groups=tuple(each.pair for each in recommendations if isinstance(each.pair, Group)),
        unknown=tuple(unknown),
        choices=choices,
        target=first.target,
        names=first.names,
    )


def _named(recommendation: Recommendation) -> list[Way]:
    """Return a pair's ways with names that tell its partner from the others."""
    pair = recommendation.pair
    return [
        replace(way.way, name=f"{way.way.name}, {recommendation.names.arrow(pair)}")
        if way.way.pair == pair
        else way.way
        for way in recommendation.decision.weighed
    ]
