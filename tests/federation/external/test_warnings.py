"""What `check` warns of reaches everybody: once a command, in JSON, and as long as the federation is kept."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autokd.core.finding import Finding, FindingWarning, folded, tell
from autokd.federation import storage
from autokd.report.data import ReportData
from autokd.report.facts.report import ReportFacts
from autokd.report.page import page
from autokd.workflows.report import report_data
from autokd.workflows.session import run_session
from autokd.workspace import Workspace
from tests.cli.conftest import Command
from tests.cli.conftest import here as here
from tests.federation.external.conftest import edit

ORDER = "another order"
FEW = "12 examples are few"


@pytest.fixture
def swapped(mine: Path) -> Path:
    """Participant 0 with two labels swapped, which its recipe does not say."""

    def change(recipe: dict[str, Any]) -> None:
        one = recipe["federation"]["participants"][0]
        one["labels"] = ["waves", "checks", "dots", "bars"]
        del one["claimed_accuracy"]

    edit(mine, change)
    return mine


def test_every_command_says_it_once(here: Command, swapped: Path) -> None:
    study, home = str(swapped / "mine.yaml"), str(swapped / "home")
    checked = here("check", study, "--json").json()["warnings"]
    (warning,) = [one for one in checked if ORDER in one["problem"]]
    assert warning["field"] == "federation.participants.0"
    (few,) = [one for one in checked if FEW in one["problem"]]
    assert few["field"] == "federation.splits (confirmation)"
    first = here("prepare", "--study", study, "--home", home)
    assert (first.err.count(ORDER), first.err.count(FEW)) == (1, 1)
    # And again when it is there already.
    again = here("prepare", "--study", study, "--home", home, "--json")
    assert (again.err.count(ORDER), again.err.count(FEW)) == (1, 1)
    assert json.loads(again.out)["warnings"] == checked
    workspace = Workspace.open(study, home=home)
    shown = page(ReportFacts(report_data(workspace)))
    assert 'id="warnings"' in shown
    assert (shown.count(ORDER), shown.count(FEW)) == (1, 1)


def test_what_runs_something_says_it_once_more(
    here: Command, swapped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As `tune`, `sweep` and `explain` begin."""
    study, home = str(swapped / "mine.yaml"), str(swapped / "home")
    here("prepare", "--study", study, "--home", home)
    caplog.clear()
    with run_session(Workspace.open(study, home=home), None, None, None) as session:
        for words in (ORDER, FEW):
            assert len([one for one in session.results.facts.warnings if words in one.problem]) == 1
    for words in (ORDER, FEW):
        assert len([one for one in caplog.messages if words in one]) == 1


def test_a_federation_of_an_earlier_version_has_none(swapped: Path, here: Command) -> None:
    study, home = str(swapped / "mine.yaml"), swapped / "home"
    here("prepare", "--study", study, "--home", str(home))
    (folder,) = storage.federations_folder(home).iterdir()
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    assert content.pop("warnings")
    manifest.write_text(json.dumps(content))
    loaded = storage.load(folder)
    assert loaded.warnings == ()
    assert loaded.name == folder.name
    shown = page(ReportFacts(ReportData(**_report(study, home))))
    assert ORDER not in shown
    # What follows from the study and the size of its splits needs no record.
    assert shown.count(FEW) == 1


def _report(study: str, home: Path) -> dict[str, Any]:
    data = report_data(Workspace.open(study, home=home))
    return {name: getattr(data, name) for name in ("config", "space", "federation")}


SCRIPT = """
import autokd, torch, numpy as np
from autokd.models.architectures import Cnn, Shape
from sklearn.datasets import load_digits

torch.manual_seed(0)
model = Cnn(widths=(4,)).build(Shape(channels=1, size=8, classes=10))
data = load_digits()
images, labels = (data.images * 15).astype(np.uint8), data.target
parts = [(images[n : n + 200], labels[n : n + 200]) for n in range(0, 1000, 200)]
kind = {"architecture": "cnn", "options": {"widths": (4,)}}
members = [autokd.Member(model=model, data=one, **kind) for one in parts[:2]]
splits = dict(zip(("validation", "confirmation", "test"), parts[2:]))
autokd.federation_from_models("guesses", members, **splits)
"""


def test_a_program_without_logging_is_warned(tmp_path: Path) -> None:
    """The models are not trained at all."""
    ran = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("FindingWarning: guesses: members.0 (and 1 more): only") == 1
    assert ran.stderr.count("FindingWarning: guesses: confirmation: 200 examples are few") == 1
    # The line that called, not one of autokd's.
    assert "<string>:" in ran.stderr


def test_one_text_for_several_fields_is_one_line() -> None:
    found = [Finding("f.yaml", f"participants.{n}.data", "is odd") for n in range(5)]
    found += [Finding("f.yaml", "splits.test", "is even"), found[0]]
    assert list(map(str, folded(found))) == [
        "f.yaml: participants.0.data (and 4 more): is odd",
        "f.yaml: splits.test: is even",
    ]


def test_where_somebody_listens_it_is_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    finding = Finding("f.yaml", "x", "holds \x1b[31m and\nlines")
    tell([finding], logging.getLogger("autokd.test"))
    assert caplog.messages == ["f.yaml: x: holds \\x1b[31m and\\nlines"]
    silent = logging.Logger("silent")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell([finding], silent)
    assert [one.category for one in caught] == [FindingWarning]
    assert np.all([one.filename == __file__ for one in caught])
