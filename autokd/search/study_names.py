"""Which studies there are: the name of a pair's study, and the meetings that a list of pairs comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autokd.config.base import content_hash
from autokd.config.space import Space
from autokd.config.study import Objective, StudyConfig
from autokd.core.setting import Pair


def study_name(federation: str, plan: StudyConfig, space: Space, pair: Pair) -> str:
    """`<federation>/<plan>/4->9`, both parts with a short content hash.

    The plan's hash holds what decides the runs of a study: recipe, early stopping and space. What only says
    how much to do (trials, seeds of the confirmation) is left out, so that it may be raised later. Objective
    and constraints decide what is searched for and answered, so they belong to it where there are any.
    """
    dimensions = space.model_dump(mode="json", exclude={"name", "position"})
    aims = [] if plan.aims == Objective() else [plan.aims]
    digest = content_hash(plan.distillation, plan.search.stopping, dimensions, *aims)
    return f"{federation}/{plan.name}-{space.name}-{digest}/{pair}"


def same_search(one: str, other: str) -> bool:
    """Whether two studies, by name, have the same recipe, early stopping and space."""
    return _digest(one) == _digest(other)


def _digest(study: str) -> str:
    plan = study.rpartition("/")[0].rpartition("/")[2]
    return plan.rpartition("-")[2]


def namesakes(studies: Iterable[str], plan: StudyConfig, space: Space, pair: Pair) -> tuple[str, ...]:
    """Of some studies, by name, those of a pair whose federation, plan and space have these names.

    Their hashes are left out of it: these are what the study was, is or will be, whatever its recipes say.
    """
    wanted = (plan.federation.name, f"{plan.name}-{space.name}", str(pair))
    return tuple(study for study in studies if _without_hashes(study) == wanted)


def _without_hashes(study: str) -> tuple[str, str, str]:
    federation, plan, pair = study.rsplit("/", 2)
    return federation.rpartition("-")[0], plan.rpartition("-")[0], pair


def sweep_name(federation: str, plan: StudyConfig, pair: Pair) -> str:
    """Where a pair's swept runs are kept: apart from its searches, whatever their space or early stopping."""
    return f"{federation}/{plan.name}-sweep-{content_hash(plan.distillation)}/{pair}"


def rivals_name(federation: str, plan: StudyConfig, pair: Pair) -> str:
    """Where the runs of a pair's rivals are kept; they depend on no space, so all spaces share them."""
    return f"{federation}/{plan.name}-rivals-{content_hash(plan.distillation)}/{pair}"


def meetings_of(space: Space, pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], ...]:
    """The searched pairs of each meeting, as the space's positions have it, in the order of what was asked.

    A pair that was asked for from both sides stands there once.
    """
    meetings: dict[frozenset[int], dict[Pair, None]] = {}
    for pair in pairs:
        meetings.setdefault(pair.meeting, {}).update(dict.fromkeys(space.pairs(pair)))
    return tuple(tuple(meeting) for meeting in meetings.values())
