from __future__ import annotations

import builtins
import csv
import math
import shutil
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from autokd.core.setting import DEFAULT, Pair
from autokd.errors import InputError
from autokd.report import ReportFacts
from autokd.report.chart_files import write_figures
from autokd.report.charts import all_charts, federation_charts, matrix_charts, pair_charts
from autokd.report.facts.report import PairFacts
from tests.browser import chromium
from tests.report.federations import GOOD, make_material, swept_run
from tests.report.samples import HOT

PAIR = Pair(0, 1)
OWN = (0.5, 0.6, 0.4, 0.5)


def test_every_figure_has_a_name_of_its_own_and_numbers() -> None:
    gains = {PAIR: GOOD, PAIR.reverse: GOOD}
    material = make_material(OWN, gains, swept={PAIR: [swept_run(HOT, 0.7), swept_run(DEFAULT, 0.6)]})
    everything = list(all_charts(ReportFacts(material)))
    names = [chart.name for chart in everything]
    assert len(set(names)) == len(names) == 6 + 7 + 3 * 2
    assert {"histograms", "default-gain", "position", "0-1-landscape", "1-0-classes"} <= set(names)
    for chart in everything:
        assert chart.numbers
        go.Figure(chart.figure)  # Raises at a property that plotly does not know.
    of_pair = all_charts(ReportFacts(material, PAIR))
    assert [chart.name for chart in of_pair] == ["0-1-landscape", "0-1-curves", "0-1-classes"]


def test_the_numbers_are_those_of_the_facts() -> None:
    material = make_material(OWN, {PAIR: GOOD, PAIR.reverse: GOOD})
    facts = ReportFacts(material)
    by_name = {chart.name: chart.numbers for chart in (*federation_charts(facts), *matrix_charts(facts))}
    assert by_name["recommended-gain"][0]["value"] == pytest.approx(20)
    assert by_name["recommended-gain"][0]["shown"] == "+20.0"
    assert by_name["position"][0]["shown"] == "S +20.0 / -10.0"
    assert by_name["histograms"][2] == {"participant": 1, "class": "0", "examples": 11}
    assert by_name["accuracies"][0]["accuracy_after"] == pytest.approx(0.8)  # 0 teaches 1, and adopts it
    assert by_name["best-settings"][0]["temperature"] == 4
    assert by_name["forgetting"][1]["mean"] == pytest.approx(0.1)
    assert "anytime" not in by_name
    curves = {chart.name: chart.numbers for chart in pair_charts(_pair_facts())}["curves"]
    assert [(row["epoch"], row["accuracy"]) for row in curves if row["trial"] == 1] == [
        (0, 0.6),
        (3, 0.6),
        (10, 0.7),
    ]


def test_without_kaleido_the_error_names_the_extra_and_chromium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "kaleido":
            raise ImportError(name)
        return known(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"autokd\[figures\].*Chromium"):
        write_figures([], tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_without_chromium_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(shutil, "which", lambda *arguments, **more: None)
    with pytest.raises(InputError, match=r"--figures: .*Chrom"):
        write_figures(pair_charts(_pair_facts()), tmp_path)


@pytest.mark.slow
def test_writes_pictures_and_numbers(tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    chromium()
    first = next(pair_charts(_pair_facts()))
    drew: list[str] = []
    assert write_figures([first], tmp_path / "new", listen=drew.append) == 1
    assert drew == ["landscape"]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        f"landscape.{x}" for x in ("png", "svg", "csv")
    }
    assert (tmp_path / "new" / "landscape.png").read_bytes().startswith(b"\x89PNG")
    assert "temperature T" in (tmp_path / "new" / "landscape.svg").read_text(encoding="utf-8")
    with (tmp_path / "new" / "landscape.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1", "3", "2"]
    assert math.isclose(float(rows[1]["accuracy"]), 0.7)
    assert rows[2]["accuracy"] == ""


def _pair_facts() -> PairFacts:
    (facts,) = ReportFacts(make_material(OWN, {PAIR: GOOD}), PAIR).pairs
    return facts
