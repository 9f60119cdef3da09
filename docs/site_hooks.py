"""Hooks of the site (mkdocs.yml): README is a page, the API page lists what is public, notebooks are pages.

What pages link to outside of docs/, such as measured figures, is copied into the site, so that no link needs
another host.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

_ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")
_API = """# API reference

What `import autokd` has. [From Python](python.md) shows how it is used. `autokd.__version__` is the
version, as text.

"""
_DOWNLOAD = '\n\n<a href="{name}" download>Download this notebook</a>\n'


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files that are not in docs/."""
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    # Links of README start from the repository's root.
    index = _LINK.sub(lambda match: f"{match[1]}{_from_docs(match[2])}{match[3]}", readme)
    generated = {"index.md": index, "api.md": _API + "".join(f"::: {name}\n\n" for name in _public())}
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            page, _ = MarkdownExporter().from_filename(file.abs_src_path)
            generated[_page_of(file.src_uri)] = page + _DOWNLOAD.format(name=posixpath.basename(file.src_uri))
    for name, content in generated.items():
        files.append(File.generated(config, name, content=content))
    outside = {
        path
        for file in list(files)
        if file.src_uri.endswith(".md")
        for match in _LINK.finditer(file.content_string)
        if (path := _outside(file.src_uri, match[2])) is not None
    }
    for path in sorted(outside):
        files.append(File.generated(config, f"repository/{path}.txt", abs_src_path=str(_ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links out of docs/ lead to the copies."""

    def copied(match: re.Match[str]) -> str:
        path = _outside(page.file.src_uri, match[2])
        if path is None:
            return match[0]
        start = posixpath.dirname(page.file.src_uri) or "."
        return f"{match[1]}{posixpath.relpath(f'repository/{path}.txt', start)})"

    return _LINK.sub(copied, markdown)


def _from_docs(link: str) -> str:
    return _page_of(link.removeprefix("docs/")) if link.startswith("docs/") else f"../{link}"


def _page_of(notebook: str) -> str:
    return f"{notebook.removesuffix('.ipynb')}.md" if notebook.endswith(".ipynb") else notebook


def _outside(page: str, link: str) -> str | None:
    """Return the file of the repository that a page links to, if it is outside of docs/."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return None if path.startswith(("docs/", "..")) or not (_ROOT / path).is_file() else path


def _public() -> list[str]:
    """Return the public names with their modules, in the order of their names."""
    import autokd

    return [f"{autokd._FROM[name]}.{name}" for name in sorted(autokd.__all__) if name in autokd._FROM]
