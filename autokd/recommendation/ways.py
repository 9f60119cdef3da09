"""The ways that the owner of a student has, from what was measured of a pair and of its reverse pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from autokd.config.study import StudyConfig
from autokd.core.participant_names import ParticipantNames
from autokd.core.records import Correctness, FederationFacts
from autokd.core.setting import AnyPair, Pair, Position, Split, TransferSet, plain
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER, SINGLE_TEACHER
from autokd.recommendation.comparisons import COMPARISONS
from autokd.recommendation.decision import Action, Way
from autokd.recommendation.evidence import AVERAGED, CORRECTED, JUDGED, OWN, Arm
from autokd.recommendation.judgement import Judgement
from autokd.recommendation.position import PositionAdvice
from autokd.recommendation.race import DEFAULT_ARM, WINNER, teaching
from autokd.statistics.paired import Interval

_NAMES: Final = {
    WINNER: "the search's setting",
    DEFAULT_ARM: "the default setting",
    DEFAULT_BUDGET: "the default, best budget",
    NO_TEACHER: "without a teacher",
    SINGLE_TEACHER: "the best single teacher",
}
_GAINS: Final = {each.first: name for name, each in COMPARISONS.items() if each.second == OWN}
"""By arm, the comparison that tells its gain."""
_EXAMPLES: Final[Mapping[TransferSet, str]] = {
    TransferSet.STUDENT: "its own examples",
    TransferSet.TEACHER: "the examples of {others}",
    TransferSet.BOTH: "its own examples and those of {others}",
    TransferSet.PUBLIC: "public examples",
    TransferSet.STUDENT_PUBLIC: "its own and public examples",
    TransferSet.VALIDATION: "validation examples",
}
"""Transfer sets as the owner calls them whose model trains."""
_PARTNERS_DATA: Final[Mapping[Position, frozenset[TransferSet]]] = {
    Position.STUDENT: frozenset({TransferSet.TEACHER, TransferSet.BOTH}),
    Position.TEACHER: frozenset({TransferSet.STUDENT, TransferSet.STUDENT_PUBLIC, TransferSet.BOTH}),
}
"""By the owner's position, the transfer sets that hold the partner's private data."""


def ways(
    config: StudyConfig,
    federation: FederationFacts,
    pair: AnyPair,
    judgement: Judgement | None,
    reverse: Judgement | None,
    position: PositionAdvice | None = None,
) -> Iterator[Way]:
    """Yield what the owner of the student of a pair or group can do.

    What a study forbids, or what forgets more than it allows, is left out.

    Args:
        judgement: Judgement of the pair; None if there is none.
        reverse: Judgement of the reverse pair, whose student is the partner; None if there is
            none.
        position: Gains that are told of a pair's ways without training and of its reverse pair, if known.
    """
    student, names = federation.participants[pair.student], config.federation.names
    excluded = frozenset[str]() if judgement is None else judgement.excluded
    initial = None if judgement is None or not student.is_untrained else judgement.evidence
    yield Way(
        action=Action.KEEP,
        name="as it is",
        words="keep the model as it is",
        correct=_judged(student.correct if initial is None else initial.own),
        seeds=() if initial is None else initial.seeds,
    )
    if student.corrected and CORRECTED not in excluded:
        yield Way(
            action=Action.CORRECT,
            name="prior divided out",
            words="divide the model's label prior out; nothing is trained",
            correct=_judged(student.corrected),
            told=_told(_gain(judgement, CORRECTED) or _of(position, "by_correction")),
        )
    if judgement is not None:
        for name, arm in judgement.evidence.arms.items():
            how = (Position.STUDENT, config.distillation.epochs)
            gain = _gain(judgement, name)
            way = _trained(_NAMES[name], arm, judgement, pair, names, *how, gain=gain)
            forbidden = way.action is Action.LEARN and "student" in config.forbid.positions
            if name not in excluded and not forbidden:
                yield way
    if isinstance(pair, Pair):
        yield from _of_the_partner(config, federation, pair, reverse, position)
    elif judgement is not None and judgement.evidence.averaged is not None and AVERAGED not in excluded:
        yield Way(
            action=Action.AVERAGE,
            name=f"all {len(pair.meeting)} models averaged",
            words=f"average the answers of all {len(pair.meeting)} models, their label priors divided out",
            correct=_judged(judgement.evidence.averaged),
            told=_told(_gain(judgement, AVERAGED)),
        )


def _gain(judgement: Judgement | None, arm: str) -> Interval | None:
    """Return the gain on test that a judgement tells of one of its arms."""
    return None if judgement is None else judgement.test.intervals.get(_GAINS.get(arm, ""))


def _of(position: PositionAdvice | None, option: str) -> Interval | None:
    """Return the gain on test that a position advice tells of one of its options."""
    gain: Interval | None = None if position is None else getattr(position.test, option)
    return gain


def _told(on_test: Interval | None) -> Mapping[Split, Interval]:
    return {} if on_test is None else {Split.TEST: on_test}


def _of_the_partner(
    config: StudyConfig,
    federation: FederationFacts,
    pair: Pair,
    reverse: Judgement | None,
    position: PositionAdvice | None,
) -> Iterator[Way]:
    """Yield the ways that end with the partner's model."""
    partner, names = federation.participants[pair.teacher], config.federation.names
    partner_name = names.word(pair.teacher)
    if reverse is not None and "teacher" not in config.forbid.positions:
        name = f"model {partner_name}, taught by {names.word(pair.student)}"
        how = (Position.TEACHER, config.distillation.epochs)
        yield _trained(name, reverse.shown, reverse, pair, names, *how, gain=_of(position, "as_teacher"))
    if federation.participants[pair.student].is_untrained:
        return  # Whoever wants another network than the partner's does not adopt that.
    yield Way(
        action=Action.ADOPT,
        name=f"model {partner_name} as it is",
        words=f"take the model of participant {partner_name} as it is",
        correct=_judged(partner.correct),
        told=_told(_of(position, "by_adoption")),
    )
    if partner.corrected:
        yield Way(
            action=Action.ADOPT,
            name=f"model {partner_name}, prior divided out",
            words=f"take the model of participant {partner_name} with its label prior divided out",
            correct=_judged(partner.corrected),
            told=_told(_of(position, "by_corrected_adoption")),
        )


def _participants(numbers: Sequence[int], names: ParticipantNames) -> str:
    return f"participant{'s' if len(numbers) > 1 else ''} {', '.join(map(names.word, numbers))}"


def _judged(correct: Mapping[Split, Correctness]) -> Mapping[Split, Correctness]:
    return {split: correct[split] for split in JUDGED}


def _trained(
    name: str,
    arm: Arm,
    judgement: Judgement,
    pair: AnyPair,
    names: ParticipantNames,
    position: Position,
    epochs: int,
    *,
    gain: Interval | None,
) -> Way:
    """Return the way of a trained arm for the owner of the pair's student.

    Args:
        judgement: Judgement of the pair; of its reverse, if the owner's position is teacher.
        gain: What is told of its gain on test.
    """
    seeds, setting = judgement.evidence.seeds, arm.setting
    how = f"with {setting}"
    if setting.alpha == 0:
        others = (pair.student,) if position is Position.TEACHER else pair.teachers
        examples = _EXAMPLES[setting.transfer_set].format(others=_participants(others, names))
        how = f"on {examples}{plain(setting).more}"
    if position is Position.TEACHER:
        action = Action.LET_PARTNER_LEARN
        words = f"let participant {names.word(pair.teachers[0])} train {how}, and take the model that results"
    elif setting.alpha == 0:
        action, words = Action.TRAIN_ALONE, f"train without a teacher {how}"
    else:
        teachers = teaching(pair, setting)
        action, words = Action.LEARN, f"learn from {_participants(teachers, names)} {how}"
    return Way(
        action=action,
        name=name,
        words=words,
        correct=arm.correct,
        pair=pair.reverse if position is Position.TEACHER and isinstance(pair, Pair) else pair,
        seeds=seeds if arm.rows is None else tuple(seeds[row] for row in arm.rows),
        setting=setting,
        epochs=setting.epochs or epochs,
        moves_data=setting.transfer_set in _PARTNERS_DATA[position],
        told=_told(gain),
    )
