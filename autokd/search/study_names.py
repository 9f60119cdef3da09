"""Names of the studies in the store, and the meetings of a list of pairs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from secrets import token_hex
from typing import Final, NamedTuple

from autokd.config.base import content_hash
from autokd.config.federation import AnyFederation
from autokd.config.objective import Objective
from autokd.config.space import Space, group_space
from autokd.config.study import StudyConfig
from autokd.core.pair import AnyPair, Group, Pair, parse_key

_PREPARES: Final = "preparation"
_ALL: Final = "all"


class Held(NamedTuple):
    """What a driver does: the command, and the pair; None for all pairs of the federation, and for a group
    whose candidates its name does not hold.
    """

    command: str
    pair: AnyPair | None


def study_name(federation: str, config: StudyConfig, space: Space, pair: AnyPair) -> str:
    """Return `<federation>/<recipe>/4->9`; federation and recipe end in a short content hash.

    The last part is the pair's or group's `key`, such as `{0,3,7}->9`. A group's space is that of groups.

    The recipe's hash covers what decides the runs of a study and the accuracies stored with them:
    distillation, early stopping and space, and objective, constraints and target if they are not the default
    ones. What only says how much to do (trials, seeds of the confirmation) is left out, so that it can be
    raised later.
    """
    of_groups: list[object] = []
    if isinstance(pair, Group):
        # Which parts of a chain may teach is the group's own, and its study holds it.
        space, of_groups = group_space(space, config, ("",)), [{"several": config.several.most}]
    dimensions = space.model_dump(mode="json", exclude={"name", "position"})
    aims = [] if config.aims == Objective() else [config.aims]
    digest = content_hash(
        config.distillation, config.search.stopping, dimensions, *aims, *_target_of(config), *of_groups
    )
    return f"{federation}/{config.name}-{space.name}-{digest}/{pair.key}"


def same_search(first: str, second: str) -> bool:
    """Return by their names whether two studies have the same distillation, early stopping, space, objective
    and target.
    """
    digests = {study.rpartition("/")[0].rpartition("-")[2] for study in (first, second)}
    return len(digests) == 1


def namesakes(studies: Iterable[str], config: StudyConfig, space: Space) -> dict[str, tuple[str, ...]]:
    """Return the studies with these names of federation, recipe and space, whatever the hashes, by pair."""
    wanted = [config.federation.name, f"{config.name}-{space.name}"]
    by_pair: dict[str, tuple[str, ...]] = {}
    for study in studies:
        *names, pair = _without_hashes(study)
        if names == wanted:
            by_pair[pair] = (*by_pair.get(pair, ()), study)
    return by_pair


def of_recipe(studies: Iterable[str], federation: str, config: StudyConfig, pair: AnyPair) -> tuple[str, ...]:
    """Return the studies of a pair in a federation under recipes of this name, whatever space they search."""
    start, end = f"{federation}/{config.name}-", f"/{pair.key}"
    return tuple(study for study in studies if study.startswith(start) and study.endswith(end))


def _without_hashes(study: str) -> list[str]:
    *names, pair = study.rsplit("/", 2)
    return [*(name.rpartition("-")[0] for name in names), pair]


def preparation_name(recipe: AnyFederation) -> str:
    """Return a name under which a driver can be found while it prepares a federation.

    No two are equal: two commands may prepare the same federation at once.
    """
    return f"{recipe.name}-{content_hash(recipe)}/{_PREPARES}-{token_hex(4)}/{_ALL}"


def held_pair(study: str, config: StudyConfig, space: Space) -> Held | None:
    """Return what a driver that holds this name does to which pair of a recipe, whatever the hashes.

    Returns:
        None if the name belongs to another recipe or space.
    """
    federation, recipe, pair = _without_hashes(study) if study.count("/") > 1 else ("", "", "")
    if federation != config.federation.name:
        return None
    if (recipe, pair) == (_PREPARES, _ALL):
        return Held("prepare", None)
    commands = {
        f"{config.name}-{space.name}": "tune",
        f"{config.name}-sweep": "sweep",
        f"{config.name}-rivals": "explain",
    }
    return Held(commands[recipe], parse_key(pair)) if recipe in commands else None


def sweep_name(federation: str, config: StudyConfig, pair: AnyPair) -> str:
    """Return the name under which a pair's sweep is stored; it does not depend on space or early stopping."""
    return f"{federation}/{config.name}-sweep-{_runs_digest(config)}/{pair.key}"


def rivals_name(federation: str, config: StudyConfig, pair: AnyPair) -> str:
    """Return the name under which runs of a pair's alternatives are stored; all spaces share them."""
    return f"{federation}/{config.name}-rivals-{_runs_digest(config)}/{pair.key}"


def _runs_digest(config: StudyConfig) -> str:
    """Return a hash of what decides runs outside the search, and the accuracies stored with them."""
    return content_hash(config.distillation, *_target_of(config))


def _target_of(config: StudyConfig) -> list[object]:
    """Return the target as part of a hash; nothing for `common`, which earlier versions did not name."""
    target = config.target
    if isinstance(target, str):
        return [] if target == "common" else [{"target": target}]
    # Neither their order nor a class with the share 0 makes another target.
    return [{"target": {name: share for name, share in sorted(target.items()) if share > 0}}]


def meetings_of(
    space: Space, pairs: Sequence[AnyPair], *, untrained: Collection[int] = ()
) -> tuple[tuple[AnyPair, ...], ...]:
    """Return the pairs to search of each meeting, by the space's positions, in the order of `pairs`.

    Each group is alone. Pairs in which somebody untrained would teach are left out.
    """
    meetings: dict[AnyPair | frozenset[int], dict[AnyPair, None]] = {}
    for pair in pairs:
        searched = [meeting for meeting in space.pairs(pair) if not {*meeting.teachers} & {*untrained}]
        together = pair.meeting if isinstance(pair, Pair) else pair
        meetings.setdefault(together, {}).update(dict.fromkeys(searched))
    return tuple(tuple(meeting) for meeting in meetings.values())
