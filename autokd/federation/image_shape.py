"""The shape that all images of a federation are brought to when they are read."""

from __future__ import annotations

from autokd.config.external import ExternalFederation
from autokd.config.images import ImageShape
from autokd.errors import PlanError


def common_shape(recipe: ExternalFederation) -> ImageShape:
    """Return the shape of all images: what the federation says, or else what all participants' inputs say.

    Raises:
        PlanError: If the inputs of two participants, or an input and the federation, say different things.
    """
    said = [participant.input.steps for participant in recipe.participants]
    for number, steps in enumerate(said):
        if steps != said[0]:
            problem = f"says {_words(steps)}, and participant 0 {_words(said[0])}"
            raise _different(number, problem)
    if not said[0]:
        return recipe.images
    if recipe.images.steps not in ({}, said[0]):
        raise _different(0, f"says {_words(said[0])}, and federation.images {_words(recipe.images.steps)}")
    return recipe.images.model_copy(update=said[0])


def _different(number: int, problem: str) -> PlanError:
    way_out = "all images of a federation are cut in one way: say it once, as federation.images"
    return PlanError(source=f"participant {number}", field="input", problem=f"{problem}; {way_out}")


def _words(steps: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in steps.items()) or "nothing of it"
