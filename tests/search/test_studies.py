from __future__ import annotations

from autokd.plan import StoppingRecipe, StudyPlan
from autokd.search.studies import study_name
from autokd.setting import Pair, Position
from tests.search.worlds import TINY, open_space, tiny_plan


def name(plan: StudyPlan | None = None, **space: object) -> str:
    return study_name("digits-1a2b3c4d", plan or tiny_plan(), open_space(**space), Pair(4, 9))


def test_a_name_says_federation_plan_and_pair() -> None:
    federation, plan, pair = name().split("/")
    assert (federation, pair) == ("digits-1a2b3c4d", "4->9")
    assert plan.startswith("tiny-open-")


def test_what_decides_a_run_makes_another_study() -> None:
    other_recipe = StudyPlan.model_validate({**TINY, "distillation": {"learning_rate": 0.2, "epochs": 10}})
    names = {
        name(),
        name(other_recipe),
        name(tiny_plan(stopping=StoppingRecipe(rungs=(3,)))),
        name(temperature=[1, 2]),
    }
    assert len(names) == 4


def test_what_only_says_how_much_does_not() -> None:
    more_seeds = StudyPlan.model_validate({**TINY, "confirmation": {"seeds": 9}})
    assert name(tiny_plan(trials=64)) == name(more_seeds) == name(position=[Position.STUDENT]) == name()
