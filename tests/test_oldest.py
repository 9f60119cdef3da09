from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement

from tests.oldest import oldest
from tests.paths import ROOT


def test_every_requirement_of_a_user_has_an_oldest_release_that_it_admits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = dict(line.split("==") for line in oldest(project))
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *(each for extra in ("postgres", "mysql") for each in extras[extra])]
    for requirement in map(Requirement, named):
        assert requirement.specifier.contains(versions[requirement.name])


def test_one_without_a_lower_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="torch<3"):
        list(oldest({"dependencies": ["torch<3"]}))
