"""Names: which study of the store belongs to a pair of a federation under a plan."""

from __future__ import annotations

from autokd.plan import StudyPlan, content_hash
from autokd.search.space import Space
from autokd.setting import Pair


def study_name(federation: str, plan: StudyPlan, space: Space, pair: Pair) -> str:
    """`<federation>/<plan>/4->9`, both parts with a short content hash.

    The plan's hash holds what decides the runs of a study: recipe, early stopping and space. What only says
    how much to do (trials, seeds of the confirmation) is left out, so that it may be raised later.
    """
    dimensions = space.model_dump(mode="json", exclude={"name", "position"})
    digest = content_hash(plan.distillation, plan.search.stopping, dimensions)
    return f"{federation}/{plan.name}-{space.name}-{digest}/{pair}"
