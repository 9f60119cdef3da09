"""docs/quickstart.ipynb runs as it is, from the built-in digits to a decision and a model."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from safetensors.numpy import load_file

from tests.paths import ROOT


@pytest.fixture(scope="module")
def notebook() -> NotebookNode:
    content: NotebookNode = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    return content


def shown(notebook: NotebookNode) -> list[str]:
    """What each cell of code shows, as text."""
    return [
        "".join(
            output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_its_outputs_are_kept_and_name_no_place(notebook: NotebookNode) -> None:
    text = "\n".join(shown(notebook))
    assert "tuned" in text
    assert not re.search(r"/(tmp|home|root|Users|work)\b", text)
    assert not [output for cell in notebook.cells for output in cell.get("outputs", []) if "ename" in output]


@pytest.mark.slow
def test_it_runs_from_the_first_cell_to_the_last(
    notebook: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOKD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    again = nbformat.from_dict(notebook)
    NotebookClient(
        again, timeout=240, startup_timeout=200, resources={"metadata": {"path": tmp_path}}
    ).execute()
    answers = shown(again)
    assert any(word in answers[2] for word in ("tuned", "default", "skip", "undecided"))
    assert "of the test examples right before" in answers[4]
    assert load_file(tmp_path / "student.safetensors")
