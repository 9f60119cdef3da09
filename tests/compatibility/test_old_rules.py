"""Studies of rules 1 and 2 are judged as the versions that made them judged them, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from autokd.config.study import StudyConfig
from autokd.recommendation.interim_looks import seeds_wanted
from tests.recommendation.samples import make_plan, recommend_from
from tests.recommendation.test_interim_looks import BASIS, RESTLESS, confirmed
from tests.statistics.simulated import DIGITS

EXPECTED = Path(__file__).parent / "expected" / "rules_1_and_2.json"
ACCURACIES = ((0.75, 0.65), (0.66, 0.64), (0.58, 0.55), (0.62, 0.61), (0.64, 0.68))
PLANS: tuple[dict[str, Any], ...] = (
    {},
    {"objective": "gain_local"},
    {"constraints": {"max_forgetting": 2.0}},
)


def recommended() -> Iterator[dict[str, object]]:
    """Recommendations of simulated pairs, as `--json` prints them."""
    cases = product(ACCURACIES, (BASIS, RESTLESS), PLANS, (1, 2))
    for number, (accuracies, basis, aims, rule) in enumerate(cases):
        plain = make_plan(resamples=200).model_dump()
        config = StudyConfig.model_validate({**plain, **aims})
        federation, records = confirmed(accuracies, seeds=5, noise=DIGITS, basis=basis, seed=number)
        if rule == 1:
            records = replace(records, rule=1, bases=())
        recommendation = recommend_from(config, federation, records).to_json()
        del recommendation["decision"]  # What these rules did not know; it changes nothing of what they did.
        yield {"seeds": seeds_wanted(config, federation, records), **recommendation}


def test_the_same_records_give_the_same_recommendations() -> None:
    assert _rounded(json.dumps(list(recommended()))) == _rounded(EXPECTED.read_text())


def _rounded(text: str) -> object:
    """Read JSON without the last bits of p-values, which another processor adds up in another order."""
    return json.loads(text, parse_float=lambda number: round(float(number), 12))
