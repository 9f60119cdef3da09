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
from benchmarks.pairs import pair_of
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


def row(table: Table, recommendation: Recommendation) -> Row | None:
    """None where the default stands alone."""
    judgement = recommendation.judgement
    if judgement is None or judgement.evidence.winner is None:
        return None
    winner, default = judgement.evidence.winner, judgement.evidence.default
    split = Split.CONFIRMATION
    spread = variance_components(winner.correct[split], default.correct[split])
    gain_spread = variance_components(winner.correct[split], judgement.evidence.own[split])
    effect, gain = true_effects(table, pair_of(recommendation.pair), winner.setting, judgement.evidence)
    return Row(
        pair=str(recommendation.pair),
        verdict=recommendation.verdict.value,
        true=effect,
        detectable=spread.detectable(judgement.confidence),
        true_gain=gain,
        detectable_gain=gain_spread.detectable(judgement.confidence),
        recommended=recommendation.recommended_gain.mean,
        default=judgement.test.default_gain.mean,
    )


def true_effects(table: Table, pair: Pair, setting: Setting, evidence: Evidence) -> tuple[float, float]:
    """Of a setting over the default and over as-is, by the table's seeds and the examples of two splits."""
    gains = table.gain[table.row[pair]].mean(axis=1)
    splits = [place for place, split in enumerate(SPLITS) if split is not Split.VALIDATION]
    sizes = [evidence.own[SPLITS[place]].size for place in splits]
    gain, default = (
        float(np.average(gains[column, splits], weights=sizes))
        for column in (table.column[setting], table.default)
    )
    return gain - default, gain


def variances(spreads: list[VarianceComponents]) -> dict[str, float]:
    """Means over pairs of what one seed, one example and one of both vary by, in pp² of correctness."""
    parts = {
        "seed": [spread.seeds * (spread.seed - spread.residual) for spread in spreads],
        "example": [spread.examples * (spread.example - spread.residual) for spread in spreads],
        "rest": [spread.seeds * spread.examples * spread.residual for spread in spreads],
    }
    return {name: float(np.mean(values)) for name, values in parts.items()}


def measured(recommendations: list[Recommendation]) -> dict[str, dict[str, float]]:
    """The variances of the two differences that a verdict rests on, on confirmation."""
    split = Split.CONFIRMATION
    known = [
        recommendation.judgement.evidence
        for recommendation in recommendations
        if recommendation.judgement is not None
    ]
    both = [
        (evidence.winner, evidence.default, evidence.own[split])
        for evidence in known
        if evidence.winner is not None
    ]
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
    return {"pairs": len(rows), "tuned": sum(row.verdict == "tuned" for row in rows)}


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
        pairs = some_pairs(workspace.config.federation.size, options.pairs)
        if tune_all(workspace, pairs, position=Position.STUDENT).interrupted:
            raise SystemExit(130)
        recommendations = [recommend(workspace, pair) for pair in pairs]
    rows = [line for line in (row(table, each) for each in recommendations) if line is not None]
    visible = [line for line in rows if line.true > line.detectable]
    both = [line for line in visible if line.true_gain > line.detectable_gain]
    means = {
        name: dyadic_interval({Pair.parse(line.pair): getattr(line, name) for line in rows}).to_json()
        for name in ("recommended", "default")
    }
    content = {
        "federation": recommendations[0].federation,
        "pairs": len(recommendations),
        "with_a_winner": len(rows),
        "verdicts": dict(
            sorted(Counter(recommendation.verdict.value for recommendation in recommendations).items())
        ),
        "effects_exceed_detectable": tuned_of(both),
        "effect_over_the_default_alone": tuned_of(visible),
        "tuned_although_not_better": sum(line.verdict == "tuned" and line.true <= 0 for line in rows),
        "detectable": {
            "median": float(np.median([line.detectable for line in rows])),
            "largest": max(line.detectable for line in rows),
        },
        "mean_test_gain": means,
        "variances": measured(recommendations),
        "rows": [asdict(line) for line in rows],
    }
    OUTPUT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in content.items() if name != "rows"}, indent=2))


if __name__ == "__main__":
    main()
