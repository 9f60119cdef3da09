"""Results of a pair's sweep: every setting with the same seeds, evaluated on every split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, RunRecord, RunState
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet, moved, plain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweptArm:
    """The students of one setting.

    Attributes:
        correct: Correctness by split, shape (seeds, examples), or (examples,) for a single seed.
        forgetting: Mean forgetting over seeds in pp, by split.
        weights: Weights of the examples on the target distribution of the pair's student.
    """

    correct: Mapping[Split, Correctness]
    forgetting: Mapping[Split, float]
    weights: ExampleWeights = EVEN

    def accuracy(self, split: Split) -> float:
        """Return the mean accuracy over seeds, in [0, 1]."""
        return self.weights.accuracy(self.correct[split], split)


Arms = Mapping[Setting, SweptArm]


def arms_of(records: PairRecords, anchor: Setting = DEFAULT) -> Arms:
    """Return each swept setting that completed all seeds of `anchor`, so arms pair; none without it.

    A further seed counts once all settings have run with it: until then, a sweep that is extended would take
    from what it has shown.
    """
    by_setting: defaultdict[Setting, dict[int, RunRecord]] = defaultdict(dict)
    ended: defaultdict[Setting, set[int]] = defaultdict(set)
    for run in records.sweep_runs:
        ended[plain(run.setting)].add(run.seed)
        if run.state is RunState.COMPLETE:
            by_setting[plain(run.setting)][run.seed] = run
    seeds = [
        seed
        for place, seed in enumerate(sorted(by_setting[anchor]))
        if place == 0 or all(seed in has for has in ended.values())
    ]
    return {
        setting: _arm([by_seed[seed] for seed in seeds], records.weights)
        for setting, by_seed in by_setting.items()
        if seeds and by_seed.keys() >= set(seeds)
    }


def best(arms: Arms, *, among: Iterable[Setting]) -> Setting:
    """Return the setting with the highest accuracy on validation; ties are broken by the setting's text."""
    return max(among, key=lambda setting: (arms[setting].accuracy(Split.VALIDATION), str(setting)))


def others_on(arms: Arms, transfer_set: TransferSet) -> list[Setting]:
    """Return the settings of a transfer set that differ from the default there in T or α."""
    default = moved(DEFAULT, transfer_set)
    return [setting for setting in arms if setting.transfer_set is transfer_set and setting != default]


def _arm(runs: Sequence[RunRecord], weights: ExampleWeights) -> SweptArm:
    correct = {split: np.stack([run.correct[split] for run in runs]) for split in Split}
    lost = {split: float(np.mean([run.curve[-1].forgetting[split] for run in runs])) for split in Split}
    return SweptArm(correct=correct if len(runs) > 1 else runs[0].correct, forgetting=lost, weights=weights)
