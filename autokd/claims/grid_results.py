"""Results of a pair's sweep: every setting with the same seeds, evaluated on every split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autokd.core.records import Correctness, RunRecord, RunState
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet, moved, plain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweptArm:
    """The students of one setting.

    Attributes:
        correct: Correctness by split, shape (seeds, examples), or (examples,) for a single seed.
        forgetting: Mean forgetting over seeds in pp, by split.
    """

    correct: Mapping[Split, Correctness]
    forgetting: Mapping[Split, float]

    def accuracy(self, split: Split) -> float:
        """Return the mean accuracy over seeds, in [0, 1]."""
        return float(self.correct[split].mean())


Arms = Mapping[Setting, SweptArm]


def arms_of(runs: Sequence[RunRecord]) -> Arms:
    """Return every setting that completed with each of the default's seeds; none without the default.

    So all arms are paired. A setting with a failed run, for instance a diverged one, is left out.
    """
    by_setting: defaultdict[Setting, dict[int, RunRecord]] = defaultdict(dict)
    for run in runs:
        if run.state is RunState.COMPLETE:
            by_setting[plain(run.setting)][run.seed] = run
    seeds = sorted(by_setting.get(DEFAULT, ()))
    return {
        setting: _arm([by_seed[seed] for seed in seeds])
        for setting, by_seed in by_setting.items()
        if seeds and by_seed.keys() >= set(seeds)
    }


def best(arms: Arms, *, among: Collection[Setting]) -> Setting | None:
    """Return the setting with the highest accuracy on validation; None if no candidate has an arm."""
    # Ties are broken by the setting's text, so that the choice is always the same.
    return max(
        (setting for setting in among if setting in arms),
        key=lambda setting: (arms[setting].accuracy(Split.VALIDATION), str(setting)),
        default=None,
    )


def others_on(arms: Arms, transfer_set: TransferSet) -> list[Setting]:
    """Return the settings of a transfer set that differ from the default there in T or α."""
    default = moved(DEFAULT, transfer_set)
    return [setting for setting in arms if setting.transfer_set is transfer_set and setting != default]


def forgetting(arms: Arms, split: Split) -> dict[TransferSet, float]:
    """Return the mean forgetting over the settings of each transfer set, in pp."""
    by_set: defaultdict[TransferSet, list[float]] = defaultdict(list)
    for setting, arm in arms.items():
        by_set[setting.transfer_set].append(arm.forgetting[split])
    return {transfer_set: float(np.mean(values)) for transfer_set, values in by_set.items()}


def _arm(runs: Sequence[RunRecord]) -> SweptArm:
    correct = {split: np.stack([run.correct[split] for run in runs]) for split in Split}
    return SweptArm(
        correct=correct if len(runs) > 1 else {split: rows[0] for split, rows in correct.items()},
        forgetting={
            split: float(np.mean([run.curve[-1].forgetting[split] for run in runs])) for split in Split
        },
    )
