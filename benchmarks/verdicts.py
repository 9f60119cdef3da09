"""Verdicts in simulation, where the truth is known: nothing to find, power, and coverage.

    python -m benchmarks.verdicts [null power coverage] [--pairs 500]

Correctness is a probit model with crossed effects of seeds and examples, that of the tests. *null*: pairs
whose settings are all worth the same, 5 pp above as-is, go through the real queue, early stopping, race
and recommendation. *power*: how often an improvement is called `tuned`, from none to half as much again as
the smallest detectable one (`VarianceComponents.detectable`). *coverage*: of 95% intervals, with the
variances of seeds and examples that `benchmarks.swept` has measured on `digits`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.objective import Objective
from autokd.config.space import read_space
from autokd.config.yaml_files import read_study_config
from autokd.core.pair_records import PairRecords
from autokd.core.records import (
    FederationFacts,
    ParticipantFacts,
    RungReport,
    RunRecord,
    RunState,
    Stage,
    TrialOrigin,
    TrialRecord,
    TrialState,
)
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet, derive_seed
from autokd.execution.search_queue import SearchQueue
from autokd.recommendation import Verdict, judge_pair, recommend
from autokd.recommendation.evidence import Arm, Evidence
from autokd.recommendation.judgement import judge
from autokd.statistics.paired import variance_components
from tests.statistics.simulated import DIGITS, Noise, draw_arms

SPACE: Final = Path(__file__).parent / "frozen" / "default.yaml"
RESULTS: Final = Path(__file__).parent / "results"
SIZES: Final = {Split.VALIDATION: 200, Split.CONFIRMATION: 350, Split.TEST: 250}
OWN, REACHED = 0.60, 0.65
WINNER: Final = Setting(4.0, 0.1, TransferSet.BOTH)
Found = dict[str, Any]


class World:
    """A pair whose settings are all worth the same; examples are as hard for each of its models."""

    def __init__(self, number: int, noise: Noise) -> None:
        self.number, self.noise = number, noise
        self.dice = np.random.default_rng(number)
        self.difficulty = {split: self._normal(noise.difficulty, size) for split, size in SIZES.items()}
        self.tastes: dict[tuple[Setting, Split], NDArray[np.float64]] = {}
        self.own = {
            split: self._right(OWN, split, self._normal(noise.taste, SIZES[split])) for split in SIZES
        }

    def run(self, setting: Setting, seed: int, split: Split, accuracy: float = REACHED) -> NDArray[np.bool_]:
        """The same run is the same on each split and at each rung, up to its luck there."""
        if (setting, split) not in self.tastes:
            self.tastes[setting, split] = self._normal(self.noise.taste, SIZES[split])
        shift = np.random.default_rng(derive_seed(self.number, str(setting), seed)).normal(
            0, self.noise.shift
        )
        return self._right(accuracy, split, self.tastes[setting, split] + shift)

    def _right(self, accuracy: float, split: Split, own: NDArray[np.float64]) -> NDArray[np.bool_]:
        flutter = self._normal(self.noise.flutter, SIZES[split])
        level = norm.ppf(accuracy) * self.noise.scale
        return np.asarray(level + self.difficulty[split] + own + flutter > 0)

    def _normal(self, scale: float, size: int) -> NDArray[np.float64]:
        return self.dice.normal(0, scale, size)

    def facts(self) -> FederationFacts:
        participant = ParticipantFacts(number=0, architecture="any", histogram=(1,), correct=self.own)
        labels = {split: np.zeros(size, dtype=np.int64) for split, size in SIZES.items()}
        return FederationFacts(
            name="simulated",
            classes=("any",),
            labels=labels,
            participants=(participant, replace(participant, number=1)),
            public=1,
        )


class Records:
    """A store of one study, in memory."""

    def __init__(self) -> None:
        self.known: dict[int, TrialRecord] = {}
        self.finished: list[RunRecord] = []

    def trials(self, study: str) -> Sequence[TrialRecord]:
        return tuple(self.known.values())

    def begin_trial(self, study: str, setting: Setting, *, seed: int, role: Any, **rest: Any) -> TrialRecord:
        number = len(self.known)
        self.known[number] = TrialRecord(
            number=number, setting=setting, seed=seed, role=role, state=TrialState.RUNNING
        )
        return self.known[number]

    def report(self, study: str, number: int, report: RungReport) -> None:
        trial = self.known[number]
        curve = (*trial.curve, (report.epoch, report.accuracy))
        self.known[number] = replace(
            trial, curve=curve, forgetting_curve=(*trial.forgetting_curve, report.forgetting)
        )

    def end_trial(self, study: str, number: int, state: TrialState, **rest: Any) -> None:
        self.known[number] = replace(self.known[number], state=state)

    def add_run(self, study: str, run: RunRecord) -> None:
        self.finished.append(run)

    def evict(self, study: str) -> None:
        """Nothing: it is judged after its search."""


class AnySetting:
    """A sampler that draws from the whole space: where all settings are alike, none is better."""

    def __init__(self, seed: int) -> None:
        self._dice = np.random.default_rng(seed)

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        chosen = list(TransferSet)[self._dice.integers(4)]
        alpha = None if chosen is TransferSet.PUBLIC else float(self._dice.uniform(0, 1))
        return Setting(float(np.exp(self._dice.uniform(np.log(0.5), np.log(16)))), alpha, chosen)

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        """No other pair has a say."""
        return TrialOrigin.SEARCH

    def learn(self, study: str, trial: TrialRecord) -> None:
        """Nothing."""

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        """Return None: it believes nothing."""

    def expected(self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        """Return None: it believes nothing."""


def nothing_to_find(number: int, noise: Noise) -> Verdict:
    """One pair, searched, raced, confirmed and judged."""
    config, pair, world = read_study_config("digits"), Pair(0, 1), World(number, noise)
    facts, records = world.facts(), Records()
    store: Any = records
    queue = SearchQueue(
        config=config,
        space=read_space(str(SPACE)),
        federation=facts,
        meetings=[[pair]],
        read=lambda pair: PairRecords(pair=pair, study=f"simulated/{number}/0->1"),
        store=store,
        sampler=AnySetting(number),
        listen_seconds=float("inf"),
    )
    for serial in count():
        spec = queue.assign(str(serial))
        if spec is None:
            break
        _serve(queue, str(serial), spec, world, config.rungs)
    searched = PairRecords(
        pair=pair, study=f"simulated/{number}/0->1", trials=records.trials(""), runs=records.finished
    )
    return recommend(config, facts, searched, judge_pair(config, facts, searched)).verdict


def _serve(queue: SearchQueue, key: str, spec: RunSpec, world: World, rungs: Sequence[int]) -> None:
    if spec.stage is not None:
        splits = (Split.VALIDATION,) if spec.stage is Stage.RACE else (Split.CONFIRMATION, Split.TEST)
        correct = {split: world.run(spec.setting, spec.seed, split) for split in splits}
        done = RunRecord(
            stage=spec.stage,
            setting=spec.setting,
            seed=spec.seed,
            state=RunState.COMPLETE,
            correct=correct,
            forgetting=0.0,
            epochs=rungs[-1],
        )
        queue.end(key, done)
        return
    for epoch in rungs:
        reached = OWN + (REACHED - OWN) * epoch / rungs[-1]
        accuracy = float(world.run(spec.setting, spec.seed, Split.VALIDATION, reached).mean())
        report = RungReport(epoch, accuracy, 0.0, accuracy, 0.0, 0.0, 0.0)
        if epoch == rungs[-1] or not queue.report(key, report):
            queue.end(key, report)
            return


def null(pairs: int) -> Found:
    """Of pairs with nothing to find, how many are called what."""
    verdicts = Counter(nothing_to_find(number, DIGITS).value for number in range(pairs))
    return {"pairs": pairs, "verdicts": dict(sorted(verdicts.items()))}


def power(pairs: int) -> Found:
    """Share of `tuned` by the true improvement, with the default 5 pp above as-is."""
    rng, config = np.random.default_rng(1), ConfirmationConfig(resamples=1000)
    alike = [variance_components(*draw_arms(rng, (REACHED, REACHED), DIGITS)) for _ in range(2000)]
    unit = float(np.mean([components.detectable(config.confidence) for components in alike]))
    curve = {}
    for multiple in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5):
        accuracies = (REACHED + multiple * unit / 100, REACHED)
        verdicts = Counter(
            judge(evidence(*draw_arms(rng, accuracies, DIGITS, fixed=OWN)), config, seed=number).verdict
            for number in range(pairs)
        )
        curve[f"{multiple * unit:.2f}"] = verdicts[Verdict.TUNED] / pairs
    error = float(np.sqrt(np.mean([components.error**2 for components in alike])))
    return {"standard_error": error, "detectable": unit, "pairs": pairs, "tuned_by_improvement": curve}


def evidence(winner: NDArray[np.bool_], default: NDArray[np.bool_], own: NDArray[np.bool_]) -> Evidence:
    """The same runs on both splits; only confirmation decides."""
    both = {
        name: dict.fromkeys((Split.CONFIRMATION, Split.TEST), correct)
        for name, correct in (("winner", winner), ("default", default), ("own", own))
    }
    return Evidence(
        seeds=tuple(range(len(default))),
        own=both["own"],
        default=Arm(setting=DEFAULT, correct=both["default"], forgetting=None),
        winner=Arm(setting=WINNER, correct=both["winner"], forgetting=None),
    )


def fitted(variances: Mapping[str, float], *, fixed: bool) -> Noise:
    """The noise under which two arms, or an arm and a fixed model, differ by these variances in pp²."""
    wanted = np.array([variances[name] for name in ("seed", "example", "rest")])

    def miss(logs: NDArray[np.float64]) -> float:
        taste, shift, flutter = np.exp(logs)
        noise = Noise(taste=taste, shift=shift, flutter=flutter)
        rng = np.random.default_rng(0)
        accuracies = (0.70,) if fixed else (0.70, 0.65)
        first, second = draw_arms(
            rng, accuracies, noise, fixed=0.60 if fixed else None, seeds=60, examples=4000
        )
        components = variance_components(first, second)
        parts = [
            components.seed - components.residual,
            components.example - components.residual,
            components.residual,
        ]
        scale = [components.seeds, components.examples, components.seeds * components.examples]
        seen = np.array(parts) * np.array(scale)
        return float((np.log(np.maximum(seen, 1e-3) / wanted) ** 2).sum())

    start = np.log([0.5, 0.05, 0.3])
    simplex = start + np.vstack([np.zeros(3), 0.5 * np.eye(3)])
    best = minimize(miss, start, method="Nelder-Mead", options={"initial_simplex": simplex})
    if best.fun > 0.01:
        raise ValueError(f"no noise was found that has variances {dict(variances)}")
    taste, shift, flutter = np.exp(best.x)
    return Noise(taste=float(taste), shift=float(shift), flutter=float(flutter))


def coverage(pairs: int) -> Found:
    """Share of 95% intervals that hold the truth, with what `benchmarks.swept` has measured."""
    measured = json.loads((RESULTS / "swept.json").read_text())["variances"]
    covered: Found = {}
    for name, variances in measured.items():
        fixed = name.endswith("as-is")
        noise, rng = fitted(variances, fixed=fixed), np.random.default_rng(2)
        accuracies, gap = ((0.70,), 10.0) if fixed else ((0.70, 0.65), 5.0)
        held = 0
        for _ in range(4 * pairs):
            first, second = draw_arms(rng, accuracies, noise, fixed=0.60 if fixed else None)
            reach = variance_components(first, second).half_width(0.95)
            held += abs(100 * (first.mean() - second.mean()) - gap) <= reach
        covered[name] = {
            "variances": variances,
            "noise": {"taste": noise.taste, "shift": noise.shift, "flutter": noise.flutter},
            "simulations": 4 * pairs,
            "coverage": held / (4 * pairs),
        }
    return covered


PARTS: Final = {"null": null, "power": power, "coverage": coverage}


def main() -> None:
    """Simulate what was asked for, print it, and keep it beside what was kept before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help="by default all")
    parser.add_argument("--pairs", type=int, default=500)
    options = parser.parse_args()
    output = RESULTS / "verdicts.json"
    kept: Found = json.loads(output.read_text()) if output.exists() else {}
    for part in options.parts:
        kept[part] = PARTS[part](options.pairs)
        print(part, json.dumps(kept[part], indent=2), flush=True)
        output.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
