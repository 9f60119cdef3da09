"""Results where Python shows them: sorted, as data frames, in one line, and as HTML."""

from __future__ import annotations

import csv
import io
import shutil

import pytest

import autokd
from autokd.cli.listing import ListFormat, written
from autokd.core.setting import Pair
from autokd.recommendation.notebook import html_table
from autokd.workflows.recommend import PairResult, PairResults
from autokd.workflows.result_table import gain_of
from autokd.workspace import Workspace
from tests.paths import ROOT

FOLDER = ROOT / "tests" / "compatibility"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The home of an earlier version, in which all pairs are tuned."""
    home = tmp_path_factory.mktemp("old") / "home"
    shutil.unpack_archive(FOLDER / "home.zip", home)
    return Workspace.open(FOLDER / "small.yaml", home=home)


@pytest.fixture(scope="module")
def results(workspace: Workspace) -> PairResults:
    return autokd.recommend_all(workspace, workspace.pairs)


def test_the_best_come_first_and_untuned_pairs_not_at_all(results: PairResults) -> None:
    nothing = PairResult(pair=Pair(0, 9), missing="not tuned")
    best = PairResults((nothing, *results)).best()
    gains = [gain_of(each.payload) for each in best if each.payload is not None]
    assert len(gains) == len(results)
    assert gains == sorted(gains, reverse=True)
    assert best[0].pair == Pair(1, 3)


def test_the_best_of_a_verdict(results: PairResults) -> None:
    assert [each.pair for each in results.best(top=2, verdicts=["tuned"])] == [Pair(1, 3), Pair(2, 0)]
    assert results.best(verdicts=["skip"]) == ()


def test_a_data_frame_has_the_columns_and_numbers_of_the_csv(results: PairResults) -> None:
    frame = results.to_pandas()
    text = written([each.to_json() for each in results], ListFormat.CSV, single=False)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(frame.columns) == list(rows[0])
    assert frame["gain"].tolist() == [float(row["gain"]) for row in rows]
    assert frame["verdict"].tolist() == [row["verdict"] for row in rows]
    assert PairResults().to_pandas().empty


def test_a_repr_is_one_short_line(workspace: Workspace, results: PairResults) -> None:
    result = autokd.recommend(Pair(1, 3), study=str(FOLDER / "small.yaml"), home=workspace.home)
    assert repr(result).startswith("<Recommendation 1->3: tuned, T=0.5 α=0.125 on both, gain +26.2 [")
    assert repr(results) == "<12 pairs: 0->1 default, 0->2 tuned, 0->3 tuned and 9 more>"
    assert repr(results[0]) == "<PairResult 0->1 default>"
    federation = autokd.load_federation(str(FOLDER / "small.yaml"), home=workspace.home)
    assert repr(federation) == "<Federation small-f25d0576: 4 participants>"
    for each in (result, results, results[0], workspace, federation):
        assert len(repr(each)) < 250
        assert "\n" not in repr(each)


def test_a_workspace_shows_no_password() -> None:
    secret = "postgresql://me:hunter2@there/studies"
    workspace = Workspace.open("digits", storage=secret)
    assert workspace.storage == secret
    assert "hunter2" not in repr(workspace)
    assert "there" in repr(workspace)


def test_a_notebook_shows_tables(workspace: Workspace, results: PairResults) -> None:
    result = autokd.recommend((1, 3), study=str(FOLDER / "small.yaml"), home=workspace.home)
    page = result._repr_html_()
    assert page.count("<tr>") == 1 + len(result.compared)
    assert "1-&gt;3" in page
    listed = PairResults((*results, PairResult(pair=Pair(0, 9))))._repr_html_()
    assert listed.count("<tr>") == 13
    assert "1 pair without a recommendation" in listed


def test_names_of_others_are_no_html() -> None:
    assert "<script>" not in html_table(["<script>"], [["<script>"]])
