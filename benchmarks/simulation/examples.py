"""Runs of a recorded sweep, example by example: what tables lack is drawn, their accuracies are kept.

A table has the accuracies of two seeds. How right a run is on each example is drawn by the probit model of
the tests (`tests/statistics/simulated.py`):

    score[run, e] = level + difficulty_e + taste_e + shift_run + flutter_run,e

The level is such that a setting's runs are right, on average and on these very examples, as often as the
mean of its recorded seeds. Shift and flutter are those of the pair: what its two seeds have in common on two
splits is shift, and what they have not is flutter. Tastes are so large that the comparisons of a verdict are
as uncertain for their examples as they were in real batches of the same recipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from autokd.config.space import Space
from autokd.core.records import Correctness, ParticipantFacts, RunRecord, RunState, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair, Setting, Split, derive_seed
from benchmarks.pairs import pair_of
from benchmarks.simulation.table import SPLITS, Table
from tests.statistics.simulated import DIGITS, Noise

STAGE_SPLITS: Final = {Stage.RACE: (Split.VALIDATION,), Stage.CONFIRMATION: (Split.CONFIRMATION, Split.TEST)}
MEASURED: Final = {
    "digits": (3.45, 4.82, 5.25),
    "digits_plain": (4.55, 3.63, 2.55),
    "digits_classes": (3.98, 4.37, 4.28),
}
"""The examples' part of the variance on confirmation, in pp², of default − as-is, winner − default, and
winner − as-is: means over the pairs of a real batch of each table's recipe (attribute `autokd:noise`)."""
_JUDGED: Final = STAGE_SPLITS[Stage.CONFIRMATION]
_GRID: Final = ndtri((np.arange(1_000) + 0.5) / 1_000)
_LEAST: Final = 1e-3
"""Smallest flutter, and variance of a taste: without any the examples' order alone would decide."""
_FARTHEST: Final = 8.0
"""Level beyond which all examples are right, or none is."""


class Tastes(NamedTuple):
    """Standard deviations of the tastes of a model as it is, of the default's students, and of others."""

    own: float
    default: float
    others: float


def tastes(variances: tuple[float, float, float], examples: int) -> Tastes:
    """Return the tastes with which the three comparisons of a verdict vary as measured over examples.

    Two models disagree on so many examples as lie between their borders: the density of the scores at the
    border times the mean distance of two tastes.

    Args:
        variances: In pp², as in `MEASURED`.
    """
    disagreements = np.array(variances) * examples / 100**2
    density = 1 / np.sqrt(2 * np.pi) / DIGITS.scale
    default_own, default_other, own_other = (disagreements / (density * np.sqrt(2 / np.pi))) ** 2
    squares = np.array(
        [
            default_own + own_other - default_other,
            default_own + default_other - own_other,
            own_other + default_other - default_own,
        ]
    )
    return Tastes(*np.sqrt(np.maximum(squares / 2, _LEAST)).tolist())


@final
class Examples:
    """The examples of a federation, and how right its models and students are on each of them.

    Args:
        seed: The same seed draws the same.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._table, self._seed = table, seed
        self._sizes = {split: len(labels) for split, labels in table.facts().labels.items()}
        self._taste = tastes(MEASURED[table.name], self._sizes[Split.CONFIRMATION])
        self._difficulty = {split: self._drawn("difficulty", split) for split in SPLITS}
        self._levels: dict[tuple[Pair, Setting, Split], NDArray[np.float64]] = {}

    @property
    def space(self) -> Space:
        """The space of the recorded sweep."""
        return self._table.space

    @cached_property
    def participants(self) -> tuple[ParticipantFacts, ...]:
        """The participants, each right on as many examples as in the table."""
        facts = self._table.facts().participants
        return tuple(
            ParticipantFacts(
                number=participant.number,
                architecture=participant.architecture,
                histogram=participant.histogram,
                correct={split: self._own(participant.number, split) for split in SPLITS},
            )
            for participant in facts
        )

    @cached_property
    def noise(self) -> Mapping[Pair, Noise]:
        """How the runs of each pair vary between seeds."""
        table, places = self._table, [SPLITS.index(split) for split in _JUDGED]
        sizes = np.array([self._sizes[split] for split in _JUDGED])
        ends = np.nan_to_num(table.accuracy[:, :, :, -1, places])
        apart = ends[:, :, 1] - ends[:, :, 0]
        common = np.maximum(0.0, (apart[..., 0] * apart[..., 1]).mean(axis=1) / 2)
        rest = ((apart**2).mean(axis=1) / 2 - common[:, None]) * sizes
        levels = ndtri(ends.mean(axis=(1, 2, 3)))
        return {
            pair: _noise(float(level), float(shared), float(own))
            for pair, level, shared, own in zip(table.pairs, levels, common, rest.mean(axis=1), strict=True)
        }

    def run(self, spec: RunSpec) -> RunRecord:
        """Return what a race or confirmation run shows."""
        assert spec.stage is not None
        return RunRecord(
            stage=spec.stage,
            setting=spec.setting,
            seed=spec.seed,
            state=RunState.COMPLETE,
            correct={split: self._right(spec, split) for split in STAGE_SPLITS[spec.stage]},
            epochs=self._table.epochs,
        )

    def _right(self, spec: RunSpec, split: Split) -> Correctness:
        pair = pair_of(spec.pair)
        dice = self._dice(str(pair), str(spec.setting), spec.seed)
        shift = dice.normal(0, self.noise[pair].shift)
        flutter = self._dice(str(pair), str(spec.setting), spec.seed, split).normal(
            0, self.noise[pair].flutter, self._sizes[split]
        )
        right: Correctness = self._level(pair, spec.setting, split) + shift + flutter > 0
        return right

    def _level(self, pair: Pair, setting: Setting, split: Split) -> NDArray[np.float64]:
        """Return the mean score of each example over a setting's runs."""
        key = pair, setting, split
        if key not in self._levels:
            table = self._table
            column = table.column[self._recorded(setting)]
            recorded = table.accuracy[table.row[pair], column, :, -1, SPLITS.index(split)]
            taste = self._taste.default if setting == DEFAULT else self._taste.others
            scores = self._difficulty[split] + self._dice(*map(str, key)).normal(0, taste, self._sizes[split])
            self._levels[key] = scores + _level(
                scores,
                float(np.nan_to_num(recorded).mean()),
                np.hypot(self.noise[pair].flutter, self.noise[pair].shift),
            )
        return self._levels[key]

    def _recorded(self, setting: Setting) -> Setting:
        """Return the setting whose recorded runs stand for a setting's runs.

        The tables have no runs without a teacher. The setting with the least α on the same examples stands
        for them: what they cost is right, and no verdict depends on what they show.
        """
        if setting in self._table.column:
            return setting
        same = [near for near in self._table.settings if near.transfer_set is setting.transfer_set]
        return min(same, key=lambda setting: (setting.alpha or 0.0, setting.temperature))

    def _own(self, participant: int, split: Split) -> Correctness:
        size = self._sizes[split]
        taste = self._dice("own", participant, split).normal(0, self._taste.own, size)
        scores = self._difficulty[split] + taste
        right = np.zeros(size, dtype=np.bool_)
        count = round(float(self._table.own[participant, SPLITS.index(split)]) * size)
        right[np.argsort(-scores)[:count]] = True
        return right

    def _drawn(self, what: str, split: Split) -> NDArray[np.float64]:
        """Return difficulties spread as evenly as normal quantiles are, in an order by chance."""
        size = self._sizes[split]
        even = ndtri((np.arange(size) + 0.5) / size)
        return DIGITS.difficulty * self._dice(what, split).permutation(even)

    def _dice(self, *names: str | int) -> np.random.Generator:
        return np.random.default_rng(derive_seed(self._table.name, self._seed, *names))


def _noise(level: float, common: float, own: float) -> Noise:
    """Return the noise with which runs vary as they were seen to.

    Args:
        level: Quantile of the accuracy.
        common: Variance of the accuracy that splits share.
        own: Variance of the correctness of one example between runs, averaged over examples.
    """
    width = float(np.hypot(DIGITS.difficulty, DIGITS.taste))
    scores = width * (_GRID + level)

    def beyond(flutter: float) -> float:
        right = ndtr(scores / flutter)
        return float((right * (1 - right)).mean()) - own

    flutter = _LEAST if beyond(_LEAST) >= 0 else float(brentq(beyond, _LEAST, _FARTHEST, xtol=1e-4))
    slope = float(np.exp(-(level**2) / 2)) / np.sqrt(2 * np.pi) / np.hypot(width, flutter)
    return replace(DIGITS, shift=float(np.sqrt(common)) / slope, flutter=flutter)


def _level(scores: NDArray[np.float64], accuracy: float, noise: float) -> float:
    """Return what to add to the scores, so that with such noise they are above 0 as often as asked."""

    def beyond(level: float) -> float:
        return float(ndtr((scores + level) / noise).mean()) - accuracy

    if beyond(-_FARTHEST) >= 0:
        return -_FARTHEST
    return _FARTHEST if beyond(_FARTHEST) <= 0 else float(brentq(beyond, -_FARTHEST, _FARTHEST, xtol=1e-4))
