"""The site as a reader's browser gets it: built without a warning, whole, and asking no other host."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

import autokd
from tests.paths import ROOT

SECTIONS = {
    "Args": "Parameters",
    "Attributes": "Attributes",
    "Returns": "Returns",
    "Yields": "Yields",
    "Raises": "Raises",
}
"""Sections of a docstring, and what the reference calls them."""
LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href", "object": "data"}
"""What a browser fetches by itself, and where it is named."""
_ADDRESS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    assert "WARNING" not in build.stderr
    return folder


class _Tags(HTMLParser):
    """Collects all tags of a page; quicker than a tree."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


@cache
def tags(page: Path) -> list[tuple[str, dict[str, str]]]:
    parser = _Tags()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.tags


@cache
def anchors(page: Path) -> set[str]:
    return {attributes["id"] for _, attributes in tags(page) if "id" in attributes}


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


@pytest.fixture(scope="module")
def reference(site: Path) -> BeautifulSoup:
    return BeautifulSoup((site / "api.html").read_text(encoding="utf-8"), "html.parser")


def test_every_page_of_the_docs_is_on_it(site: Path) -> None:
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    written -= {Path("images/README.html")}
    built = {page.relative_to(site) for page in pages(site)}
    assert built == written | {
        Path(name) for name in ("index.html", "api.html", "404.html", "quickstart.html")
    }


def test_every_link_resolves(site: Path) -> None:
    broken = []
    for page in pages(site):
        base = site if page.name == "404.html" else page.parent
        for _, attributes in tags(page):
            address = urlsplit(attributes.get("href") or attributes.get("src") or "")
            if address.scheme or address.netloc or not (address.path or address.fragment):
                continue
            target = base / unquote(address.path).lstrip("/") if address.path else page
            target = target.resolve() / "index.html" if target.is_dir() else target.resolve()
            missing = not target.is_file()
            if not missing and address.fragment and target.suffix == ".html":
                missing = unquote(address.fragment) not in anchors(target)
            if missing:
                broken.append(f"{page.relative_to(site)}: {address.geturl()}")
    assert not broken


def test_no_page_asks_another_host(site: Path) -> None:
    asked = [
        f"{page.relative_to(site)}: {tag} {address}"
        for page in pages(site)
        for tag, attributes in tags(page)
        if tag in LOADED and urlsplit(address := attributes.get(LOADED[tag], "")).netloc
    ]
    for sheet in (*site.rglob("*.css"), *pages(site)):
        asked += [f"{sheet.relative_to(site)}: {address}" for address in _ADDRESS.findall(sheet.read_text())]
    assert not asked


@pytest.mark.parametrize("name", sorted(autokd._FROM))
def test_every_public_name_has_a_reference_with_the_sections_of_its_docstring(
    reference: BeautifulSoup, name: str
) -> None:
    heading = reference.find(id=f"{autokd._FROM[name]}.{name}")
    assert isinstance(heading, Tag), f"{name} is not in the reference"
    entry = heading.find_parent(class_="doc-object")
    assert entry is not None
    public = getattr(autokd, name)
    described = public if inspect.isclass(public) or inspect.isfunction(public) else None
    text = (inspect.getdoc(described) or "") if described is not None else ""
    wanted = {SECTIONS[title] for title in re.findall(r"^(\w+):$", text, re.MULTILINE) if title in SECTIONS}
    titles = {tag.get_text().strip().rstrip(":") for tag in entry.find_all(class_="doc-section-title")}
    assert wanted <= titles
    first = " ".join(re.sub(r"[`*]", "", text.partition("\n\n")[0]).split())
    assert first in " ".join(entry.get_text().split()).replace("\u00b6", "")


def test_the_version_is_in_the_reference(reference: BeautifulSoup) -> None:
    assert "autokd.__version__" in reference.get_text()
