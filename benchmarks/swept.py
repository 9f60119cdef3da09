"""Verdicts held against the swept table: is an effect that is there, and large enough to see, called `tuned`?

    python -m benchmarks.swept [--pairs 30] [--trials 8] [--home DIRECTORY]

Pairs of `digits`, drawn by chance, are searched on the grid `poster_sweep`, raced and confirmed for real,
with seeds that the recorded table (`benchmarks/tables/digits.parquet`) does not have. The true effects of a
winner, over the default and over as-is, are taken from the table: the mean of its two seeds over the
confirmation and test examples. The smallest detectable ones follow from a pair's own confirmation runs. Of
pairs of which both exceed that, four in five should be `tuned`, which needs both to be shown. How much seeds
and examples make figures vary is measured on the way; that is what `benchmarks.verdicts` simulates with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from autokd.core.setting import Pair, Position, Setting, Split
from autokd.recommendation.evidence import Evidence
from autokd.recommendation.recommendation import Recommendation
from autokd.statistics.dyadic import dyadic_interval
from autokd.statistics.paired import VarianceComponents, variance_components
from autokd.workflows.recommend import recommend
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from benchmarks.null import some_pairs
from benchmarks.simulation.table import SPLITS, Table, load

OUTPUT: Final = Path(__file__).parent / "results" / "swept.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair; effects of the winner in pp.

    Attributes:
        true: True effect over the default, by the table.
        detectable: Smallest effect over the default that the pair's own confirmation runs show in four of
            five cases.
        true_gain: True gain over the model as it is.
        detectable_gain: Smallest such gain that these runs show in four of five cases.
        recommended: Gain on test of what is recommended; 0 where that is nothing.
        default: Gain on test of the default.
    """

    pair: str
    verdict: str
    true: float
    detectable: float
    true_gain: float
    detectable_gain: float
    recommended: float
    default: float


def row(table: Table, found: Recommendation) -> Row | None:
    """None where the default stands alone."""
    judgement = found.judgement
    if judgement is None or judgement.evidence.winner is None:
        return None
    winner, default = judgement.evidence.winner, judgement.evidence.default
    split = Split.CONFIRMATION
    spread = variance_components(winner.correct[split], default.correct[split])
    gain_spread = variance_components(winner.correct[split], judgement.evidence.own[split])
    effect, gain = true_effects(table, found.pair, winner.setting, judgement.evidence)
    return Row(
        pair=str(found.pair),
        verdict=found.verdict.value,
        true=effect,
        detectable=spread.detectable(judgement.confidence),
        true_gain=gain,
        detectable_gain=gain_spread.detectable(judgement.confidence),
        recommended=found.recommended_gain.mean,
        default=judgement.test.default_gain.mean,
    )


def true_effects(table: Table, pair: Pair, setting: Setting, evidence: Evidence) -> tuple[float, float]:
    """Of a setting over the default and over as-is, by the table's seeds and the examples of two splits."""
    gains = table.gain[table.row[pair]].mean(axis=1)
    splits = [place for place, one in enumerate(SPLITS) if one is not Split.VALIDATION]
    sizes = [evidence.own[SPLITS[place]].size for place in splits]
    gain, default = (
        float(np.average(gains[column, splits], weights=sizes))
        for column in (table.column[setting], table.default)
    )
    return gain - default, gain


def variances(spreads: list[VarianceComponents]) -> dict[str, float]:
    """Means over pairs of what one seed, one example and one of both vary by, in pp² of correctness."""
    parts = {
        "seed": [one.seeds * (one.seed - one.residual) for one in spreads],
        "example": [one.examples * (one.example - one.residual) for one in spreads],
        "rest": [one.seeds * one.examples * one.residual for one in spreads],
    }
    return {name: float(np.mean(values)) for name, values in parts.items()}


def measured(found: list[Recommendation]) -> dict[str, dict[str, float]]:
    """The variances of the two differences that a verdict rests on, on confirmation."""
    split = Split.CONFIRMATION
    known = [one.judgement.evidence for one in found if one.judgement is not None]
    both = [(one.winner, one.default, one.own[split]) for one in known if one.winner is not None]
    return {
        "winner minus default": variances(
            [
                variance_components(winner.correct[split], default.correct[split])
                for winner, default, _ in both
            ]
        ),
        "winner minus as-is": variances(
            [variance_components(winner.correct[split], own) for winner, _, own in both]
        ),
    }


def tuned_of(rows: list[Row]) -> dict[str, int]:
    """How many there are, and how many of them are `tuned`."""
    return {"pairs": len(rows), "tuned": sum(one.verdict == "tuned" for one in rows)}


def main() -> None:
    """Tune, hold against the table, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--home", type=Path, help="by default made and thrown away")
    options = parser.parse_args()
    table = load("digits")
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workspace = Workspace.open("digits", home=home, space="poster_sweep", trials=options.trials)
        pairs = some_pairs(workspace.config.federation.participants, options.pairs)
        if tune_all(workspace, pairs, position=Position.STUDENT).interrupted:
            raise SystemExit(130)
        found = [recommend(workspace, pair) for pair in pairs]
    rows = [one for one in (row(table, each) for each in found) if one is not None]
    visible = [one for one in rows if one.true > one.detectable]
    both = [one for one in visible if one.true_gain > one.detectable_gain]
    means = {
        name: dyadic_interval({Pair.parse(one.pair): getattr(one, name) for one in rows}).to_json()
        for name in ("recommended", "default")
    }
    content = {
        "federation": found[0].federation,
        "pairs": len(found),
        "with_a_winner": len(rows),
        "verdicts": dict(sorted(Counter(one.verdict.value for one in found).items())),
        "effects_exceed_detectable": tuned_of(both),
        "effect_over_the_default_alone": tuned_of(visible),
        "tuned_although_not_better": sum(one.verdict == "tuned" and one.true <= 0 for one in rows),
        "detectable": {
            "median": float(np.median([one.detectable for one in rows])),
            "largest": max(one.detectable for one in rows),
        },
        "mean_test_gain": means,
        "variances": measured(found),
        "rows": [asdict(one) for one in rows],
    }
    OUTPUT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in content.items() if name != "rows"}, indent=2))


if __name__ == "__main__":
    main()
