"""What the settings have in common over all pairs: which are best, what matters, and what is forgotten."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.core.pair_records import PairRecords
from autokd.core.records import RunState, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.recommendation import Verdict
from autokd.recommendation.race import alike
from autokd.report.data import ReportData
from autokd.report.facts.means import Mean, mean_over_pairs
from autokd.report.facts.pairs import chosen_setting

LEVELS: Final = 5
"""Number of equally full parts into which a continuous dimension is cut to see how much it matters."""
_FIFTHS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_QUANTILES: Final = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The chosen settings in one part of a dimension.

    Attributes:
        counts: Number of settings by transfer set; transfer sets that no pair chose are absent.
    """

    label: str
    counts: Mapping[TransferSet, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFacts:
    """The setting that was chosen, pair by pair.

    Attributes:
        chosen: Chosen setting by pair; pairs without a winner beside the default are absent.
        temperatures: Bins of T by the nearest power of two, from the lowest chosen T to the highest.
        alphas: Bins of α in fifths, and one each for 0, which uses no teacher, and for `public`, without α.
        other: Number of pairs in `chosen` whose T or α differs from the default's.
        tuned: Number of pairs whose chosen setting is shown to beat the default.
        judged: Number of pairs that have a verdict.
    """

    chosen: Mapping[Pair, Setting]
    temperatures: tuple[Bin, ...]
    alphas: tuple[Bin, ...]
    other: int
    tuned: int
    judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much of the accuracy's variance a dimension explains by itself.

    Attributes:
        share: Explained share of the variance, in [0, 1]; see `importance`.
        levels: Number of levels of the dimension.
    """

    dimension: str
    share: float
    levels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceFacts:
    """Importance of each dimension that varied, most important first.

    Attributes:
        runs: Number of runs that this rests on.
        pairs: Number of pairs with such runs.
        swept: Whether the runs are the sweep's, which tries every setting equally often, or the search's.
    """

    dimensions: tuple[Importance, ...]
    runs: int
    pairs: int
    swept: bool

    @property
    def together(self) -> float:
        """Sum of all shares."""
        return sum(dimension.share for dimension in self.dimensions)

    @property
    def in_words(self) -> str:
        """Each dimension with its share, and why they do not sum to 100%."""
        named = (
            f"{dimension.dimension.replace('_', ' ')} {dimension.share:.0%}" for dimension in self.dimensions
        )
        return f"{', '.join(named)}; {self.why_not_whole}"

    @property
    def why_not_whole(self) -> str:
        """Why the shares do not sum to 100%, in words."""
        if self.together > 1:
            return (
                f"together {self.together:.0%}, more than all: dimensions that were not varied independently "
                "explain the same differences"
            )
        return (
            f"together {self.together:.0%}; the rest is what dimensions explain only in combination, and "
            "what varies from run to run"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetForgetting:
    """Forgetting on one transfer set in trials that ran to the end, in pp on validation.

    Attributes:
        trials: Number of trials.
        quantiles: Minimum, quartiles and maximum over trials.
        mean: Mean over pairs, each counting once.
    """

    transfer_set: TransferSet
    trials: int
    quantiles: tuple[float, ...]
    mean: Mean


def best_facts(data: ReportData) -> BestFacts:
    """Return what was chosen, whatever the verdict on it was."""
    recommendations = data.recommendations
    winners = {pair: chosen_setting(recommendation) for pair, recommendation in recommendations.items()}
    chosen = {pair: setting for pair, setting in winners.items() if setting is not None}
    settings = list(chosen.values())
    return BestFacts(
        chosen=chosen,
        temperatures=_temperatures(settings),
        alphas=_alphas(settings),
        other=sum(_differs(setting) for setting in settings),
        tuned=sum(recommendation.verdict is Verdict.TUNED for recommendation in recommendations.values()),
        judged=len(winners),
    )


def importance(data: ReportData) -> ImportanceFacts:
    """Return the share of the variance within pairs that each dimension explains by itself.

    Accuracies on validation are taken relative to their pair's mean, so good and bad students count alike.
    The levels of a dimension explain the share ε² = (between - (k - 1)·w) / total of the sum of squares,
    where w is the mean square within levels, k the number of levels, and each pair costs one degree of
    freedom; a share below 0 becomes 0 (Kelley 1935, "An unbiased correlation ratio measure"). What dimensions
    explain only together is in no share. Of a search, only trials that ran to the end count; it tries good
    regions more often, so its shares are those of the settings that it tried.
    """
    swept = {pair.pair: _swept(pair.records) for pair in data.pairs}
    from_sweep = any(swept.values())
    samples = swept if from_sweep else {pair.pair: _searched(pair.records.trials) for pair in data.pairs}
    return shares(samples.values(), swept=from_sweep)


def importance_of(trials: Sequence[TrialRecord]) -> ImportanceFacts:
    """Return the same of one pair's trials that ran to the end."""
    return shares([_searched(trials)], swept=False)


def shares(samples: Iterable[Sequence[tuple[Setting, float]]], *, swept: bool) -> ImportanceFacts:
    """Return the importance of dimensions; each sample has the settings and accuracies of one pair."""
    groups = [runs for runs in samples if len(runs) > 1]
    settings = [setting.values() for runs in groups for setting, _ in runs]
    relative: list[float] = []
    for runs in groups:
        mean = float(np.mean([accuracy for _, accuracy in runs]))
        relative += [accuracy - mean for _, accuracy in runs]
    of_dimensions = [
        Importance(dimension=name, levels=count, share=explained(levels, relative, groups=len(groups)))
        for name in DEFAULT.values()
        for levels in [_levels([setting[name] for setting in settings])]
        if (count := len(set(levels))) > 1
    ]
    return ImportanceFacts(
        dimensions=tuple(sorted(of_dimensions, key=lambda dimension: -dimension.share)),
        runs=len(relative),
        pairs=len(groups),
        swept=swept,
    )


def explained(levels: Sequence[Hashable], values: Sequence[float], *, groups: int) -> float:
    """Return ε² of one dimension, in [0, 1]; values are relative to the mean of their group of runs."""
    relative = np.asarray(values, dtype=np.float64)
    total = float((relative**2).sum())
    by_level = {level: relative[[other == level for other in levels]] for level in set(levels)}
    between = sum(len(part) * float(part.mean()) ** 2 for part in by_level.values())
    extra = len(by_level) - 1
    freedom = len(relative) - groups - extra
    if total == 0 or freedom <= 0:
        return 0.0
    return max(0.0, (between - extra * (total - between) / freedom) / total)


def forgotten(data: ReportData) -> tuple[SetForgetting, ...]:
    """Return forgetting by transfer set; transfer sets without a finished trial are absent."""
    forgetting: dict[TransferSet, dict[Pair, list[float]]] = {}
    for pair in data.pairs:
        for trial in pair.records.trials:
            reports = pair.records.reports.get(trial.number)
            if trial.state is TrialState.COMPLETE and reports:
                by_pair = forgetting.setdefault(trial.setting.transfer_set, {})
                by_pair.setdefault(pair.pair, []).append(reports[-1].forgetting)
    facts = []
    for transfer_set in TransferSet:
        by_pair = forgetting.get(transfer_set, {})
        mean = mean_over_pairs(
            {pair: float(np.mean(values)) for pair, values in by_pair.items()}, data.config
        )
        if mean is not None:
            values = [value for of_pair in by_pair.values() for value in of_pair]
            quantiles = tuple(map(float, np.quantile(values, _QUANTILES)))
            facts.append(
                SetForgetting(transfer_set=transfer_set, trials=len(values), quantiles=quantiles, mean=mean)
            )
    return tuple(facts)


def _temperatures(settings: Sequence[Setting]) -> tuple[Bin, ...]:
    powers = [round(math.log2(setting.temperature)) for setting in settings]
    labels = [f"{2.0**power:g}" for power in range(min(powers, default=0), max(powers, default=-1) + 1)]
    return _bins(settings, labels, [f"{2.0**power:g}" for power in powers])


def _alphas(settings: Sequence[Setting]) -> tuple[Bin, ...]:
    labels = [f"≤ {end:g}" if end else "0" for end in _FIFTHS]
    alphas = [setting.alpha for setting in settings]
    inside = ["none" if alpha is None else labels[bisect_left(_FIFTHS, alpha)] for alpha in alphas]
    return _bins(settings, [*labels, "none"], inside) if settings else ()


def _bins(settings: Sequence[Setting], labels: Sequence[str], inside: Sequence[str]) -> tuple[Bin, ...]:
    """Return a bin for each label; `inside` has the label of each setting."""
    sets = [setting.transfer_set for setting in settings]
    counts = Counter(zip(inside, sets, strict=True))
    return tuple(
        Bin(label=label, counts={name: counts[label, name] for name in TransferSet if name in sets})
        for label in labels
    )


def _differs(setting: Setting) -> bool:
    """Return whether T or α differ from the default's, whatever the transfer set; a missing α differs."""
    if setting.alpha is None or DEFAULT.alpha is None:
        return True
    return not alike(Setting(setting.temperature, setting.alpha, DEFAULT.transfer_set), DEFAULT)


def _searched(trials: Sequence[TrialRecord]) -> list[tuple[Setting, float]]:
    return [
        (trial.setting, trial.accuracy)
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.accuracy is not None
    ]


def _swept(records: PairRecords) -> list[tuple[Setting, float]]:
    runs = [run for run in records.sweep_runs if run.state is RunState.COMPLETE]
    return [(run.setting, run.accuracy(Split.VALIDATION, records.weights)) for run in runs]


def _levels(values: Sequence[Any]) -> list[Hashable]:
    """Return the values themselves if there are few of them; else the part that each number lies in."""
    numbers = sorted(value for value in values if isinstance(value, int | float))
    if min(len(set(values)), len(set(numbers))) <= LEVELS + 1:
        return list(values)
    cuts: NDArray[np.float64] = np.quantile(numbers, np.arange(1, LEVELS) / LEVELS)
    return [
        int(np.searchsorted(cuts, value, side="right")) if isinstance(value, int | float) else value
        for value in values
    ]
