"""One HTML file about a federation or a pair; it shows the numbers of the facts and computes none.

Figures and trials are stored in it compressed, and drawn when a reader opens them: otherwise 90 pairs would
take seconds to load and three times the space.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from autokd.claims.claim import Claim
from autokd.config.target import remark
from autokd.core.atomic_write import replacing
from autokd.core.colors import AROUND_OWN, legible_on
from autokd.core.setting import DEFAULT, Pair
from autokd.errors import InputError
from autokd.report.charts import Chart, federation_charts, pair_charts
from autokd.report.facts.decisions import answer_sentence
from autokd.report.facts.federation import sentence
from autokd.report.facts.report import PairFacts, ReportFacts
from autokd.report.facts.trials import TrialRow
from autokd.report.figures.common import as_json, percent
from autokd.report.figures.federation import cell_color
from autokd.report.pair_table import as_csv, side_by_side
from autokd.report.palette import DARK, KINDS
from autokd.statistics.paired import Interval
from autokd.text.escaping import finalize
from autokd.text.reasons import in_a_line

_ALWAYS = ("temperature", "alpha", "transfer_set")
"""Dimensions that the table of trials shows even if all trials have the same value."""
_COLUMNS = (
    {"name": "state"},
    {"name": "epochs run"},
    {"name": "accuracy, %", "decimals": 1},
    {"name": "gain, pp", "decimals": 1, "signed": True},
    {"name": "forgetting, pp", "decimals": 1, "signed": True},
    {"name": "seconds", "decimals": 1},
    {"name": "what happened"},
)
"""Columns of that table after number, role and setting; figures are on validation."""


_FEW = 2
"""Most pairs of which no matrix is drawn."""


def page(facts: ReportFacts) -> str:
    """Return the page of a federation, or of the one pair that is reported; same facts, same page."""
    library = Markup(plotly_source())
    if facts.pair is not None:
        return _render("single.html", **pair_content(facts, facts.pairs[0]), library=library)
    pairs = [_pair(pair_facts) for pair_facts in facts.pairs]
    return _render("federation.html", **federation_content(facts) | {"pairs": pairs}, library=library)


def plotly_source() -> str:
    """Return the library that draws the figures, as JavaScript."""
    return str(get_plotlyjs())


def federation_content(facts: ReportFacts) -> dict[str, Any]:
    """Return what `federation.html` shows but the panels of the pairs."""
    data = facts.data
    return {
        **_common(facts),
        "title": _federation(facts),
        "answer": answer_sentence(facts.answer),
        "headline": sentence(facts.headline),
        "pairs": facts.pairs,
        "pairs_with_records": {str(pair_facts.pair) for pair_facts in facts.pairs},
        "few": len(facts.pairs) <= _FEW,
        "csv": base64.b64encode(as_csv(facts.rows, data.names).encode()).decode(),
        "packed": _packed(federation_charts(facts), compared=side_by_side(facts.rows, data.names)),
    }


def pair_content(facts: ReportFacts, pair_facts: PairFacts) -> dict[str, Any]:
    """Return what `single.html` shows: the panel of one pair."""
    title = f"{facts.data.names.arrow(pair_facts.pair)} of {_federation(facts)}"
    return {**_common(facts), "title": title, "pairs": [_pair(pair_facts)]}


def write(text: str, path: Path) -> None:
    """Write a page; one that is there is replaced when the new one is complete.

    Raises:
        InputError: If no file can be written there.
    """
    try:
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        way_out = "name a file in a folder that you may write to"
        raise InputError(f"--out {path}: cannot be written ({error.strerror}); {way_out}") from error


@cache
def environment(*packages: str) -> Environment:
    """Return what renders the templates of this package, and before them those of other packages."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "autokd.report")]),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pp": _pp, "observed": _observed}
    environment.globals |= {
        "cell_color": cell_color,
        "legible_on": legible_on,
        "Pair": Pair,
        "pair_address": lambda teacher, student: f"#pair-{teacher}-{student}",
    }
    return environment


def _render(name: str, **content: object) -> str:
    return str(environment().get_template(name).render(**content))


def _common(facts: ReportFacts) -> dict[str, Any]:
    # What is marked as safe comes from this package, never from a store.
    return {
        "facts": facts,
        "data": facts.data,
        "dark": Markup(json.dumps(dict(DARK))),
        "kind_colors": KINDS,
        "scale": AROUND_OWN,
        "target": remark(facts.data.config.target),
    }


def _federation(facts: ReportFacts) -> str:
    data = facts.data
    return data.config.name if data.federation is None else data.federation.name


def _pair(facts: PairFacts) -> dict[str, Any]:
    charts = list(pair_charts(facts))
    return {
        "facts": facts,
        "charts": [chart.name for chart in charts],
        "packed": _packed(charts, trials=_trials(facts.trials)),
    }


def _trials(rows: Sequence[TrialRow]) -> dict[str, object]:
    """Return what the browser makes the table of trials from: columns, and a list for each row."""
    settings = [row.trial.setting.values() for row in rows]
    dimensions = [
        name for name in DEFAULT.values() if name in _ALWAYS or len({values[name] for values in settings}) > 1
    ]
    columns = [
        {"name": "trial"},
        {"name": "role"},
        *({"name": name.replace("_", " "), "digits": 3} for name in dimensions),
        *_COLUMNS,
    ]
    cells = [
        [
            row.trial.number,
            row.trial.role.value,
            *(setting[name] for name in dimensions),
            row.trial.state.value,
            row.trial.epochs,
            percent(row.trial.accuracy),
            row.gain,
            row.forgetting,
            row.seconds,
            in_a_line(row.trial.reason),
        ]
        for row, setting in zip(rows, settings, strict=True)
    ]
    return {"columns": columns, "rows": cells}


def _packed(charts: Iterable[Chart], **more: object) -> str:
    """Return base64 of gzip of JSON, which the browser unpacks; so no text in it can end a tag."""
    text = as_json({chart.name: chart.figure for chart in charts} | more)
    # Without the time of day, so that the same facts give the same page.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _observed(claim: Claim) -> str:
    """Return the figure of a claim in its unit, or nothing if there is none."""
    interval = claim.figure
    if interval is None:
        return ""
    if claim.unit == "pp":
        return str(interval)
    return f"{interval.mean:.0%} [{interval.low:.0%}, {interval.high:.0%}] of the pairs"


def _pp(figure: Interval | float | None) -> str:
    """Return a figure in pp, or say that it is not known."""
    if figure is None:
        return "not tried"
    return str(figure) if isinstance(figure, Interval) else f"{figure:+.1f} pp"
