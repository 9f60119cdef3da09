from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from autokd.config.space import Space, read_space
from autokd.config.study import StudyConfig
from tests.paths import ROOT

BLOCKS = re.findall(r"```yaml\n# (\w+)\n(.*?)```", (ROOT / "docs" / "recipes.md").read_text(), re.DOTALL)


def test_the_recipes_of_the_docs_hold_and_name_every_field() -> None:
    texts = dict(BLOCKS)
    plan = StudyConfig.model_validate(yaml.safe_load(texts["study"]))
    space = Space.model_validate(yaml.safe_load(texts["space"]))
    for model, told in ((plan, texts["study"]), (plan.distillation, texts["study"]), (space, texts["space"])):
        for field in type(model).model_fields:
            assert f"{field}:" in told


def test_the_defaults_of_the_docs_are_the_defaults() -> None:
    written = yaml.safe_load(dict(BLOCKS)["study"])
    plan = StudyConfig.model_validate(written)
    assert plan == StudyConfig.model_validate(
        {name: value for name, value in written.items() if name not in ("space", "search", "confirmation")}
    )
    assert Space.model_validate(yaml.safe_load(dict(BLOCKS)["space"])).model_copy(
        update={"name": "default"}
    ) == read_space("default")


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=lambda one: one.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
