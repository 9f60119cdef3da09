"""Rule 2 in simulation, where the truth is known: errors, power, coverage and bias under several looks.

    python -m benchmarks.looks [--pairs 5000] [--cells alike differing two alone] [--out FILE]

Correctness is the probit model of the tests. Pairs come one after another as in a batch: each gets its priors
from those that were finished before it, and is judged look by look by the functions of the package, bootstrap
included. *null*: default and winner are worth the same, 5 pp above as-is. *power*: the winner is 5.5 pp
better than the default. Beside it stands rule 1 on the same pairs: five seeds, each pair alone.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from math import log
from pathlib import Path
from typing import Any, Final

import numpy as np

from autokd.config.study import ConfirmationConfig
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet
from autokd.core.verdict_basis import SearchBounds, VerdictBasis
from autokd.recommendation.evidence import Arm, Evidence
from autokd.recommendation.power import can_still_change
from autokd.recommendation.verdict import Judgement, Verdict, judge
from autokd.search.basis import error_of, planned_looks, seed_share
from autokd.statistics.looks import confidence_of_each, correlations
from autokd.statistics.moderation import VariancePool, variance_prior
from tests.statistics.simulated import DIGITS, draw_arms

RESULTS: Final = Path(__file__).parent / "results" / "looks.json"
CONFIG: Final = ConfirmationConfig(resamples=400)
WINNER: Final = Setting(4.0, 0.1, TransferSet.BOTH)
OWN, REACHED, EFFECT = 0.60, 0.65, 0.055
SIZES: Final = {Split.CONFIRMATION: 350, Split.TEST: 250}


@dataclass(frozen=True)
class Cell:
    """How the pairs of a simulated batch are.

    Attributes:
        pairs: Pairs of one batch.
        factor: Largest seed noise (standard deviation) over the smallest one.
    """

    pairs: int
    factor: float = 1.0


CELLS: Final = {"alike": Cell(90), "differing": Cell(90, 4.0), "two": Cell(2), "alone": Cell(1)}


def batch(cell: Cell, effect: float, seed: int) -> list[dict[str, Any]]:
    """Judge the pairs of one batch, one after the other."""
    rng, pool = np.random.default_rng(seed), VariancePool()
    found = []
    for number in range(cell.pairs):
        shift = DIGITS.shift * float(np.exp(rng.uniform(-log(cell.factor) / 2, log(cell.factor) / 2)))
        whole = _evidence(rng, effect, shift)
        basis = _basis(pool, f"{number:03}")
        for seeds in basis.looks:
            judged = judge(_first(whole, seeds), CONFIG, seed=number, basis=basis)
            if not can_still_change(judged, CONFIG.min_improvement, seeds=basis.looks[-1]):
                break
        pool.add(f"{number:03}", judged.variance_samples())
        before = judge(whole, CONFIG, seed=number)
        found.append({**_figures(judged, effect), "rule 1": before.verdict.value})
    return found


def _evidence(rng: np.random.Generator, effect: float, shift: float) -> Evidence:
    noise = replace(DIGITS, shift=shift)
    arms = draw_arms(rng, (REACHED + effect, REACHED), noise, fixed=OWN, examples=sum(SIZES.values()))
    cut = SIZES[Split.CONFIRMATION]
    winner, default, own = ({Split.CONFIRMATION: arm[..., :cut], Split.TEST: arm[..., cut:]} for arm in arms)
    return Evidence(
        seeds=tuple(range(5)),
        own=own,
        default=Arm(setting=DEFAULT, correct=default, forgetting=None),
        winner=Arm(setting=WINNER, correct=winner, forgetting=None),
    )


def _first(whole: Evidence, seeds: int) -> Evidence:
    def cut(arm: Arm) -> Arm:
        return replace(arm, correct={split: correct[:seeds] for split, correct in arm.correct.items()})

    assert whole.winner is not None
    return replace(whole, seeds=whole.seeds[:seeds], default=cut(whole.default), winner=cut(whole.winner))


def _basis(pool: VariancePool, study: str) -> VerdictBasis:
    """What the driver fixes before the first confirmation run."""
    others = pool.others(study)
    priors = {name: prior for name, samples in others.items() if (prior := variance_prior(samples))}
    looks, share = planned_looks(CONFIG, alone=not priors), seed_share(priors, others)
    return VerdictBasis(
        trials=0,
        search=SearchBounds(0, 0.0, 1.0),
        ended="",
        winner=WINNER,
        looks=looks,
        confidence=confidence_of_each(1 - error_of(CONFIG, 0), correlations(looks, share)),
        seed_share=share,
        priors=priors,
    )


def _figures(judged: Judgement, effect: float) -> dict[str, Any]:
    figures = judged.decisive
    assert figures.improvement is not None
    assert judged.test.winner_gain is not None
    truth, gain = 100 * effect, 100 * (REACHED + effect - OWN)
    assert judged.confirmation.winner_gain is not None
    return {
        "verdict": judged.verdict.value,
        "runs": 2 * len(judged.evidence.seeds),
        "held": figures.improvement.low <= truth <= figures.improvement.high,
        "held on test": judged.test.winner_gain.low <= gain <= judged.test.winner_gain.high,
        "bias": judged.confirmation.winner_gain.mean - gain,
        "bias on test": judged.test.winner_gain.mean - gain,
        "p": judged.p_beats_default,
    }


def simulate(name: str, effect: float, pairs: int, processes: int | None) -> dict[str, Any]:
    """Return the figures of one cell."""
    cell = CELLS[name]
    batches = -(-pairs // cell.pairs)
    first = 1_000_000 * (list(CELLS).index(name) + 1) + (500_000 if effect else 0)
    with ProcessPoolExecutor(processes) as pool:
        seeds = range(first, first + batches)
        chunk = max(1, batches // 40)
        rows = [
            row
            for found in pool.map(batch, repeat(cell, batches), repeat(effect), seeds, chunksize=chunk)
            for row in found
        ]
    return _summary(rows)


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    tuned = [row for row in rows if row["verdict"] == Verdict.TUNED]
    early = [row for row in rows if row["runs"] < 10]

    def mean(name: str, among: list[dict[str, Any]]) -> float:
        return float(np.mean([row[name] for row in among])) if among else float("nan")

    return {
        "pairs": len(rows),
        "tuned": len(tuned) / len(rows),
        "tuned by rule 1": sum(row["rule 1"] == Verdict.TUNED for row in rows) / len(rows),
        "verdicts": dict(sorted(Counter(row["verdict"] for row in rows).items())),
        "runs": mean("runs", rows),
        "coverage": mean("held", rows),
        "coverage on test": mean("held on test", rows),
        "bias of the gain, tuned": mean("bias", tuned),
        "bias of the gain on test, tuned": mean("bias on test", tuned),
        "bias of the gain on test, ended early": mean("bias on test", early),
        "p below 5%": float(np.mean([row["p"] <= 0.05 for row in rows])),
        "p below 20%": float(np.mean([row["p"] <= 0.2 for row in rows])),
    }


def _kept(out: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    return kept


def _jobs(cells: list[str], pairs: int) -> Iterator[tuple[str, str, float, int]]:
    for name in cells:
        yield name, "null", 0.0, pairs
        yield name, "power", EFFECT, max(1, pairs // 5)


def main() -> None:
    """Simulate what is not there yet, print it, and keep it cell by cell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--pairs", type=int, default=5000, help="null pairs of a cell; a fifth for power")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--again", action="store_true", help="also what the file has")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    for name, kind, effect, pairs in _jobs(options.cells, options.pairs):
        kept = _kept(options.out)
        if kind in kept.get(name, {}) and not options.again:
            continue
        figures = simulate(name, effect, pairs, options.processes)
        print(name, kind, json.dumps(figures, indent=2), flush=True)
        kept.setdefault(name, {})[kind] = figures
        options.out.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
