"""What `check` warns of reaches everybody: once a command, in JSON, and as long as the federation is kept."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from markupsafe import escape
from numpy.typing import NDArray
from PIL import Image

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
        participant = recipe["federation"]["participants"][0]
        participant["labels"] = ["waves", "checks", "dots", "bars"]
        del participant["claimed_accuracy"]

    edit(mine, change)
    return mine


def test_every_command_says_it_once(here: Command, swapped: Path) -> None:
    study, home = str(swapped / "mine.yaml"), str(swapped / "home")
    checked = here("check", study, "--json").json()["warnings"]
    (warning,) = [warning for warning in checked if ORDER in warning["problem"]]
    assert warning["field"] == "federation.participants.0"
    (few,) = [warning for warning in checked if FEW in warning["problem"]]
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


NETWORKS = """
import torch
from markupsafe import escape
from torch import nn

class Guess(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.linear, self.mode = nn.Linear(768, 4), mode

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        if self.mode == "softmax":
            return logits.softmax(1)
        if self.mode == "random":
            return logits + torch.rand(1)
        return (logits, logits * 2) if self.mode == "heads" else logits - logits.mean(0)
"""


def _own_network(folder: Path, mode: str) -> None:
    (folder / "networks.py").write_text(NETWORKS)
    _first(folder, architecture={"name": "networks:Guess", "options": {"mode": mode}}, checkpoint="none")
    edit(folder, lambda recipe: recipe["federation"]["participants"][0].pop("claimed_accuracy"))


def _first(folder: Path, **fields: Any) -> None:
    edit(folder, lambda recipe: recipe["federation"]["participants"][0].update(fields))


def _beside_an_average(folder: Path) -> None:
    weights = torch.load(folder / "cnn.pt")
    averaged = {f"module.{name}": weight * 2 for name, weight in weights.items()}
    torch.save(
        {"model": weights, "model_ema": {"n_averaged": torch.tensor(3), **averaged}}, folder / "cnn.pt"
    )


def _in_half_precision(folder: Path) -> None:
    weights = torch.load(folder / "cnn.pt")
    torch.save({name: weight.half() for name, weight in weights.items()}, folder / "cnn.pt")


def _guessing(folder: Path) -> dict[str, torch.Tensor]:
    edit(folder, lambda recipe: recipe["federation"]["participants"][0].pop("claimed_accuracy"))
    return {name: weight * 0 for name, weight in torch.load(folder / "cnn.pt").items()}


def _public(folder: Path, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    for number, file in enumerate(sorted((folder / "images" / "test").rglob("*.png"))):
        target = folder / "images" / "public" / f"{number}.png"
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(change(np.asarray(Image.open(file)))).save(target)
    splits = {"public": {"kind": "folder", "path": "images/public"}}
    edit(folder, lambda recipe: recipe["federation"]["splits"].update(splits))


def _without_a_class(folder: Path) -> None:
    shutil.rmtree(folder / "images" / "confirmation" / "bars")


def _nested(folder: Path) -> None:
    (folder / "images" / "part0" / "bars" / "more").mkdir()
    source = next((folder / "images" / "part0" / "bars").glob("*.png"))
    shutil.move(source, folder / "images" / "part0" / "bars" / "more" / source.name)


def _of_a_mac(folder: Path) -> None:
    (folder / "images" / "part1" / "dots" / "._000.png").write_bytes(b"\0")


def _empty_class(folder: Path) -> None:
    for file in (folder / "images" / "part1" / "dots").iterdir():
        file.unlink()


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "probabilities": (lambda mine: _own_network(mine, "softmax"), "probabilities"),
    "randomness": (lambda mine: _own_network(mine, "random"), "asked the same again"),
    "two heads": (lambda mine: _own_network(mine, "heads"), "2 tensors of the same shape"),
    "others of the batch": (lambda mine: _own_network(mine, "batch"), "others of its batch"),
    "an average beside": (_beside_an_average, "model_ema"),
    "half precision": (_in_half_precision, "float16"),
    "a model that guesses": (lambda mine: torch.save(_guessing(mine), mine / "cnn.pt"), "of its own data"),
    "black public images": (lambda mine: _public(mine, np.zeros_like), "all pixels of all its images are 0"),
    "dark public images": (lambda mine: _public(mine, lambda pixels: pixels // 8), "darker images"),
    "a split lacks a class": (_without_a_class, "no example of bars, a class of participant 0"),
    "an image too deep": (_nested, "below a class folder"),
    "a file of a Mac": (_of_a_mac, "._000.png"),
    "an empty class": (_empty_class, "e.g. dots"),
}


@pytest.mark.parametrize("case", ODD)
def test_each_kind_of_warning_goes_all_the_way(
    case: str, mine: Path, here: Command, caplog: pytest.LogCaptureFixture
) -> None:
    """From `check` to the record of the federation, to what runs on it, and to the report's page."""
    change, words = ODD[case]
    change(mine)
    study, home = str(mine / "mine.yaml"), str(mine / "home")
    checked = here("check", study, "--json").json()["warnings"]
    (warning,) = [entry for entry in checked if words in entry["problem"]]
    assert json.loads(here("prepare", "--study", study, "--home", home, "--json").out)["warnings"] == checked
    caplog.clear()
    workspace = Workspace.open(study, home=home)
    with run_session(workspace, None, None, None) as session:
        assert [entry.to_json() for entry in session.results.facts.warnings] == checked
    assert len([message for message in caplog.messages if warning["problem"] in message]) == 1
    assert escape(warning["problem"]) in page(ReportFacts(report_data(workspace)))


def test_what_runs_something_says_it_once_more(
    here: Command, swapped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As `tune`, `sweep` and `explain` begin."""
    study, home = str(swapped / "mine.yaml"), str(swapped / "home")
    here("prepare", "--study", study, "--home", home)
    caplog.clear()
    with run_session(Workspace.open(study, home=home), None, None, None) as session:
        for words in (ORDER, FEW):
            assert (
                len([warning for warning in session.results.facts.warnings if words in warning.problem]) == 1
            )
    for words in (ORDER, FEW):
        assert len([message for message in caplog.messages if words in message]) == 1


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
    findings = [Finding("f.yaml", f"participants.{n}.data", "is odd") for n in range(5)]
    findings += [Finding("f.yaml", "splits.test", "is even"), findings[0]]
    assert list(map(str, folded(findings))) == [
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
    assert [warning.category for warning in caught] == [FindingWarning]
    assert np.all([warning.filename == __file__ for warning in caught])
