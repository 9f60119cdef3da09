"""The rule in simulation, where the truth is known: errors, power, coverage and bias under several looks.

    python -m benchmarks.looks [--pairs 5000] [--cells alike ...] [--kinds null ...] [--out FILE]

Correctness is the probit model of the tests. Pairs come one after another as in a batch: each gets its priors
from those that were finished before it, and is judged look by look by the functions of the package, bootstrap
included. Beside it stands rule 1 on the same pairs: five seeds, each pair alone.

*null*: all arms are worth the same, 5 pp above as-is. *power*: the winner is 5.5 pp better than the default.
Of rule 3, each with one of its conditions at the border: *budget*: the winner is worth as much as the default
at a budget of its own, 5.5 pp above the default. *corrected*: as much as the corrected own model. *nothing*:
both arms gain the least improvement over both own models, and `skip` is the error.
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

from autokd.config.confirmation import ConfirmationConfig
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet
from autokd.core.verdict_basis import DEFAULT_BUDGET, SearchBounds, VerdictBasis
from autokd.recommendation.evidence import Arm, Evidence
from autokd.recommendation.judgement import Judgement, judge
from autokd.recommendation.power import can_still_change
from autokd.recommendation.verdict import Verdict
from autokd.search.basis import error_of, planned_looks, seed_share
from autokd.statistics.looks import confidence_of_each, correlations
from autokd.statistics.moderation import VariancePool, variance_prior
from tests.statistics.simulated import DIGITS, draw_arms

RESULTS: Final = Path(__file__).parent / "results" / "looks.json"
CONFIG: Final = ConfirmationConfig(resamples=400)
WINNER: Final = Setting(4.0, 0.1, TransferSet.BOTH)
LONGER: Final = replace(DEFAULT, epochs=40)
OWN, REACHED, EFFECT, LEAST = 0.60, 0.65, 0.055, 0.005
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


@dataclass(frozen=True)
class Truth:
    """Expected accuracies of the arms, and of the corrected own model; that of the own model is `OWN`.

    Attributes:
        longer: Of the default at a budget of its own.
        share: Pairs of this kind for each one of *null*.
    """

    winner: float = REACHED
    default: float = REACHED
    longer: float = REACHED
    corrected: float = OWN
    share: float = 1.0


KINDS: Final = {
    "null": Truth(),
    "power": Truth(winner=REACHED + EFFECT, share=0.2),
    "budget": Truth(winner=REACHED + EFFECT, longer=REACHED + EFFECT),
    "corrected": Truth(winner=REACHED + EFFECT, corrected=REACHED + EFFECT),
    "nothing": Truth(winner=OWN + LEAST, default=OWN + LEAST, longer=OWN + LEAST),
}
CELLS: Final = {"alike": Cell(90), "differing": Cell(90, 4.0), "two": Cell(2), "alone": Cell(1)}


def batch(cell: Cell, truth: Truth, seed: int) -> list[dict[str, Any]]:
    """Judge the pairs of one batch, one after the other."""
    rng, pool = np.random.default_rng(seed), VariancePool()
    verdicts = []
    for number in range(cell.pairs):
        shift = DIGITS.shift * float(np.exp(rng.uniform(-log(cell.factor) / 2, log(cell.factor) / 2)))
        whole = _evidence(rng, truth, shift)
        basis = _basis(pool, f"{number:03}")
        for seeds in basis.looks:
            judged = judge(_first(whole, seeds), CONFIG, seed=number, basis=basis)
            if not can_still_change(judged, CONFIG.min_improvement, seeds=basis.looks[-1]):
                break
        pool.add(f"{number:03}", judged.variance_samples())
        before = judge(replace(whole, corrected=None, rivals={}), CONFIG, seed=number)
        verdicts.append({**_figures(judged, truth), "rule 1": before.verdict.value})
    return verdicts


def _evidence(rng: np.random.Generator, truth: Truth, shift: float) -> Evidence:
    noise = replace(DIGITS, shift=shift)
    levels = (truth.winner, truth.default, truth.longer)
    fixed = (truth.corrected, OWN)
    arms = draw_arms(rng, levels, noise, fixed=fixed, examples=sum(SIZES.values()))
    cut = SIZES[Split.CONFIRMATION]
    winner, default, longer, corrected, own = (
        {Split.CONFIRMATION: arm[..., :cut], Split.TEST: arm[..., cut:]} for arm in arms
    )
    return Evidence(
        seeds=tuple(range(5)),
        own=own,
        default=Arm(setting=DEFAULT, correct=default, forgetting=None),
        winner=Arm(setting=WINNER, correct=winner, forgetting=None),
        corrected=corrected,
        rivals={DEFAULT_BUDGET: Arm(setting=LONGER, correct=longer, forgetting=None)},
    )


def _first(whole: Evidence, seeds: int) -> Evidence:
    def cut(arm: Arm) -> Arm:
        return replace(arm, correct={split: correct[:seeds] for split, correct in arm.correct.items()})

    assert whole.winner is not None
    return replace(
        whole,
        seeds=whole.seeds[:seeds],
        default=cut(whole.default),
        winner=cut(whole.winner),
        rivals={name: cut(arm) for name, arm in whole.rivals.items()},
    )


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
        rivals={DEFAULT_BUDGET: LONGER},
    )


def _figures(judged: Judgement, truth: Truth) -> dict[str, Any]:
    figures = judged.decisive
    assert figures.improvement is not None
    assert judged.test.winner_gain is not None
    improvement, gain = 100 * (truth.winner - truth.default), 100 * (truth.winner - OWN)
    assert judged.confirmation.winner_gain is not None
    return {
        "verdict": judged.verdict.value,
        "runs": len(judged.evidence.arms) * len(judged.evidence.seeds),
        "early": len(judged.evidence.seeds) < CONFIG.seeds,
        "held": figures.improvement.low <= improvement <= figures.improvement.high,
        "held on test": judged.test.winner_gain.low <= gain <= judged.test.winner_gain.high,
        "bias": judged.confirmation.winner_gain.mean - gain,
        "bias on test": judged.test.winner_gain.mean - gain,
        "p": judged.p_beats_default,
    }


def simulate(name: str, kind: str, pairs: int, processes: int | None) -> dict[str, Any]:
    """Return the figures of one kind of pairs in one cell."""
    cell, truth = CELLS[name], KINDS[kind]
    batches = -(-pairs // cell.pairs)
    first = 1_000_000 * (list(CELLS).index(name) + 1) + 100_000 * list(KINDS).index(kind)
    with ProcessPoolExecutor(processes) as pool:
        seeds = range(first, first + batches)
        chunk = max(1, batches // 40)
        rows = [
            row
            for part in pool.map(batch, repeat(cell, batches), repeat(truth), seeds, chunksize=chunk)
            for row in part
        ]
    return _summary(rows)


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    tuned = [row for row in rows if row["verdict"] == Verdict.TUNED]
    early = [row for row in rows if row["early"]]

    def mean(name: str, among: list[dict[str, Any]]) -> float:
        return float(np.mean([row[name] for row in among])) if among else float("nan")

    return {
        "pairs": len(rows),
        "tuned": len(tuned) / len(rows),
        "skip": sum(row["verdict"] == Verdict.SKIP for row in rows) / len(rows),
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


def _jobs(cells: list[str], kinds: list[str], pairs: int) -> Iterator[tuple[str, str, int]]:
    for name in cells:
        for kind in kinds:
            yield name, kind, max(1, round(KINDS[kind].share * pairs))


def main() -> None:
    """Simulate what is not there yet, print it, and keep it cell by cell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=CELLS)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--pairs", type=int, default=5000, help="pairs of a kind and cell; a fifth for power")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--again", action="store_true", help="also what the file has")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    for name, kind, pairs in _jobs(options.cells, options.kinds, options.pairs):
        kept = _kept(options.out)
        if kind in kept.get(name, {}) and not options.again:
            continue
        figures = simulate(name, kind, pairs, options.processes)
        print(name, kind, json.dumps(figures, indent=2), flush=True)
        kept.setdefault(name, {})[kind] = figures
        options.out.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
