"""What the sweep of one pair says: every setting with the same seeds, seen on every split."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autokd.core.records import Correctness, RunRecord, RunState
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet
from autokd.core.setting_variants import moved, plain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweptArm:
    """The students of one setting.

    Attributes:
        correct: By split, shape (seeds, examples), or (examples,) of a single seed.
        forgetting: Mean over seeds in pp, by split.
    """

    correct: Mapping[Split, Correctness]
    forgetting: Mapping[Split, float]

    def accuracy(self, split: Split) -> float:
        """Mean over seeds, in [0, 1]."""
        return float(self.correct[split].mean())


Arms = Mapping[Setting, SweptArm]


def arms_of(runs: Sequence[RunRecord]) -> Arms:
    """Every setting that came to its end with each of the default's seeds; none without the default.

    So all arms are paired. A setting of which a run failed, because it diverged for instance, is left out.
    """
    by_setting: dict[Setting, dict[int, RunRecord]] = {}
    for run in runs:
        if run.state is RunState.COMPLETE:
            by_setting.setdefault(plain(run.setting), {})[run.seed] = run
    seeds = sorted(by_setting.get(DEFAULT, ()))
    return {
        setting: _arm([known[seed] for seed in seeds])
        for setting, known in by_setting.items()
        if seeds and known.keys() >= set(seeds)
    }


def best(arms: Arms, *, among: Collection[Setting]) -> Setting | None:
    """The setting with the highest accuracy on validation; None if none of them is there."""
    there = [one for one in among if one in arms]
    # Of two that are equally good, any, but always the same.
    return max(there, key=lambda one: (arms[one].accuracy(Split.VALIDATION), str(one)), default=None)


def others_on(arms: Arms, transfer_set: TransferSet) -> list[Setting]:
    """The settings of a transfer set that differ from the default there in T or α."""
    there = moved(DEFAULT, transfer_set)
    return [one for one in arms if one.transfer_set is transfer_set and one != there]


def forgetting(arms: Arms, split: Split) -> dict[TransferSet, float]:
    """Mean over the settings of each transfer set, in pp."""
    found: dict[TransferSet, list[float]] = {}
    for setting, one in arms.items():
        found.setdefault(setting.transfer_set, []).append(one.forgetting[split])
    return {transfer_set: float(np.mean(values)) for transfer_set, values in found.items()}


def _arm(runs: Sequence[RunRecord]) -> SweptArm:
    correct = {split: np.stack([run.correct[split] for run in runs]) for split in Split}
    return SweptArm(
        correct=correct if len(runs) > 1 else {split: rows[0] for split, rows in correct.items()},
        forgetting={
            split: float(np.mean([run.curve[-1].forgetting[split] for run in runs])) for split in Split
        },
    )
