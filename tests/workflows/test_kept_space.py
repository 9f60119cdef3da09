"""Studies keep the space that they began with, though the shipped space of that name is another one today."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autokd.config.space import Space
from autokd.core.setting import Pair
from autokd.search.study_names import study_name
from autokd.workflows.kept_space import kept_notice, kept_space
from autokd.workspace import Workspace
from tests.paths import FEW, ROOT
from tests.search.worlds import facts

FEDERATION = facts()


@dataclass
class Stored:
    """All that is asked of a store: the names of its studies."""

    names: tuple[str, ...] = ()

    def studies(self) -> tuple[str, ...]:
        return self.names


def searched(workspace: Workspace, *names: str) -> Space:
    store: Any = Stored(names)
    return kept_space(workspace, FEDERATION, store)


def began(workspace: Workspace, space: Space, federation: str = FEDERATION.name) -> str:
    return study_name(federation, workspace.config, space, Pair(2, 3))


@pytest.fixture(params=["default", "private"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace.open("digits", home=tmp_path, space=request.param)


def test_a_study_that_began_with_a_former_space_decides_for_all_pairs(workspace: Workspace) -> None:
    (before,) = workspace.former
    assert "epochs" in workspace.space.dimensions
    assert "epochs" not in before.dimensions
    assert searched(workspace, began(workspace, before)) == before


def test_nothing_else_in_the_store_brings_a_former_space_back(workspace: Workspace) -> None:
    (before,) = workspace.former
    elsewhere = began(workspace, before, federation="other-00000000")
    longer = workspace.config.distillation.model_copy(update={"epochs": 8})
    recipe = workspace.config.model_copy(update={"distillation": longer})
    other = study_name(FEDERATION.name, recipe, before, Pair(2, 3))
    for names in ((), (elsewhere,), (other,), (elsewhere, other)):
        assert searched(workspace, *names) == workspace.space
    both = (began(workspace, before), began(workspace, workspace.space))
    assert searched(workspace, *both) == workspace.space
    store: Any = Stored(both[:1])
    assert kept_space(workspace, None, store) == workspace.space, "not prepared, so nothing has begun"


def test_files_of_ones_own_have_no_former_spaces(tmp_path: Path) -> None:
    own = tmp_path / "default.yaml"
    own.write_text((ROOT / "search_spaces" / "default.yaml").read_text())
    for file in (own, FEW):
        assert Workspace.open("digits", home=tmp_path, space=file).former == ()


def test_a_former_space_has_nothing_that_the_recipe_forbids(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    text = (ROOT / "studies" / "digits.yaml").read_text()
    recipe.write_text(f"{text}forbid: {{transfer_sets: [both, public], class_counts: true}}\n")
    for space in ("default", "private"):
        (before,) = Workspace.open(recipe, home=tmp_path, space=space).former
        assert {"both", "public", "student_public"}.isdisjoint(before.transfer_set)
        assert "seen_classes" not in before.method


def test_the_notice_names_recipe_space_and_the_way_to_the_space_of_today(workspace: Workspace) -> None:
    notice = kept_notice(workspace, workspace.former[0])
    assert f"space {workspace.space.name} as it was before" in notice
    assert "another name than digits" in notice
    assert kept_notice(workspace, workspace.space) == ""
