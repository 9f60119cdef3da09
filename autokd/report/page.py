"""One HTML file about a federation, or about a pair; its numbers are the facts', none is worked out here.

Figures and trials stand in it packed, and are drawn when a reader comes to them: ninety pairs would otherwise
take seconds to load and three times the room.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autokd.claims.claim import Claim
from autokd.core.colors import AROUND_OWN, legible_on
from autokd.core.setting import DEFAULT, Pair
from autokd.errors import InputError
from autokd.recommendation import Verdict
from autokd.report import drawings
from autokd.report.drawings import Drawing, own_accuracy
from autokd.report.facts.costs import anytime_facts, cost_facts
from autokd.report.facts.dimensions import best_facts, forgotten, importance
from autokd.report.facts.federation import LETTERS, Cell, MatrixFacts, headline_facts, matrices, sentence
from autokd.report.facts.made import made_facts, pair_made
from autokd.report.facts.participants import participants_facts
from autokd.report.facts.poster import poster_tables
from autokd.report.facts.trials import TrialRow, class_rows, trial_rows
from autokd.report.figures import as_json, library
from autokd.report.figures.federation import cell_color
from autokd.report.material import Material, PairMaterial
from autokd.report.palette import DARK, VERDICTS
from autokd.statistics.paired import Interval

_ALWAYS = ("temperature", "alpha", "transfer_set")
"""Dimensions that the table of trials has even if they are the same in all."""
_COLUMNS = (
    {"name": "state"},
    {"name": "epochs run"},
    {"name": "accuracy, %", "decimals": 1},
    {"name": "gain, pp", "decimals": 1, "signed": True},
    {"name": "forgetting, pp", "decimals": 1, "signed": True},
    {"name": "seconds", "decimals": 1},
    {"name": "what happened"},
)
"""Of that table, after number, role and setting; figures are on validation."""


def page(material: Material) -> str:
    """The whole federation as text; the same material gives the same page."""
    return _render(
        "federation.html",
        **_shared(material),
        title=material.plan.name if material.federation is None else material.federation.name,
        headline=sentence(headline_facts(material)),
        participants=participants_facts(material),
        matrices=matrices(material),
        verdicts={verdict: headline_facts(material).verdicts.get(verdict, 0) for verdict in Verdict},
        pairs=[_pair(material, one) for one in material.pairs],
        posters=poster_tables(material),
        best=best_facts(material),
        forgotten=forgotten(material),
        importance=importance(material),
        anytime=anytime_facts(material),
        cost=cost_facts(material),
        made=made_facts(material),
        packed=_packed(drawings.federation_drawings(material)),
    )


def pair_page(material: Material, pair: Pair) -> str:
    """One pair as text; the same material gives the same page."""
    return _render(
        "single.html",
        **_shared(material),
        title=f"{pair} of {material.plan.name if material.federation is None else material.federation.name}",
        one=_pair(material, material.of(pair)),
        made=made_facts(material, pair),
    )


def write(text: str, path: Path) -> None:
    """Write a page.

    Raises:
        InputError: If no file can be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        way_out = "name a file in a folder that you may write to"
        raise InputError(f"--out {path}: cannot be written ({error.strerror}); {way_out}") from error


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("autokd.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"pp": _pp, "observed": _observed}
    found.globals |= {"cell_color": cell_color, "legible_on": legible_on, "cell": _cell}
    return found


def _render(name: str, **content: object) -> str:
    return str(_environment().get_template(name).render(**content))


def _shared(material: Material) -> dict[str, Any]:
    """What stands on every page; the parts that are no text come from this package, never from a store."""
    folder = files("autokd.report").joinpath("templates")
    return {
        "material": material,
        "style": Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        "script": Markup(folder.joinpath("page.js").read_text(encoding="utf-8")),
        "library": Markup(library()),
        "dark": Markup(json.dumps(dict(DARK))),
        "letters": LETTERS,
        "verdict_colors": VERDICTS,
        "scale": AROUND_OWN,
        "known": {str(one.pair) for one in material.pairs},
    }


def _cell(facts: MatrixFacts, teacher: int, student: int) -> Cell | None:
    return facts.cells.get(Pair(teacher, student))


def _pair(material: Material, one: PairMaterial) -> dict[str, Any]:
    rows = trial_rows(one.records.trials, one.records.reports, own=own_accuracy(material, one))
    drawn = list(drawings.pair_drawings(material, one))
    return {
        "material": one,
        "found": one.found,
        "classes": class_rows(one.found, material.federation),
        "figures": [drawing.name for drawing in drawn],
        "trials": len(rows),
        "made": pair_made(one),
        "packed": _packed(drawn, trials=_trials(rows)),
    }


def _trials(rows: Sequence[TrialRow]) -> dict[str, object]:
    """The table of trials, which the browser makes: columns, and a list for each row."""
    dimensions = [
        name for name in DEFAULT.values() if name in _ALWAYS or len({row.setting[name] for row in rows}) > 1
    ]
    columns = [
        {"name": "trial"},
        {"name": "role"},
        *({"name": name.replace("_", " "), "digits": 3} for name in dimensions),
        *_COLUMNS,
    ]
    return {"columns": columns, "rows": [_cells(row, dimensions) for row in rows]}


def _cells(row: TrialRow, dimensions: Sequence[str]) -> list[object]:
    return [
        row.number,
        row.role,
        *(row.setting[name] for name in dimensions),
        row.state,
        row.epochs,
        None if row.accuracy is None else 100 * row.accuracy,
        row.gain,
        row.forgetting,
        row.seconds,
        row.reason,
    ]


def _packed(drawn: Iterable[Drawing], **more: object) -> str:
    """As the browser unpacks it: base64 of gzip of JSON, in which no name can end a tag."""
    text = as_json({one.name: one.figure for one in drawn} | more)
    # No time of day, so that the same facts give the same page.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _observed(one: Claim) -> str:
    """The figure of an observation in its unit; nothing where there is none."""
    if one.figure is None:
        return ""
    if one.unit == "pp":
        return str(one.figure)
    return f"{one.figure.mean:.2f} [{one.figure.low:.2f}, {one.figure.high:.2f}] {one.unit}"


def _pp(figure: Interval | float | None, decimals: int = 1) -> str:
    """In pp, or that it is not known."""
    if figure is None:
        return "not tried"
    return str(figure) if isinstance(figure, Interval) else f"{figure:+.{decimals}f} pp"
