"""The space that a study recipe searches: today's, unless its stored studies began with a former one."""

from __future__ import annotations

from autokd.config.space import Space
from autokd.core.pair import Group, Pair
from autokd.core.records import FederationFacts
from autokd.search.study_names import study_name
from autokd.store import Store
from autokd.workspace import Workspace


def kept_space(workspace: Workspace, facts: FederationFacts | None, store: Store) -> Space:
    """Return the space of today, or else the one that the recipe's stored studies began with.

    All pairs of a recipe are searched in one space, since they learn from one another. So one stored study
    decides for all that are still to begin; where there are studies of both, it is the space of today.

    Args:
        facts: The federation; None if it is not prepared, then no study has begun.
    """
    if facts is None or not workspace.former:
        return workspace.space
    begun = {name.rpartition("/")[0] for name in store.studies()}
    for space in (workspace.space, *workspace.former):
        kinds = (Pair(0, 1), Group((0, 1), 2))
        names = (study_name(facts.name, workspace.config, space, kind) for kind in kinds)
        if any(name.rpartition("/")[0] in begun for name in names):
            return space
    return workspace.space


def kept_notice(workspace: Workspace, space: Space) -> str:
    """Return the notice that studies keep a former space, and the way to that of today; else nothing."""
    if space == workspace.space:
        return ""
    recipe = workspace.config.name
    return (
        f"the studies of {recipe} in this store began with the space {space.name} as it was before, and keep "
        f"it; a copy of the study recipe with another name than {recipe} searches the space of today"
    )
