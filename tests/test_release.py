"""What a release says of itself: the same version everywhere, and extras that the docs name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

import yaml

import autokd
from tests.paths import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def test_the_changelog_is_of_this_version() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(autokd.__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= kinds


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == autokd.__version__
    assert f"[{cited['version']}] - {cited['date-released']}" in CHANGELOG
    assert {"cff-version", "message", "title", "authors"} <= set(cited)


def test_every_extra_is_documented() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "upgrading.md").read_text()
    for extra in project["optional-dependencies"].keys() - {"dev"}:
        assert f"`{extra}`" in page


def test_the_pages_of_the_site_are_there() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    made = {"index.md", "api.md", "quickstart.md"}  # By docs/site_hooks.py.

    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inner = entry.values() if isinstance(entry, dict) else entry
        assert isinstance(inner, Iterable)
        return [page for each in inner for page in pages(each)]

    named = pages(site["nav"])
    assert made <= set(named)
    assert len(named) == len(set(named))
    for page in set(named) - made:
        assert (ROOT / "docs" / page).is_file(), page
